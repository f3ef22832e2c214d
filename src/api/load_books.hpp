#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/messaging/progress.hpp"
#include "core/bytes.hpp"
#include "core/time.hpp"
#include "wire/hub/message.hpp"

/// The figures of a load run: how long things took, and who got what. Pure.
namespace sluice::api {

/// How long many things took, in buckets that are 1.6 % wide (64 for each power of two, in microseconds):
/// 18 KiB whatever comes.
class Latencies {
 public:
  void record(Duration took);
  void merge(const Latencies& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// The upper end of the bucket in which that part of them (0 to 1) ends, never above `longest`.
  [[nodiscard]] Duration percentile(double part) const;
  [[nodiscard]] Duration longest() const { return longest_; }

 private:
  static constexpr std::size_t kFine = 64;
  static constexpr std::size_t kPowers = 36;
  static std::size_t bucket_of(std::uint64_t us);
  static std::uint64_t end_of(std::size_t bucket);

  std::array<std::uint64_t, kFine * kPowers> buckets_{};
  std::uint64_t count_ = 0;
  Duration longest_{};
};

/// What a message of a load run carries: enough to see who sent it when, and as which of theirs.
struct LoadStamp {
  std::uint64_t run = 0;  ///< So that what an earlier run left in the hub is known for what it is.
  std::uint32_t sender = 0;
  std::uint64_t number = 0;  ///< From 1, for each sender.
  std::int64_t sent_ns = 0;  ///< Of the process's own clock.

  static constexpr std::size_t kSize = 28;
  bool operator==(const LoadStamp&) const = default;
};
/// The stamp, and filling up to `size`, which is at least the stamp's own.
[[nodiscard]] std::string stamped(const LoadStamp& stamp, std::size_t size);
[[nodiscard]] std::optional<LoadStamp> read_stamp(ByteView content);

/// What one receiver was given of its conversation, held against the order in which it was sent.
class ReceiverBook {
 public:
  enum class Source : std::uint8_t { live, log };
  /// A message, and as which of its sender's it was sent.
  void take(wire::hub::Position position, Source source, std::uint32_t sender, std::uint64_t number);
  void tell(const wire::hub::Gap& gap);
  void begin_at(wire::hub::Position position);
  /// What a connection that follows is to go on behind.
  [[nodiscard]] std::optional<wire::hub::Position> done() const { return progress_.done(); }

  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t gapped() const { return gapped_; }
  /// Came later than one that its sender sent after it.
  [[nodiscard]] std::uint64_t out_of_order() const { return out_of_order_; }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  /// Came live, and before it something that was neither given nor told by then.
  [[nodiscard]] std::uint64_t untold() const { return untold_; }

 private:
  struct Line {
    std::uint64_t last = 0;
    std::unique_ptr<messaging::Ranges> skipped{};  ///< Refused, lost, told as gaps, or late.
  };

  messaging::Progress progress_;
  std::unordered_map<std::uint32_t, Line> lines_;  ///< By sender.
  std::uint64_t delivered_ = 0;
  std::uint64_t gapped_ = 0;
  std::uint64_t out_of_order_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t untold_ = 0;
  std::optional<std::uint64_t> heard_{};  ///< The furthest offset that was given or told.
};

/// What became of what was sent to one conversation.
struct ConversationBook {
  std::uint64_t accepted = 0;
  std::uint64_t unanswered = 0;  ///< Its sender was cut before the answer: it may have come, or not.

  ConversationBook& operator+=(const ConversationBook& other);
};

/// How a receiver's book closes.
struct Balance {
  std::uint64_t missing = 0;  ///< Accepted, and neither given nor told.
  std::uint64_t surplus = 0;  ///< Given or told beyond all that can have been accepted.
};
[[nodiscard]] Balance balance(const ConversationBook& conversation, std::uint64_t delivered,
                              std::uint64_t gapped);

}  // namespace sluice::api
