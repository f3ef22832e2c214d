#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// What client and hub say to each other about mailboxes, as plain values: docs/wire/mailbox.md is the
/// normative page.
namespace sluice::hub {

/// Which of a mailbox's successive visitors is meant. Counts through the hub's life, so that a host's word
/// about a visitor who has just left never reaches the next one.
using Introduction = std::uint64_t;

// --- client to hub
// --------------------------------------------------------------------------------------------------

/// Open a mailbox and take its first place: a numbered one, or the one of that name (32 hexadecimal digits).
struct Open {
  std::optional<std::string> name{};
};
/// Take the second place of an open mailbox.
struct Join {
  std::string mailbox;
};
/// To the other place. The body is opaque base64.
struct Relay {
  std::string body;
  std::optional<Introduction> introduction{};  ///< From a host: only to this visitor.
};
/// From the host: the visitor is done with, the second place is free again.
struct Release {
  std::optional<Introduction> introduction{};
};
/// From the host: this mailbox's code is burnt.
struct Burn {};
struct Ping {};

using Request = std::variant<Open, Join, Relay, Release, Burn, Ping>;

// --- hub to client
// --------------------------------------------------------------------------------------------------

struct Opened {
  std::string mailbox;
  std::optional<std::chrono::seconds>
      expires_in{};  ///< Absent for a named mailbox: as long as its host stays.
};
struct Joined {};
struct PeerJoined {
  Introduction introduction;
};

/// Why the other place is empty again.
enum class LeaveReason : std::uint8_t {
  left,            ///< It closed its connection.
  lost,            ///< Its connection broke, or it fell silent.
  released,        ///< The host is done with the visitor.
  timed_out,       ///< The introduction took too long.
  limit_exceeded,  ///< The introduction had too many messages or bytes.
  too_slow,        ///< It did not read what was sent to it.
};
struct PeerLeft {
  LeaveReason reason;
};

struct Delivered {
  std::string body;
};
/// The mailbox, or the visitor's time in it, has run out.
struct Expired {};
struct Pong {};

/// What a client branches on when the hub says no.
enum class RefusalCode : std::uint8_t {
  not_found,
  busy,
  limit_exceeded,
  malformed,
  too_many_tries,
  burnt,
  expired,
};
struct Refusal {
  RefusalCode code;
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after{};
};

using Reply = std::variant<Opened, Joined, PeerJoined, PeerLeft, Delivered, Expired, Pong, Refusal>;

/// The names on the wire; stable.
[[nodiscard]] std::string_view name_of(LeaveReason reason);
[[nodiscard]] std::string_view name_of(RefusalCode code);

}  // namespace sluice::hub
