#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/bytes.hpp"
#include "core/error.hpp"

/// What a client says to a hub about mailboxes and hears from it, as plain values; docs/wire/mailbox.md is
/// the normative page. Encoding and decoding are pure.
namespace sluice::client {

/// Which of a mailbox's successive visitors is meant.
using VisitId = std::uint64_t;

// --- to the hub ---

/// Open a mailbox as its host: a numbered one, or the one of that name (32 lower-case hexadecimal digits).
struct Open {
  std::optional<std::string> name;
};
/// Take the second place of a mailbox, by its number or name.
struct Join {
  std::string mailbox;
};
/// Bytes for the other place; the host names the visitor that it means.
struct Relay {
  ByteView body;
  std::optional<VisitId> visit;
};
/// The host is done with that visitor.
struct Release {
  VisitId visit;
};
/// The mailbox's code is burnt.
struct Burn {};
struct Ping {};
using Request = std::variant<Open, Join, Relay, Release, Burn, Ping>;

[[nodiscard]] std::string encode(const Request& request);

// --- from the hub ---

struct Opened {
  std::string mailbox;
  std::optional<std::chrono::seconds> expires_in;  ///< Absent: as long as the host stays.
};
struct Joined {};
struct PeerJoined {
  VisitId visit = 0;
};
/// The other place is empty again; `reason` is one of the hub's words.
struct PeerLeft {
  std::string reason;
};
struct Delivered {
  ByteBuffer body;
};
/// The mailbox, or the visitor's time in it, has run out.
struct Expired {};
struct Pong {};
/// The hub says no. `error` has the code that fits best and the hub's sentence.
struct Refused {
  enum class Why : std::uint8_t {
    not_found,
    busy,
    limit_exceeded,
    malformed,
    too_many_tries,
    burnt,
    expired,
    other
  };
  Why why = Why::other;
  Error error;
  std::optional<std::chrono::milliseconds> retry_after;
};
/// Something that a later hub says; to be ignored.
struct Unknown {};
using Reply = std::variant<Opened, Joined, PeerJoined, PeerLeft, Delivered, Expired, Pong, Refused, Unknown>;

/// Never throws, whatever the hub sends. Errors: `malformed`, `limit_exceeded`. Sentences of the hub's are
/// cut to `limits::kMaxFailureText`; its times are between nothing and `limits::kLongestHubTime`, another
/// figure is malformed.
[[nodiscard]] Result<Reply> decode_reply(std::string_view text);

}  // namespace sluice::client
