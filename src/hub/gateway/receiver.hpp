#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fifo.hpp"
#include "core/frames.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "flow/account.hpp"
#include "flow/outbox.hpp"
#include "hub/gateway/batch.hpp"
#include "hub/gateway/books.hpp"
#include "hub/gateway/ids.hpp"
#include "transport/message_socket.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// How the way out to one client is guarded; live settings, shared by all connections of a shard.
struct ReceiverLimits {
  bool enabled = true;  ///< Off: nothing is dropped and nobody is cut but at the hard limit.
  bool dry_run =
      false;  ///< Nothing is dropped, nobody is cut but at the hard limit; what would have been is counted.
  flow::OutboxLimits outbox{};
  /// The age of the oldest byte that waits, or of the oldest unacknowledged delivery, at which a client is
  /// cut; negative: never.
  Duration close_unwritable_after = limits::kCloseUnwritableAfter;
  bool window_enabled = true;
  Bytes window = limits::kDeliveryWindow;  ///< Unacknowledged deliveries, for clients that acknowledge.
};

struct ReceiverStats {
  std::uint64_t would_drop = 0;  ///< In a dry run; messages.
  std::uint64_t would_cut = 0;   ///< In a dry run; times.
};

/// The way out to one client: what it is sent, what waits, what it has not acknowledged, and whether it keeps
/// up.
///
/// Sans-I/O but for the socket that it writes to, which never blocks. One shard. Bounded by the outbox's hard
/// limit, the window, and `limits::kUnacknowledged`. Every copy that it accepts ends in `books` exactly once.
/// What was dropped is told before what comes behind it goes out: what a client has heard last of a
/// conversation, delivery or gap, is what it is to go on from.
class Receiver {
 public:
  struct Identity {
    wire::hub::Encoding encoding;
    bool acknowledges;
  };
  /// Says what was dropped, encoded for this client; null: it need not hear of it.
  using GapFrames = std::function<SharedFrames(const std::vector<flow::Drop>&)>;
  /// All outlive it. Its waiting bytes are charged to `account`.
  Receiver(Identity identity, const ReceiverLimits& limits, transport::MessageSocket& socket,
           std::shared_ptr<flow::Account> account, Books& books, GapFrames gap_frames);
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  ~Receiver();  ///< Copies that still wait, or are unacknowledged, have expired.

  /// Copies of a conversation's messages; `source` is the owner's number for it.
  /// Requires source != 0.
  void deliver(std::uint64_t source, const Batch& batch, TimePoint now);
  /// What the hub itself has to say: critical, and no copy. Gaps and requests count among what is
  /// acknowledged. `about`: the source that it is forgotten with; 0: none.
  enum class Counts : std::uint8_t { no, yes };
  void say(SharedFrames frames, Counts counts, TimePoint now, std::uint64_t about = 0);

  /// What has to be sent before anything else, also when all that waits is given up: a frame's rest.
  [[nodiscard]] ByteView rest_of_begun() const { return outbox_.rest_of_begun(); }

  void on_writable(TimePoint now);

  /// What an acknowledgement covered of each source. A gap is no message, so what it stands for is in none of
  /// the stretches.
  struct Processed {
    std::uint64_t source;
    std::uint64_t last = 0;  ///< The furthest offset.
    std::vector<Stretch> received{};
    void add(Stretch more);
  };
  /// The same of what is sent and not acknowledged yet.
  [[nodiscard]] std::vector<Processed> unacknowledged_deliveries() const;
  /// Cumulative; what was acknowledged before is no error. Error: `protocol_violation` for what was never
  /// sent.
  [[nodiscard]] Result<std::vector<Processed>> on_ack(std::uint64_t seq, TimePoint now);

  /// Why it is to be cut, if it is. To be asked every `limits::kSweep` while `is_slow`.
  [[nodiscard]] std::optional<wire::hub::Reason> verdict(TimePoint now);
  /// Something waits, or is unacknowledged: worth a look by the sweep.
  [[nodiscard]] bool is_slow() const { return !outbox_.empty() || !unacknowledged_.empty() || overflowed_; }

