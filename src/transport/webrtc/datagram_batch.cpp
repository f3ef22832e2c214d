#include "transport/webrtc/datagram_batch.hpp"

#include <limits>

#include "core/ensure.hpp"

namespace sluice::webrtc {

DatagramBatch::Added DatagramBatch::add(ByteView datagram) {
  if (datagram.empty() || datagram.size() > std::numeric_limits<std::uint16_t>::max() ||
      bytes().size() + datagram.size() > limits::kPathBacklog.count()) {
    return Added::refused;
  }
  bytes_.insert(bytes_.end(), datagram.begin(), datagram.end());
  sizes_.push_back(static_cast<std::uint16_t>(datagram.size()));
  return Added::kept;
}

SegmentRun DatagramBatch::front_run() const {
  ENSURE(!empty());
  const auto waiting = sizes();
  const std::uint16_t segment = waiting.front();
  std::size_t total = segment;
  std::size_t count = 1;
  while (count < waiting.size() && count < limits::kGsoSegments && waiting[count] <= segment &&
         total + waiting[count] <= limits::kGsoBytes.count()) {
    total += waiting[count++];
    if (waiting[count - 1] < segment) break;  // only the last one may be shorter
  }
  return {.bytes = bytes().first(total), .segment = segment, .count = count};
}

void DatagramBatch::drop_front(std::size_t dropped) {
  ENSURE(dropped <= count());
  for (; dropped != 0; --dropped) begin_ += sizes_[first_++];
  if (empty()) {
    bytes_.clear();
    sizes_.clear();
  } else if (begin_ > bytes_.size() / 2) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    sizes_.erase(sizes_.begin(), sizes_.begin() + static_cast<std::ptrdiff_t>(first_));
  } else {
    return;
  }
  begin_ = 0;
  first_ = 0;
}

}  // namespace sluice::webrtc
