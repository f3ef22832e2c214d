#include "hub/auth/key_set.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <ios>
#include <string>
#include <system_error>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include "core/hub_limits.hpp"
#include "core/secret_file.hpp"
#include "hub/auth/base64url.hpp"
#include "hub/auth/json_object.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::auth {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kSecret = "The secret of tokens";

/// A text that may be a secret: wiped when it goes.
class WipedText {
 public:
  explicit WipedText(std::string text) : text_(std::move(text)) {}
  WipedText(const WipedText&) = delete;
  WipedText& operator=(const WipedText&) = delete;
  ~WipedText() { OPENSSL_cleanse(text_.data(), text_.size()); }
  [[nodiscard]] std::string_view view() const { return text_; }

 private:
  std::string text_;
};

std::unexpected<Error> refused(const KeyFile& file, Errc code, std::string_view why) {
  return fail(code, fmt::format("Cannot use the key file {}: {}.", file.path.string(), why));
}

Errc code_of(const std::error_code& error) {
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory)
    return Errc::not_found;
  return error == std::errc::permission_denied ? Errc::permission_denied : Errc::io;
}

Result<std::string> read(const KeyFile& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file.path, error);
  if (!fs::exists(status) && !error) error = std::make_error_code(std::errc::no_such_file_or_directory);
  if (error) return refused(file, code_of(error), error.message());
  if (!fs::is_regular_file(status)) return refused(file, Errc::malformed, "it is not a file");
  if (file.algorithm == Algorithm::hs256) {
    if (auto secret = check_secret_file(file.path, kSecret); !secret) return fail(secret.error());
  }
  std::ifstream in{file.path, std::ios::binary};
  if (!in) return refused(file, Errc::permission_denied, "it cannot be opened");
  std::string text(limits::kMaxKeyFileText.count() + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return refused(file, Errc::io, "it cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (Bytes{text.size()} > limits::kMaxKeyFileText)
    return refused(file, Errc::malformed, "it is far too long");
  return text;
}

std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// RFC 7517 §4.2, §4.3: what a key may be used for, if it says so.
bool is_for_signatures(const json::object& jwk) {
  if (jwk.contains("use") && text_of(jwk, "use") != "sig") return false;
  const auto* const operations = jwk.if_contains("key_ops");
  if (operations == nullptr) return true;
  const auto* const list = operations->if_array();
  return list != nullptr &&
         std::ranges::any_of(*list, [](const json::value& name) { return name == "verify"; });
}

/// What the key is for, by its type (RFC 7518 §6.1) and what it says; nothing: not ours.
std::optional<Algorithm> algorithm_of(const json::object& jwk) {
  std::optional<Algorithm> fits;
  const auto type = text_of(jwk, "kty");
  if (type == "oct") fits = Algorithm::hs256;
  if (type == "RSA") fits = Algorithm::rs256;
  if (type == "EC" && text_of(jwk, "crv") == "P-256") fits = Algorithm::es256;
  if (!fits || !jwk.contains("alg")) return fits;
  return text_of(jwk, "alg") == name_of(*fits) ? fits : std::nullopt;
}

std::string bytes_of(const json::object& jwk, std::string_view member) {
  const auto text = text_of(jwk, member);
  return (text ? from_base64url(*text) : std::nullopt).value_or(std::string{});
}

Result<Key> key_of(const json::object& jwk, Algorithm algorithm) {
  const auto id = text_of(jwk, "kid").value_or("");
  if (jwk.contains("kid") && !wire::hub::is_name(id)) {
    return fail(Errc::malformed, "a `kid` is a text of 1 to " + std::to_string(limits::kMaxName.count()) +
                                     " bytes without control characters");
  }
  if (algorithm == Algorithm::hs256) {
    const WipedText secret{bytes_of(jwk, "k")};
    return Key::of_secret(std::string{id}, secret.view());
  }
  if (jwk.contains("d")) {
    return fail(Errc::invalid_argument, "it has a private key, which is the issuer's alone");
  }
  if (algorithm == Algorithm::rs256) {
    const std::string modulus = bytes_of(jwk, "n");
    const std::string exponent = bytes_of(jwk, "e");
    return Key::of_rsa(std::string{id}, {.modulus = modulus, .exponent = exponent});
  }
  const std::string x = bytes_of(jwk, "x");
  const std::string y = bytes_of(jwk, "y");
  return Key::of_point(std::string{id}, {.x = x, .y = y});
}

}  // namespace

