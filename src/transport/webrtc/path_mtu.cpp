#include "transport/webrtc/path_mtu.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/limits.hpp"

namespace sluice::webrtc {

std::vector<Bytes> path_mtu_candidates(Bytes link_mtu, IpVersion version) {
  constexpr Bytes kShorterHeader{20};
  std::vector<Bytes> sizes;
  for (const Bytes link : limits::kPathMtuLinks) {
    if (link > link_mtu) break;
    const Bytes room =
        link - limits::kPathMtuOverhead + (version == IpVersion::v4 ? kShorterHeader : Bytes{});
    sizes.emplace_back(room.count() / 4 * 4);  // Chunks are padded to four bytes (RFC 9260 §3.2).
  }
  return sizes;
}

PathMtu::PathMtu(Bytes base, std::vector<Bytes> candidates)
    : base_(base), candidates_(std::move(candidates)), proven_(base) {
  std::erase_if(candidates_, [base](Bytes size) { return size <= base; });
}

void PathMtu::start(TimePoint now) {
  if (phase_ != Phase::idle) return;
  phase_ = candidates_.empty() ? Phase::settled : Phase::searching;
  next_ = now;
}

std::vector<Bytes> PathMtu::due(TimePoint now) {
  switch (phase_) {
    case Phase::searching:
      return search(now);
    case Phase::settled:
      return confirm(now);
    case Phase::idle:
      break;
  }
  return {};
}

std::vector<Bytes> PathMtu::search(TimePoint now) {
  if (proven_ == top() || (now >= next_ && unanswered_ == limits::kPathMtuProbes)) {
    phase_ = Phase::settled;
    unanswered_ = 0;
    next_ = now + limits::kPathMtuConfirm;
    return {};
  }
  if (now < next_) return {};
  next_ = now + limits::kPathMtuProbeWait;
  ++unanswered_;
  std::vector<Bytes> sizes;
  std::ranges::copy_if(candidates_, std::back_inserter(sizes), [this](Bytes size) { return size > proven_; });
  return sizes;
}

std::vector<Bytes> PathMtu::confirm(TimePoint now) {
  if (proven_ == base_ || now < next_) return {};
  if (unanswered_ == limits::kPathMtuProbes) {
    proven_ = base_;
    return {};
  }
  next_ = now + limits::kPathMtuProbeWait;
  ++unanswered_;
  return {proven_};
}

void PathMtu::on_answer(Bytes size) {
  if (phase_ == Phase::searching && std::ranges::find(candidates_, size) != candidates_.end()) {
    proven_ = std::max(proven_, size);
  } else if (phase_ == Phase::settled && size == proven_ && std::exchange(unanswered_, 0) != 0) {
    next_ += limits::kPathMtuConfirm;
  }
}

}  // namespace sluice::webrtc
