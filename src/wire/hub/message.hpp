#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"

/// What a hub and its clients say to each other, as plain values. docs/wire/hub.md is the normative page and
/// proto/sluice/v1/envelope.proto the schema; `codec.hpp` turns them into bytes and back.
///
/// Pure. Texts are UTF-8 and bounded once they are decoded (`codec.hpp` tells by what).
namespace sluice::wire::hub {

/// Why something was refused, dropped, or ended. Values are on the wire: never renumber. One that this side
/// does not know is kept as it is, from 0 to 254; it has the name "unknown".
enum class Reason : std::uint8_t {
  none = 0,
  malformed = 1,
  protocol_violation = 2,
  too_large = 3,
  unsupported = 4,
  unauthenticated = 10,
  token_invalid = 11,
  token_expired = 12,
  forbidden = 13,
  not_member = 14,
  session_unknown = 15,
  rate_limited = 20,
  overloaded = 21,
  too_many_connections = 22,
  too_many_groups = 23,
  too_many_requests = 24,
  store_full = 25,
  store_failed = 26,
  not_stored = 27,
  offline = 30,
  timed_out = 31,
  dropped_newest = 40,
  dropped_oldest = 41,
  conflated = 42,
  shed = 43,
  expired = 44,
  history_changed = 45,
  damaged = 46,
  slow_consumer = 50,
  unacknowledged = 51,
  heartbeat_missed = 52,
  kicked = 53,
  shutting_down = 54,
  closed_by_client = 55,
  connection_lost = 56,
  superseded = 57,
};

/// What is read for a reason that cannot be kept: one past 254, or a name in JSON that this side does not
/// know.
inline constexpr Reason kUnknownReason{255};

/// The enumerator's own name, for logs, metrics and people; stable.
[[nodiscard]] std::string_view name_of(Reason reason);

/// How far a message has come; each includes the ones before it.
enum class Level : std::uint8_t { accepted = 0, stored = 1, delivered = 2 };
[[nodiscard]] std::string_view name_of(Level level);

/// What may name a user or a group: 1 to `limits::kMaxName` bytes of UTF-8 without control characters (C0,
/// DEL, C1).
[[nodiscard]] bool is_name(std::string_view text);
/// What may be the id of a message or a request: the same with `limits::kMaxId`.
[[nodiscard]] bool is_id(std::string_view text);
/// The same with another bound, and it may be empty.
[[nodiscard]] bool is_label(std::string_view text, Bytes most);

/// Whose messages: one user's inbox, a group, or everyone.
struct Conversation {
  enum class Kind : std::uint8_t { user, group, all };
  Kind kind = Kind::all;
  std::string name{};  ///< Of the user or the group.

  auto operator<=>(const Conversation&) const = default;
};

/// A place in a conversation's log; both at most `limits::kMaxPosition`. Offsets go on from epoch to epoch;
/// each start of a hub begins a new one, since one that was killed may have numbered messages that it had not
/// stored.
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t offset = 0;

  auto operator<=>(const Position&) const = default;
};

struct PositionIn {
  Conversation conversation{};
  Position position{};

  bool operator==(const PositionIn&) const = default;
};

/// What a message carries, and how its sender gave it: a text is UTF-8, and stays readable in JSON.
struct Content {
  enum class Kind : std::uint8_t { data, text };
  Kind kind = Kind::data;
  std::string bytes{};

  bool operator==(const Content&) const = default;
};

/// Milliseconds since 1970, UTC.
using UnixMs = std::int64_t;

// --- the session ---

struct Resume {
  std::string session_token{};
  std::vector<PositionIn> positions{};  ///< The last that was processed of each conversation.

  bool operator==(const Resume&) const = default;
};

struct Hello {
  std::string token{};  ///< A JWT; empty at an open hub.
  std::string user{};   ///< At an open hub only.
  std::optional<Resume> resume{};
  bool acknowledges = false;
  std::string agent{};
  std::string device{};  ///< Empty: none of its own.

  bool operator==(const Hello&) const = default;
};

struct PressureSample {
  UnixMs at = 0;
  Bytes waiting{};
  Bytes unacknowledged{};
  std::uint32_t oldest_ms = 0;
  bool writable = true;

  bool operator==(const PressureSample&) const = default;
};

/// How a session's last connection ended: a cut by RST carries no words, this does.
struct Ended {
  Reason reason = Reason::none;
  UnixMs at = 0;
  Bytes waiting{};
  std::uint32_t oldest_ms = 0;
  std::vector<PressureSample> history{};

  bool operator==(const Ended&) const = default;
};

struct Limits {
  Bytes max_message{};
  Bytes window{};
  std::uint32_t max_groups = 0;
  std::uint32_t messages_per_second = 0;
  Bytes bytes_per_second{};
  std::uint32_t message_burst = 0;  ///< At once, after a pause.
  Bytes byte_burst{};
  std::uint32_t max_unanswered = 0;   ///< Publishes without an answer, before nothing more is read.
  std::uint32_t max_connections = 0;  ///< Of the user.

