#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/bytes.hpp"
#include "core/frames.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "flow/watermark.hpp"

namespace sluice::flow {

/// Critical messages are never dropped and never wait behind normal ones: who cannot take them is cut.
enum class Urgency : std::uint8_t { normal, critical };

/// Which normal message goes when there is no room.
enum class DropPolicy : std::uint8_t {
  newest,    ///< The one that comes.
  oldest,    ///< The ones that have waited longest, until there is room.
  conflate,  ///< The one that waits with the same key, always; without one, the oldest.
};

enum class DropReason : std::uint8_t { newest, oldest, conflated, shed };

/// Messages of one kind from one source, encoded, with consecutive offsets.
struct OutboxItem {
  SharedFrames frames{};
  Urgency urgency = Urgency::normal;
  DropPolicy policy = DropPolicy::newest;
  std::uint64_t source = 0;  ///< The owner's number for whose messages they are; named in a Drop.
  std::uint64_t first = 0;   ///< The first one's offset at its source.
  bool counted = false;      ///< The receiver acknowledges them.
  std::uint64_t about = 0;   ///< A source that is to be forgotten with it, where it is none of its messages.
  TimePoint begun{};         ///< When the first of them began its way, for whoever measures it.
  std::string key{};  ///< With `conflate`, which asks for one frame an item; empty: it replaces nothing.
};

/// Messages of one source that were dropped for one reason: all from `first` to `last`, unless there were so
/// many pieces (`limits::kExactDrops`) that some were put together; then `count` of them.
struct Drop {
  std::uint64_t source = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t count = 0;
  DropReason reason = DropReason::newest;

  bool operator==(const Drop&) const = default;
};

struct OutboxLimits {
  Watermarks marks{.low = limits::kOutboxLow, .high = limits::kOutboxHigh};
  bool drop_when_unwritable = true;  ///< Otherwise normal messages wait, up to `hard`.
  Bytes hard = limits::kOutboxHard;  ///< Of everything that waits; past it the receiver is to be cut.
};

struct OutboxStats {
  std::uint64_t pushed = 0;  ///< Messages.
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;
};

/// What one receiver is still to be sent while its link refuses: bounded, by class, in whole messages.
///
/// Sans-I/O, one shard. The owner writes `front` to the link, as much as the link takes, and tells `advance`.
/// Order: critical messages in their order, then normal ones in theirs; but a frame of which a part has gone
/// out is finished first. Invariants: bytes() is the sum of what waits; a critical message is never dropped;
/// a dropped one is in exactly one Drop. Overshoots the high mark by one item at the most, and never `hard`.
class Outbox {
 public:
  explicit Outbox(OutboxLimits limits = {});

  enum class Pushed : std::uint8_t {
    queued,    ///< Others may have been dropped for it.
    dropped,   ///< Not queued: see `take_drops`.
    overflow,  ///< Neither: there is no room for what may not be dropped. The receiver is to be cut.
  };
  /// `begun`: so many bytes of it are on the link already.
  Pushed push(OutboxItem item, TimePoint now, std::size_t begun = 0);

  [[nodiscard]] bool empty() const { return bytes_ == Bytes{}; }
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  /// False from the high mark on, until no more than the low mark waits.
  [[nodiscard]] bool writable() const { return mark_.is_open(); }
  /// When the oldest byte that waits was queued. One that is dropped leaves its age to what waits behind it:
  /// a link that takes nothing does not look younger for it.
  [[nodiscard]] std::optional<TimePoint> oldest() const;

  /// What is to go out next: one piece of memory, whole frames but for one that was begun. `counted` frames
  /// beyond the first are held back that would pass `allowance`; without any, only others go.
  [[nodiscard]] ByteView front(Bytes allowance) const;

  /// What is still to come of a frame that was begun: it must go out whatever else does.
  [[nodiscard]] ByteView rest_of_begun() const;

  /// What an `advance` finished.
  struct Sent {
    std::uint64_t messages = 0;  ///< All of one source.
    std::uint64_t counted = 0;   ///< Of them.
    Bytes counted_bytes{};
    std::uint64_t source = 0;
    std::uint64_t last = 0;  ///< The last one's offset.
    Urgency urgency = Urgency::normal;
    TimePoint begun{};  ///< As of the item.
  };
  /// The link took so many bytes of what `front` returned.
  Sent advance(std::size_t bytes, TimePoint now);

  /// Drops every normal message that has not been begun; the process is out of memory. Returns its bytes.
  Bytes shed(TimePoint now);

  /// A source's messages are critical from now on: those that wait would be overtaken by the next. They are
  /// dropped, but for one that was begun. Returns all drops of the source that are to be told, in order.
  [[nodiscard]] std::vector<Drop> give_up(std::uint64_t source, TimePoint now);

  /// Nobody wants a source's messages any more: those that have not been begun go, untold, and so do its
  /// drops and what is about it. Returns how many messages of its own went.
  std::uint64_t forget(std::uint64_t source, TimePoint now);

  [[nodiscard]] bool has_drops() const { return !drops_.empty(); }
  /// All of them; of each source in order.
  [[nodiscard]] std::vector<Drop> take_drops();
  /// Those that are to be told before what `front` returns goes out, so that a receiver hears of a source in
  /// the order of its offsets: holes before a normal message that has not been begun.
  [[nodiscard]] std::vector<Drop> take_drops_before_next();

  [[nodiscard]] std::uint64_t waiting() const { return waiting_; }  ///< Messages, those begun included.
  [[nodiscard]] const OutboxStats& stats() const { return stats_; }
  [[nodiscard]] WatermarkStats mark(TimePoint now) const { return mark_.stats(now); }
  void set_limits(OutboxLimits limits, TimePoint now);

 private:
  struct Entry {
    OutboxItem item;
    TimePoint queued;
    std::size_t frame = 0;  ///< The first that is not on the link as a whole.
    std::size_t end = 0;    ///< Behind the last that is to go out.
    std::size_t begun = 0;  ///< Bytes of the first that are on the link.

    [[nodiscard]] std::size_t bytes_of(std::size_t from, std::size_t to) const;
    [[nodiscard]] std::size_t bytes() const { return bytes_of(frame, end) - begun; }
    [[nodiscard]] std::size_t messages() const { return end - frame; }
  };
  /// A list: what waits with a key is found by its place.
  using Queue = std::list<Entry>;

  [[nodiscard]] const Queue& turn() const;
  struct Times {
    TimePoint queued;  ///< What its age is counted from.
    TimePoint now;
  };
  void enqueue(OutboxItem item, Times times, std::size_t begun);
  [[nodiscard]] std::optional<TimePoint> age_of_normal() const;
  void inherit(std::optional<TimePoint> age);
  void make_room(Bytes needed, TimePoint now);
  void drop_unbegun(Queue::iterator entry, DropReason reason, TimePoint now);
  template <typename Which>
  [[nodiscard]] std::vector<Drop> take_drops_if(Which which);
  void take_off(Queue& queue, Queue::iterator entry, std::size_t from, TimePoint now);
  void drop(Queue::iterator entry, std::size_t from, DropReason reason, TimePoint now);
  void note(const OutboxItem& item, std::size_t from, std::size_t to, DropReason reason);
  void erase(Queue& queue, Queue::iterator entry);

  OutboxLimits limits_;
  Watermark mark_;
  Queue critical_;
  Queue normal_;
  Bytes bytes_;
  std::uint64_t waiting_ = 0;
  std::unordered_map<std::string, Queue::iterator> keyed_;  ///< By source and key.
  std::vector<Drop> drops_;
  OutboxStats stats_;
};

}  // namespace sluice::flow
