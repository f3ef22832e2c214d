#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Texts inside of a URL (RFC 3986 §2.1). Pure.
namespace sluice::api {

/// Everything but unreserved characters as `%XX`.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// Nothing for a `%` without two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// What stands between the slashes, decoded: `/a/b%2Fc` is `a` and `b/c`. Nothing for what does not decode.
[[nodiscard]] std::optional<std::vector<std::string>> path_parts(std::string_view path);

/// `a=1&b=x+y`, decoded, a `+` being a space. Nothing for what does not decode and for a name that comes
/// twice.
[[nodiscard]] std::optional<std::map<std::string, std::string>> query_parts(std::string_view query);

}  // namespace sluice::api