Status KeySet::add(Key key, std::string issuer) {
  if (keys_.size() >= limits::kMaxKeys) {
    return fail(Errc::limit_exceeded, fmt::format("there are more than {} keys", limits::kMaxKeys));
  }
  const bool is_there = std::ranges::any_of(keys_, [&](const Bound& other) {
    return !key.id().empty() && other.key.id() == key.id() && other.key.algorithm() == key.algorithm() &&
           other.issuer == issuer;
  });
  if (is_there) {
    return fail(Errc::invalid_argument, fmt::format("there are two keys for {} with the id '{}'",
                                                    name_of(key.algorithm()), key.id()));
  }
  keys_.push_back({.key = std::move(key), .issuer = std::move(issuer)});
  return {};
}

Result<std::size_t> KeySet::add_jwks(std::string_view text, const std::string& issuer) {
  const auto set = parse_object(text);
  const auto* const member = set ? set->if_contains("keys") : nullptr;
  const auto* const list = member == nullptr ? nullptr : member->if_array();
  if (list == nullptr) return fail(Errc::malformed, "it is no JWK set, which is a JSON object with `keys`");
  std::size_t added = 0;
  for (const json::value& item : *list) {
    const auto* const jwk = item.if_object();
    if (jwk == nullptr) return fail(Errc::malformed, "something in its `keys` is no object");
    const auto algorithm = algorithm_of(*jwk);
    if (!algorithm || !is_for_signatures(*jwk)) continue;
    auto key = key_of(*jwk, *algorithm);
    if (!key) return fail(key.error());
    if (auto status = add(std::move(*key), issuer); !status) return fail(status.error());
    ++added;
  }
  return added;
}

Status KeySet::add_file(const KeyFile& file) {
  auto content = read(file);
  if (!content) return fail(content.error());
  const WipedText text{std::move(*content)};
  Status status;
  const std::size_t before = keys_.size();
  if (!file.algorithm) {
    const auto added = add_jwks(text.view(), file.issuer);
    if (!added) {
      status = fail(added.error());
    } else if (*added == 0) {
      status = fail(Errc::invalid_argument, "none of its keys is for HS256, RS256 or ES256");
    } else if (has_secret_from(before)) {
      if (auto secret = check_secret_file(file.path, kSecret); !secret) return fail(secret.error());
    }
  } else {
    auto key = file.algorithm == Algorithm::hs256 ? Key::of_secret(file.id, without_line_end(text.view()))
                                                  : Key::of_pem(file.id, *file.algorithm, text.view());
    status = key ? add(std::move(*key), file.issuer) : Status{fail(key.error())};
  }
  if (!status) return refused(file, status.error().code, status.error().message);
  return {};
}

bool KeySet::verifies(const Claimed& claimed, std::string_view text, std::string_view signature) const {
  // Who has keys of their own is known by no other's.
  const std::string_view issuer = binds(claimed.issuer) ? claimed.issuer : std::string_view{};
  return std::ranges::any_of(keys_, [&](const Bound& bound) {
    const Key& key = bound.key;
    return bound.issuer == issuer && key.algorithm() == claimed.algorithm &&
           (!claimed.id || key.id().empty() || key.id() == *claimed.id) && key.verifies(text, signature);
  });
}

bool KeySet::binds(std::string_view issuer) const {
  return !issuer.empty() && std::ranges::find(keys_, issuer, &Bound::issuer) != keys_.end();
}

bool KeySet::has_secret_from(std::size_t first) const {
  return std::any_of(keys_.begin() + static_cast<std::ptrdiff_t>(first), keys_.end(),
                     [](const Bound& bound) { return bound.key.algorithm() == Algorithm::hs256; });
}

Result<KeySet> load_keys(std::span<const KeyFile> files) {
  KeySet keys;
  for (const KeyFile& file : files) {
    if (auto status = keys.add_file(file); !status) return fail(status.error());
  }
  return keys;
}

}  // namespace sluice::hub::auth
