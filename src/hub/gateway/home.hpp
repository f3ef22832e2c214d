#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/fifo.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "flow/fair_share.hpp"
#include "hub/gateway/batch.hpp"
#include "hub/gateway/dedup.hpp"
#include "hub/gateway/history.hpp"
#include "hub/gateway/ids.hpp"
#include "hub/gateway/ledger.hpp"
#include "hub/gateway/message_log.hpp"
#include "hub/gateway/route.hpp"
#include "wire/hub/encoding.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// What a home asks of the shard that it lives on.
class HomePort {
 public:
  virtual ~HomePort() = default;
  virtual void answer(ConnectionRef to, wire::hub::Receipt receipt) = 0;
  virtual void hand_out(ShardId to, const wire::hub::Conversation& conversation, SharedBatch batch) = 0;
  /// As frames of the wire.
  virtual SharedFrames encode(const std::vector<wire::hub::FromHub>& messages,
                              wire::hub::Encoding encoding) = 0;
  /// Appends to the conversation's log; the number comes back in `on_stored`. Errors: those of the log.
  virtual Result<std::uint64_t> store(SharedMessage message) = 0;
};

/// A message that asks to be numbered, and who is to hear of it.
struct Incoming {
  ConnectionRef from;
  std::string user;
  wire::hub::Publish publish;
  std::shared_ptr<UserShare> share{};  ///< The user's.
};

struct HomeOptions {
  Duration tick = std::chrono::milliseconds{2};  ///< Zero: every message goes out at once.
};

/// Where a conversation's messages get their order: numbers them, refuses second copies, has them stored, and
/// hands them to the shards whose connections have subscribed.
///
/// Pure; lives on the conversation's home shard. Batches leave at once when the last one is older than the
/// tick, else at the tick. Bounded: what is not stored yet by the log's own queue, a batch by
/// `limits::kBatchBytes`. Invariants: offsets are dense; batches leave in their order; what was refused has
/// no number.
class Home {
 public:
  /// All of them outlive it; the route until another is set.
  struct Surroundings {
    const Route* route;
    Dedup& dedup;
    MessageLog& log;
    HomePort& port;
    const Ledger& ledger;
  };
  Home(wire::hub::Conversation conversation, wire::hub::Position head, Surroundings surroundings,
       HomeOptions options);

  void publish(Incoming incoming, Moment now);
  /// The outcome of an append. False: the ticket is none of this home's.
  bool on_stored(std::uint64_t ticket, const Status& outcome);
  /// A receiver has processed these; the last of them is of that epoch.
  void on_processed(std::uint64_t epoch, const std::vector<Stretch>& received);
  /// Who waited for deliveries has gone.
  void abandon(ConnectionRef who);

  void subscribe(ShardId shard, wire::hub::Encoding encoding);
  void unsubscribe(ShardId shard, wire::hub::Encoding encoding);
  [[nodiscard]] std::uint32_t subscribers() const { return subscribers_in_all_; }

