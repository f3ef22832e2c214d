#include "api/admin_token.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include "core/hub_limits.hpp"
#include "core/secret_file.hpp"
#include "crypto/keyed_hash.hpp"

namespace sluice::api {
namespace {

namespace fs = std::filesystem;

crypto::Secret<32> hash_of(std::string_view token) {
  crypto::KeyedHash hash{"sluice/1 admin token"};
  hash.add(as_bytes(token));
  return hash.key();
}

std::unexpected<Error> refused(const fs::path& file, Errc code, std::string_view why) {
  return fail(code, fmt::format("Cannot use the admin token in {}: {}.", file.string(), why));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

bool is_printable(char c) {
  return c > ' ' && c <= '~';
}

}  // namespace

Result<std::string> read_admin_token(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (error == std::errc::permission_denied)
    return refused(file, Errc::permission_denied, "permission denied");
  if (!fs::exists(status)) return refused(file, Errc::not_found, "there is no such file");
  if (!fs::is_regular_file(status)) return refused(file, Errc::invalid_argument, "it is not a file");
  if (auto secret = check_secret_file(file, "The token"); !secret) return fail(std::move(secret.error()));
  std::ifstream in{file, std::ios::binary};
  if (!in) return refused(file, Errc::permission_denied, "it cannot be opened");
  std::string text(limits::kMaxToken.count() + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  const std::string_view token = trimmed(std::string_view{text}.substr(0, text.find('\n')));
  if (size_of(as_bytes(token)) < limits::kMinAdminToken || size_of(as_bytes(token)) > limits::kMaxToken ||
      !std::ranges::all_of(token, is_printable)) {
    return refused(file, Errc::invalid_argument,
                   fmt::format("its first line is to have {} to {} printable characters, and no space",
                               limits::kMinAdminToken.count(), limits::kMaxToken.count()));
  }
  return std::string{token};
}

AdminToken::AdminToken(std::string_view token) : hash_(hash_of(token)) {}

bool AdminToken::is_shown_by(std::string_view authorization) const {
  constexpr std::string_view kScheme = "bearer ";
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (authorization.size() < kScheme.size() ||
      !std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, {}, lower))
    return false;
  return hash_of(trimmed(authorization.substr(kScheme.size()))) == hash_;
}

}  // namespace sluice::api
