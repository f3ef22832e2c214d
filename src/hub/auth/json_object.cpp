#include "hub/auth/json_object.hpp"

#include <cstddef>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "core/client_limits.hpp"
#include "core/hub_limits.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::hub::auth {
namespace {

namespace json = boost::json;

/// Of a text that is JSON: each colon outside of strings belongs to one member.
std::size_t members_written(std::string_view text) {
  std::size_t count = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && text[i] == ':') {
      ++count;
    }
  }
  return count;
}

/// As deep as `limits::kMaxJsonDepth` at the most.
std::size_t members_kept(const json::value& value) {
  std::size_t count = 0;
  if (const auto* const object = value.if_object()) {
    for (const auto& member : *object) count += 1 + members_kept(member.value());
  } else if (const auto* const array = value.if_array()) {
    for (const auto& item : *array) count += members_kept(item);
  }
  return count;
}

}  // namespace

std::optional<json::object> parse_object(std::string_view text) {
  auto value = wire::json::parse(
      text,
      {.text = limits::kMaxKeyFileText, .memory = limits::kMaxKeyFileMemory, .depth = limits::kMaxJsonDepth});
  if (!value || !value->is_object() || members_written(text) != members_kept(*value)) return std::nullopt;
  return std::move(value->get_object());
}

std::optional<std::string_view> text_of(const json::object& object, std::string_view member) {
  const auto* const value = object.if_contains({member.data(), member.size()});
  const auto* const text = value == nullptr ? nullptr : value->if_string();
  if (text == nullptr) return std::nullopt;
  return std::string_view{text->data(), text->size()};
}

}  // namespace sluice::hub::auth