  /// Everything up to `head` has left: a subscriber that has got so far misses nothing and gets nothing
  /// twice.
  void flush(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> flush_due() const;

  /// Where a client that names this position goes on. Nothing that is kept is skipped. Errors: those of the
  /// log.
  [[nodiscard]] Result<Junction> junction(wire::hub::Position position);
  /// A range of offsets that a client pulls, as a gap has named them to it.
  struct Range {
    std::uint64_t epoch;  ///< Of the last of them.
    std::uint64_t first;
    std::uint64_t last;  ///< 0: as many as there are.
  };
  /// What is to be read for it.
  struct Reading {
    wire::hub::Position after{};
    std::uint64_t last = 0;            ///< 0: as many as there are.
    std::optional<Stretch> foreign{};  ///< The end of the range, or all of it: not in this history.
    bool operator==(const Reading&) const = default;
  };
  /// Errors: those of the log.
  [[nodiscard]] Result<Reading> reading(Range range);

  /// What comes after a position of this history: from the log, and what is on its way there.
  [[nodiscard]] Result<LogPage> page(wire::hub::Position after, PageLimits limits);

  [[nodiscard]] wire::hub::Position head() const { return head_; }
  [[nodiscard]] const wire::hub::Conversation& conversation() const { return conversation_; }
  void set_route(const Route& route) { around_.route = &route; }
  void set_tick(Duration tick) { options_.tick = tick; }
  /// Nothing would be lost with it but what the log knows.
  [[nodiscard]] bool idle() const;
  /// The log knows its head as well.
  [[nodiscard]] bool is_logged() const { return logged_ == head_; }

 private:
  /// Who is to hear that a message is on the disk.
  struct Waiter {
    ConnectionRef from;
    std::uint64_t seq;
    bool awaits_delivery;
    bool duplicate;
  };
  struct Unstored {
    std::uint64_t ticket;
    SharedMessage message;
    std::vector<Waiter> waiters{};
  };
  struct Awaited {
    ConnectionRef from;
    std::uint64_t seq;
    std::string id;
    std::string user;
    wire::hub::Position position;
    bool duplicate;
  };
  using AwaitedByOffset = std::multimap<std::uint64_t, Awaited>;

  [[nodiscard]] Result<History> history();
  [[nodiscard]] History::Epoch whose(std::uint64_t epoch) const;
  void answer_duplicate(const Incoming& incoming, wire::hub::Position first);
  void refuse(const Incoming& incoming, wire::hub::Reason reason, std::string message, Duration retry_after);
  [[nodiscard]] std::optional<wire::hub::Reason> store(const Incoming& incoming,
                                                       const SharedMessage& message);
  void tell_delivered();
  void await_delivery(const Incoming& incoming, wire::hub::Position position);
  void hope_for_delivery(const Incoming& incoming, wire::hub::Position first);
  AwaitedByOffset::iterator forget_awaited(AwaitedByOffset& from, AwaitedByOffset::iterator entry);
  void charge(Batch& batch);
  [[nodiscard]] Bytes backlog_of(std::size_t size) const;
  [[nodiscard]] bool has_backlog_room(const Incoming& incoming) const;
  void add_to_batch(wire::hub::Delivery delivery, const std::shared_ptr<UserShare>& sender, Moment now);

  wire::hub::Conversation conversation_;
  wire::hub::Position head_;
  std::uint64_t began_;  ///< The offset of the head that it was made with.
  /// Where the log's epochs begin, once somebody has come from one: no earlier one changes any more.
  std::optional<std::vector<wire::hub::Position>> past_;
  wire::hub::Position logged_;  ///< The last that is stored, or the head that it was made with.
  Surroundings around_;
  HomeOptions options_;
  std::vector<std::array<std::uint32_t, wire::hub::kEncodings>> subscribers_;  ///< By shard.
  std::uint32_t subscribers_in_all_ = 0;
  std::vector<wire::hub::FromHub> batch_;  ///< Deliveries.
  std::size_t batch_bytes_ = 0;
  std::vector<flow::Charge> batch_backlog_;
  TimePoint flushed_at_;
  TimePoint batch_begun_;  ///< When its first message was accepted.
  Fifo<Unstored> unstored_;
  /// By offset: who wants to know of its delivery. No two messages that a receiver is sent have one offset,
  /// whatever their epochs.
  AwaitedByOffset awaited_;
  /// The same of those that have sent a second copy, for the delivery of the first, which may be of an
  /// earlier run. They have their receipts, so that nothing is owed to them.
  AwaitedByOffset hoped_;
  AwaitedByOffset processed_;  ///< Of both: a receiver has it, the disk does not.
  flow::FairShare awaited_of_{{.limit = limits::kAwaitedDeliveries}};  ///< By user, those processed too.
  flow::FairShare hoped_of_{{.limit = limits::kHopedDeliveries}};      ///< The same.
};

}  // namespace sluice::hub