  void limits_changed(TimePoint now);
  /// A conversation's messages are critical from now on, and must not overtake its own: what waits of it is
  /// dropped and told.
  void give_up(std::uint64_t source, TimePoint now);
  /// The client has left a conversation: what waits of it has expired.
  void forget(std::uint64_t source, TimePoint now);
  /// Gives up every normal message that waits; returns their bytes.
  Bytes shed(TimePoint now);

  /// Room for more of what may also wait elsewhere: a replay, or the next request of this client.
  [[nodiscard]] bool has_room() const { return outbox_.bytes() <= limits_.outbox.marks.low; }

  /// Room for a request of another user, which must not make this client late: nothing waits, or all of it
  /// stays under the high mark, and what is unacknowledged within the requests' share of the window.
  [[nodiscard]] bool has_room_for_request(Bytes size) const;
  /// Room for a reply of so many bytes, far below the hard limit.
  [[nodiscard]] bool has_room_for_reply(Bytes size) const;
  /// Nothing waits, and the socket takes what it is given.
  [[nodiscard]] bool is_idle() const { return outbox_.empty() && !outbox_.has_drops() && !blocked_; }

  [[nodiscard]] Bytes waiting() const { return outbox_.bytes(); }
  [[nodiscard]] Bytes unacknowledged() const { return unacknowledged_bytes_; }
  [[nodiscard]] bool writable() const { return outbox_.writable(); }
  /// Its socket takes no more for now, and will say when it does. What waits for acknowledgements alone is
  /// not blocked.
  [[nodiscard]] bool blocked() const { return blocked_; }
  /// The age of what has waited, or been unacknowledged, for longest.
  [[nodiscard]] Duration oldest(TimePoint now) const;
  [[nodiscard]] std::uint64_t pending_copies() const { return queued_copies_ + unacknowledged_copies_; }
  [[nodiscard]] std::uint64_t sent_seq() const { return sent_seq_; }
  [[nodiscard]] const ReceiverStats& stats() const { return stats_; }
  [[nodiscard]] const flow::OutboxStats& outbox_stats() const { return outbox_.stats(); }
  [[nodiscard]] wire::hub::Encoding encoding() const { return identity_.encoding; }
  [[nodiscard]] wire::hub::PressureSample sample(TimePoint now) const;

 private:
  /// Messages that were sent together, all of one source.
  struct Sent {
    std::uint64_t seq;  ///< Of the last one.
    std::uint64_t source;
    std::uint64_t last;
    std::uint64_t messages;
    Bytes bytes;
    TimePoint at;
  };

  void send(flow::OutboxItem item, TimePoint now);
  void push(flow::OutboxItem item, TimePoint now, std::size_t begun);
  void flush(TimePoint now);
  [[nodiscard]] bool tell_gaps(TimePoint now);
  [[nodiscard]] bool tell(const std::vector<flow::Drop>& drops, TimePoint now, std::uint64_t about = 0);
  void note_sent(const flow::Outbox::Sent& sent, TimePoint now);
  void note_dropped(std::uint64_t messages);
  void settle_account();
  [[nodiscard]] bool windowed() const { return identity_.acknowledges && limits_.window_enabled; }
  [[nodiscard]] Bytes allowance() const;

  Identity identity_;
  const ReceiverLimits& limits_;
  transport::MessageSocket& socket_;
  std::shared_ptr<flow::Account> account_;
  Books& books_;
  GapFrames gap_frames_;
  flow::Outbox outbox_;
  bool blocked_ = false;  ///< The socket took less than it was given.
  bool overflowed_ = false;
  bool would_be_cut_ = false;
  Bytes charged_;
  std::uint64_t queued_copies_ = 0;
  std::uint64_t sent_seq_ = 0;
  Fifo<Sent> unacknowledged_;
  Bytes unacknowledged_bytes_;
  std::uint64_t unacknowledged_copies_ = 0;
  ReceiverStats stats_;
};

}  // namespace sluice::hub
