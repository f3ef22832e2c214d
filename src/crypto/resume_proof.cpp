#include "crypto/resume_proof.hpp"

#include <array>
#include <charconv>
#include <chrono>

#include <sodium.h>

#include "core/admission_limits.hpp"
#include "core/hub_limits.hpp"
#include "crypto/encoding.hpp"
#include "crypto/sodium.hpp"

namespace sluice::crypto {
namespace {

constexpr std::size_t kTagDigits = std::size_t{2} * crypto_auth_hmacsha256_BYTES;

}  // namespace

std::uint64_t resume_window(std::int64_t unix_ms) {
  const auto window = std::chrono::milliseconds{limits::kResumeProofWindow}.count();
  return unix_ms < 0 ? 0 : static_cast<std::uint64_t>(unix_ms / window);
}

std::string resume_tag(std::string_view key, std::string_view session, std::uint64_t window) {
  start_sodium();
  std::string message = "sluice/1 resume\n";
  message.append(session).append(1, '\n').append(std::to_string(window));
  crypto_auth_hmacsha256_state state;
  std::array<std::byte, crypto_auth_hmacsha256_BYTES> tag{};
  crypto_auth_hmacsha256_init(&state, raw(as_bytes(key)), key.size());
  crypto_auth_hmacsha256_update(&state, raw(as_bytes(message)), message.size());
  crypto_auth_hmacsha256_final(&state, raw(ByteSpan{tag}));
  sodium_memzero(&state, sizeof state);
  return to_hex(tag);
}

std::optional<std::string> prove_resume(std::string_view session_token, std::int64_t unix_ms) {
  const auto first = session_token.find('.');
  const auto last = session_token.rfind('.');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const std::string_view session = session_token.substr(0, first);
  const std::uint64_t window = resume_window(unix_ms);
  std::string proof{session};
  proof.append(1, '.').append(std::to_string(window));
  return proof.append(1, '.').append(resume_tag(session_token.substr(last + 1), session, window));
}

std::optional<ResumeProof> parse_resume_proof(std::string_view text) {
  const auto first = text.find('.');
  const auto last = text.rfind('.');
  if (first == std::string_view::npos || first == last || first == 0) return std::nullopt;
  ResumeProof proof{.session = std::string{text.substr(0, first)}, .tag = std::string{text.substr(last + 1)}};
  if (proof.session.size() > limits::kMaxName.count() || proof.tag.size() != kTagDigits) return std::nullopt;
  const std::string_view window = text.substr(first + 1, last - first - 1);
  const auto [end, error] = std::from_chars(window.data(), window.data() + window.size(), proof.window);
  if (error != std::errc{} || end != window.data() + window.size()) return std::nullopt;
  return proof;
}

}  // namespace sluice::crypto
