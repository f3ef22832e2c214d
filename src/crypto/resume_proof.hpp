#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

/// The proof that a client holds the token of a session, for a place where the token itself must not stand: a
/// URL, and so a proxy's log (docs/wire/hub.md).
namespace sluice::crypto {

/// The time window that a wall clock is in, in milliseconds since 1970.
[[nodiscard]] std::uint64_t resume_window(std::int64_t unix_ms);

/// `SESSION.WINDOW.TAG`. Nothing for a token that has no key in it, as those of older hubs have none.
[[nodiscard]] std::optional<std::string> prove_resume(std::string_view session_token, std::int64_t unix_ms);

/// A proof taken apart; its tag has not been checked.
struct ResumeProof {
  std::string session;
  std::uint64_t window = 0;
  std::string tag;
};
[[nodiscard]] std::optional<ResumeProof> parse_resume_proof(std::string_view text);

/// HMAC-SHA-256 (RFC 2104) with the key's characters over `sluice/1 resume`, the session and the window in
/// decimal, each on a line of its own, in lower-case hexadecimal.
[[nodiscard]] std::string resume_tag(std::string_view key, std::string_view session, std::uint64_t window);

}  // namespace sluice::crypto
