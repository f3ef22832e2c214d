#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "wire/hub/message.hpp"

/// What goes into the store and what comes out. docs/store.md tells what it promises.
namespace sluice::hub::store {

using wire::hub::Conversation;
using wire::hub::Position;
using wire::hub::UnixMs;

/// Of a Delivery it keeps who sent what to whom, where, when, and whether it is critical; that it belongs to
/// a request, or was sent before, it does not.
struct StoredMessage {
  wire::hub::Delivery delivery;
  UnixMs expires_at = 0;  ///< By `Store::time`; 0: as long as the store keeps any.
};

/// By what a message is known when it comes a second time, after a restart as well: hashes that the caller
/// makes, of which those of senders and conversations are 64 bits long.
struct IdPrint {
  std::array<std::byte, 16> message{};  ///< Of its conversation, sender and id.
  std::uint64_t sender = 0;
  std::uint64_t conversation = 0;
  bool operator==(const IdPrint&) const = default;
};
struct StoredId {
  IdPrint print{};
  Position position{};
  bool operator==(const StoredId&) const = default;
};
/// What the runs before have stored.
struct RememberedId {
  StoredId id{};
  std::chrono::milliseconds age{};  ///< When the last run ended: a stop does not count.
};

/// A message that asks to be stored. Whoever numbers the conversation numbered it, behind its head.
struct Append {
  std::uint32_t shard = 0;   ///< Who is told of the outcome.
  std::uint64_t ticket = 0;  ///< What it is told.
  std::shared_ptr<const wire::hub::Delivery> message;
  UnixMs expires_at = 0;           ///< By `Store::time`; 0: never.
  std::optional<IdPrint> print{};  ///< Nothing: no run after this has to know its second copy.
};

/// What became of an append: on the disk for good, or why not.
struct Completion {
  std::uint64_t ticket;
  Status outcome;
};

/// How far one device of a user's has come in their inbox; an empty name: clients that give none.
struct Mark {
  Conversation conversation{};
  Position position{};
  std::string device{};
};

/// How long a conversation's messages are kept; the first bound that is passed decides, the oldest go.
struct Retention {
  std::chrono::milliseconds age;  ///< Since they were stored. Decided when the message comes.
  std::uint64_t count;
  Bytes bytes;
};
using RetentionOf = std::function<Retention(const Conversation&)>;

/// A stretch of a conversation: behind `after`, up to `last`.
struct Span {
  Position after{};
  Position last{.epoch = UINT64_MAX, .offset = UINT64_MAX};
};
struct PageLimits {
  std::size_t messages;
  Bytes bytes;  ///< One message comes whatever its size.
};
struct Page {
  std::vector<StoredMessage> messages{};  ///< In order. Offsets that are missing between them are gone.
  std::vector<Position> damaged{};        ///< Of those that are missing: what there is of them is no message.
  Position first{};   ///< The oldest that the conversation still has; none: behind the last ever.
  bool more = false;  ///< The stretch goes on behind them.
};

/// Why a message is not in the store any more.
enum class Removal : std::uint8_t {
  acknowledged,  ///< Its user has it.
  expired,       ///< Its own time, or its conversation's age.
  trimmed,       ///< Its conversation's count or bytes.
  evicted,       ///< The store's own bound.
  damaged,       ///< It belongs to no conversation: the disk gave back something else. Counted under `all`.
};
inline constexpr std::size_t kRemovals = 5;
inline constexpr std::size_t kConversationKinds = 3;
/// By kind of conversation, then by reason.
using Removed = std::array<std::array<std::uint64_t, kRemovals>, kConversationKinds>;

/// Since the store was opened. Invariants: appended = committed + failed + waiting;
/// rows at open + committed = rows + removed.
struct Books {
  std::uint64_t appended = 0;        ///< Taken into the queue.
  std::uint64_t refused_full = 0;    ///< Not taken: as much waited as may.
  std::uint64_t refused_broken = 0;  ///< Not taken: the store had just failed.
  std::uint64_t committed = 0;
  std::uint64_t failed = 0;
  std::uint64_t waiting = 0;
  std::uint64_t commits = 0;
  std::uint64_t acknowledgements = 0;          ///< Inboxes whose mark was moved.
  std::uint64_t acknowledgements_dropped = 0;  ///< Too many waited: their messages stay for longer.
  std::uint64_t forgotten = 0;                 ///< Conversations.
  std::uint64_t damaged = 0;                   ///< Times that a row was met which is not as it was written.
  std::uint64_t rows_at_open = 0;
  std::uint64_t rows = 0;
  Removed removed{};

  [[nodiscard]] std::uint64_t removed_for(Removal why) const;
  [[nodiscard]] bool balanced() const;
};

struct Health {
  std::optional<Error> failing{};  ///< Why the last attempt to write failed; nothing: it did not.
  std::uint32_t failures = 0;      ///< Since the last commit that stored something.
};

}  // namespace sluice::hub::store
