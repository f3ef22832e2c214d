#pragma once

#include <optional>
#include <string_view>

#include <boost/json/object.hpp>

namespace sluice::hub::auth {

/// What a text says that is one JSON object in UTF-8 (RFC 8259), nests no deeper than `limits::kMaxJsonDepth`
/// and names no member twice, in none of its objects (RFC 7515 §4, RFC 7517 §4, RFC 7519 §4): two readers of
/// it must not see different things.
[[nodiscard]] std::optional<boost::json::object> parse_object(std::string_view text);

/// The member's text; `nullopt` when it is absent or something else.
[[nodiscard]] std::optional<std::string_view> text_of(const boost::json::object& object,
                                                      std::string_view member);

}  // namespace sluice::hub::auth
