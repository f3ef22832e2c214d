#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace sluice {

/// What kind of thing went wrong: what a caller branches on, and what metrics and `--json` events name.
enum class Errc : std::uint8_t {
  invalid_argument,    ///< The user or a caller asked for something that makes no sense.
  malformed,           ///< Bytes from outside do not decode.
  protocol_violation,  ///< They decode, but the peer may not say this now.
  limit_exceeded,      ///< A named bound would be passed.
  cancelled,           ///< The owner ended it.
  timed_out,           ///< A bounded wait ran out.
  stalled,             ///< A link took nothing for longer than the safety limit.
  closed,              ///< The other side ended it in good order.
  link_lost,           ///< The other side is gone without a word.
  refused,             ///< The other side said no.
  not_found,           ///< No such mailbox, target, file or host name.
  busy,                ///< It exists, but somebody else has it for now.
  wrong_code,          ///< Key confirmation failed: another code or key, or a hub that meddles.
  unreachable,         ///< Nobody answers there, or no path between the peers.
  permission_denied,   ///< The system, or a policy of ours, forbids it.
  address_in_use,      ///< The local port is taken.
  io,                  ///< The system failed at reading or writing.
  unsupported,         ///< Known, but not by this version or this kernel.
};

/// The enumerator's own name, for events, metrics and logs; stable.
[[nodiscard]] std::string_view name_of(Errc code);

/// Why something could not be done: a code to branch on, a sentence for a person that says what happened, to
/// what, and where it helps what to do next, and the error beneath it.
struct Error {
  Errc code;
  std::string message;
  std::shared_ptr<const Error> cause{};

  /// This error as the cause of one that says more about what was being done.
  [[nodiscard]] Error as_cause_of(Errc outer, std::string sentence) &&;
};

/// The message, then those of the causes, each after ": ".
[[nodiscard]] std::string describe(const Error& error);

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

/// Shortens `return std::unexpected(Error{...})`.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace sluice