  bool operator==(const Limits&) const = default;
};

struct Welcome {
  std::string user{};
  std::string session{};
  std::string session_token{};
  std::uint64_t epoch = 0;
  bool resumed = false;
  Limits limits{};
  std::uint32_t heartbeat_interval_ms = 0;
  std::optional<Ended> previous{};
  Position inbox{};

  bool operator==(const Welcome&) const = default;
};

struct Refresh {
  std::string token{};
  bool operator==(const Refresh&) const = default;
};
struct Refreshed {
  UnixMs expires_at = 0;
  std::optional<Limits> limits{};  ///< When they are others than before.
  bool operator==(const Refreshed&) const = default;
};

/// Cumulative. From a client: the first `seq` of all Deliveries and Gaps of this connection are processed.
/// From the hub: every Publish up to this one is accepted, or was answered with a Receipt.
struct Ack {
  std::uint64_t seq = 0;
  bool operator==(const Ack&) const = default;
};
struct Ping {
  std::uint64_t nonce = 0;
  bool operator==(const Ping&) const = default;
};
struct Pong {
  std::uint64_t nonce = 0;
  bool operator==(const Pong&) const = default;
};

struct Refusal {  ///< The schema's Error.
  Reason reason = Reason::none;
  std::string message{};
  std::uint32_t retry_after_ms = 0;
  std::uint64_t seq = 0;
  std::string group{};

  bool operator==(const Refusal&) const = default;
};
struct Kick {
  Reason reason = Reason::none;
  std::string message{};
  std::uint32_t retry_after_ms = 0;

  bool operator==(const Kick&) const = default;
};

// --- messages ---

struct Publish {
  std::uint64_t seq = 0;
  std::string id{};
  Conversation to{};
  Content content{};
  Level level = Level::accepted;
  std::string key{};
  std::uint32_t ttl_ms = 0;

  bool operator==(const Publish&) const = default;
};

struct Receipt {
  std::uint64_t seq = 0;
  std::string id{};
  Level level = Level::accepted;
  Reason reason = Reason::none;
  std::string message{};
  std::uint32_t retry_after_ms = 0;
  Position position{};
  bool duplicate = false;

  bool operator==(const Receipt&) const = default;
};

struct Delivery {
  std::string from{};
  Conversation to{};
  std::string id{};
  Position position{};
  UnixMs sent_at = 0;
  Content content{};
  std::string key{};
  bool critical = false;
  bool replayed = false;
  std::string request{};
  std::uint32_t timeout_ms = 0;

  bool operator==(const Delivery&) const = default;
};

struct Gap {
  Conversation conversation{};
  std::uint64_t epoch = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t count = 0;
  Reason reason = Reason::none;
  bool gone = false;
  /// With `history_changed`, unless it answers a Pull: what comes next is what is behind this position.
  std::optional<Position> from{};

  bool operator==(const Gap&) const = default;
};

struct Join {
  std::string group{};
  std::optional<Position> from{};
  bool presence = false;

  bool operator==(const Join&) const = default;
};
struct Joined {
  std::string group{};
  Position position{};
  std::uint32_t members = 0;

  bool operator==(const Joined&) const = default;
};
struct Leave {
  std::string group{};
  bool operator==(const Leave&) const = default;
};
struct Left {
  std::string group{};
  Reason reason = Reason::none;

  bool operator==(const Left&) const = default;
};

struct Pull {
  Conversation conversation{};
  std::uint64_t epoch = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;  ///< 0: as many as there are.

  bool operator==(const Pull&) const = default;
};
struct Pulled {
  Conversation conversation{};
  Position last{};
  bool more = false;

  bool operator==(const Pulled&) const = default;
};

struct Who {
  std::string group{};
  bool operator==(const Who&) const = default;
};
struct Members {
  std::string group{};
  std::vector<std::string> users{};
  bool more = false;

  bool operator==(const Members&) const = default;
};
struct Presence {
  std::string group{};
  std::string user{};
  bool online = false;

  bool operator==(const Presence&) const = default;
};

// --- requests ---

struct Request {
  std::uint64_t seq = 0;
  std::string id{};
  std::string user{};
  Content content{};
  std::uint32_t timeout_ms = 0;

  bool operator==(const Request&) const = default;
};
struct Reply {
  std::string request{};
  Content content{};
  Reason reason = Reason::none;
  std::string message{};
  std::uint32_t retry_after_ms = 0;

  bool operator==(const Reply&) const = default;
};

using FromClient =
    std::variant<Hello, Publish, Request, Reply, Join, Leave, Pull, Who, Refresh, Ack, Ping, Pong>;
using FromHub = std::variant<Welcome, Delivery, Receipt, Gap, Joined, Left, Pulled, Members, Presence,
                             Refreshed, Refusal, Kick, Ack, Ping, Pong, Reply>;

}  // namespace sluice::wire::hub
