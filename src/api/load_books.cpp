#include "api/load_books.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/byte_io.hpp"
#include "core/ensure.hpp"

namespace sluice::api {
namespace {

/// Holes in one sender's numbers that are kept apart; more than a slow receiver can have between two gaps.
constexpr std::size_t kMostSkipped = 1'024;

}  // namespace

// --- how long

/// Below 64 each has its own; above, the six bits behind the first one tell.
std::size_t Latencies::bucket_of(std::uint64_t us) {
  if (us < kFine) return static_cast<std::size_t>(us);
  const auto power = static_cast<std::size_t>(std::bit_width(us)) - 7;
  const std::size_t bucket = (power + 1) * kFine + static_cast<std::size_t>(us >> power) - kFine;
  return std::min(bucket, kFine * kPowers - 1);
}

std::uint64_t Latencies::end_of(std::size_t bucket) {
  if (bucket < kFine) return bucket;
  const std::size_t power = bucket / kFine - 1;
  return ((bucket % kFine + kFine + 1) << power) - 1;
}

void Latencies::record(Duration took) {
  const auto us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::max(took, Duration::zero())).count();
  ++buckets_[bucket_of(static_cast<std::uint64_t>(us))];
  ++count_;
  longest_ = std::max(longest_, took);
}

void Latencies::merge(const Latencies& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  longest_ = std::max(longest_, other.longest_);
}

Duration Latencies::percentile(double part) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return std::min<Duration>(longest_, std::chrono::microseconds{end_of(i)});
  }
  return longest_;
}

// --- what a message carries

std::string stamped(const LoadStamp& stamp, std::size_t size) {
  ENSURE(size >= LoadStamp::kSize);
  ByteBuffer bytes;
  bytes.reserve(size);
  ByteWriter writer{bytes};
  writer.write(stamp.run);
  writer.write(stamp.sender);
  writer.write(stamp.number);
  writer.write(static_cast<std::uint64_t>(stamp.sent_ns));
  std::string text{as_text(bytes)};
  text.resize(size, '.');
  return text;
}

std::optional<LoadStamp> read_stamp(ByteView content) {
  ByteReader reader{content};
  const auto run = reader.read<std::uint64_t>();
  const auto sender = reader.read<std::uint32_t>();
  const auto number = reader.read<std::uint64_t>();
  const auto sent = reader.read<std::uint64_t>();
  if (!run || !sender || !number || !sent) return std::nullopt;
  return LoadStamp{
      .run = *run, .sender = *sender, .number = *number, .sent_ns = static_cast<std::int64_t>(*sent)};
}

// --- who got what

void ReceiverBook::take(wire::hub::Position position, Source source, std::uint32_t sender,
                        std::uint64_t number) {
  const bool fresh = progress_.take(
      position, source == Source::log ? messaging::Progress::Source::log : messaging::Progress::Source::live);
  if (source == Source::live && heard_ && position.offset > *heard_ + 1) ++untold_;
  heard_ = std::max(heard_.value_or(0), position.offset);
  Line& line = lines_[sender];
  if (number > line.last) {
    if (number > line.last + 1) {
      if (!line.skipped) line.skipped = std::make_unique<messaging::Ranges>(kMostSkipped);
      (void)line.skipped->add({.first = line.last + 1, .last = number - 1});
    }
    line.last = number;
    // Its number is new, so its place must be too.
    fresh ? ++delivered_ : ++duplicates_;
  } else if (line.skipped && line.skipped->contains(number)) {
    line.skipped->remove({.first = number, .last = number});
    ++delivered_;
    ++out_of_order_;
  } else {
    ++duplicates_;
  }
}

void ReceiverBook::tell(const wire::hub::Gap& gap) {
  if (gap.from) {  // another history: what was heard there says nothing of what comes
    progress_.go_on_from(*gap.from);
    heard_ = gap.from->offset;
    return;
  }
  progress_.tell(gap);
  gapped_ += gap.count;
  if (heard_) heard_ = std::max(*heard_, gap.last);
}

void ReceiverBook::begin_at(wire::hub::Position position) {
  progress_.begin_at(position);
  if (!heard_) heard_ = position.offset;
}

ConversationBook& ConversationBook::operator+=(const ConversationBook& other) {
  accepted += other.accepted;
  unanswered += other.unanswered;
  return *this;
}

Balance balance(const ConversationBook& conversation, std::uint64_t delivered, std::uint64_t gapped) {
  const std::uint64_t got = delivered + gapped;
  const std::uint64_t most = conversation.accepted + conversation.unanswered;
  return {.missing = conversation.accepted > got ? conversation.accepted - got : 0,
          .surplus = got > most ? got - most : 0};
}

}  // namespace sluice::api
