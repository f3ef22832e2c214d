#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/strutil.h>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>
#include <fmt/format.h>

#include "core/client_limits.hpp"
#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "wire/hub/json.hpp"
#include "wire/json/bounded.hpp"

namespace sluice::wire::hub {
namespace {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kUnknownEnumerator = -1;

Status refused(const FieldDescriptor& field, std::string_view takes) {
  return fail(Errc::malformed, fmt::format("`{}` takes {}.", field.json_name(), takes));
}

/// Few fields, and most of other lengths: quicker than a hash.
const FieldDescriptor* find_field(const Descriptor& type, std::string_view name) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* const field = type.field(i);
    if (field->json_name() == name || field->name() == name) return field;
  }
  return nullptr;
}

/// A number, or a string of one; 1.0 and 1e3 are whole.
template <std::integral Number>
std::optional<Number> whole_number(const json::value& value) {
  if (const auto* const integer = value.if_int64()) {
    return std::in_range<Number>(*integer) ? std::optional{static_cast<Number>(*integer)} : std::nullopt;
  }
  if (const auto* const integer = value.if_uint64()) {
    return std::in_range<Number>(*integer) ? std::optional{static_cast<Number>(*integer)} : std::nullopt;
  }
  if (const auto* const real = value.if_double()) {
    // The limits as doubles: the upper one is a power of two, so it is exact and itself out of range.
    constexpr double kBegin = static_cast<double>(std::numeric_limits<Number>::min());
    const double end = std::ldexp(1.0, std::numeric_limits<Number>::digits);
    if (!(*real >= kBegin && *real < end) || std::trunc(*real) != *real) return std::nullopt;
    return static_cast<Number>(*real);
  }
  if (const auto* const text = value.if_string()) {
    Number number{};
    const char* const end = text->data() + text->size();
    const auto [rest, error] = std::from_chars(text->data(), end, number);
    if (error == std::errc{} && rest == end) return number;
  }
  return std::nullopt;
}

std::optional<std::string> from_base64(std::string_view text) {
  // Both alphabets, with or without padding, but no spaces, which Protobuf's functions would skip.
  constexpr std::string_view kOthers = "+/-_=";
  for (const char c : text) {
    const bool is_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!is_digit && kOthers.find(c) == std::string_view::npos) return std::nullopt;
  }
  std::string bytes;
  const bool is_web_safe = text.find_first_of("-_") != std::string_view::npos;
  const bool is_good = is_web_safe
                           ? google::protobuf::WebSafeBase64Unescape({text.data(), text.size()}, &bytes)
                           : google::protobuf::Base64Unescape({text.data(), text.size()}, &bytes);
  return is_good ? std::optional{std::move(bytes)} : std::nullopt;
}

Status read_object(const json::value& value, Message& message);

Status read_text(const json::value& value, const FieldDescriptor& field, Message& message) {
  const auto* const text = value.if_string();
  if (text == nullptr) return refused(field, "a string");
  if (field.type() == FieldDescriptor::TYPE_STRING) {
    message.GetReflection()->SetString(&message, &field, std::string{text->data(), text->size()});
    return {};
  }
  auto bytes = from_base64({text->data(), text->size()});
  if (!bytes) return refused(field, "base64");
  message.GetReflection()->SetString(&message, &field, std::move(*bytes));
  return {};
}

Status read_enumerator(const json::value& value, const FieldDescriptor& field, Message& message) {
  std::optional<int> number;
  if (const auto* const name = value.if_string()) {
    const auto* const known = field.enum_type()->FindValueByName({name->data(), name->size()});
    number = known == nullptr ? kUnknownEnumerator : known->number();
  } else {
    number = whole_number<std::int32_t>(value);
  }
  if (!number) return refused(field, "a name or its number");
  message.GetReflection()->SetEnumValue(&message, &field, *number);
  return {};
}

template <std::integral Number>
Status read_number(const json::value& value, const FieldDescriptor& field, Message& message,
                   void (Reflection::*set)(Message*, const FieldDescriptor*, Number) const) {
  const auto number = whole_number<Number>(value);
  if (!number)
    return refused(field, std::unsigned_integral<Number> ? "a whole number from 0 on" : "a whole number");
  (message.GetReflection()->*set)(&message, &field, *number);
  return {};
}

Status read_value(const json::value& value, const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return read_object(value, *reflection.MutableMessage(&message, &field));
    case FieldDescriptor::CPPTYPE_STRING:
      return read_text(value, field, message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return read_enumerator(value, field, message);
    case FieldDescriptor::CPPTYPE_UINT32:
      return read_number<std::uint32_t>(value, field, message, &Reflection::SetUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return read_number<std::uint64_t>(value, field, message, &Reflection::SetUInt64);
    case FieldDescriptor::CPPTYPE_INT64:
      return read_number<std::int64_t>(value, field, message, &Reflection::SetInt64);
    case FieldDescriptor::CPPTYPE_BOOL: {
      const bool* const flag = value.if_bool();
      if (flag == nullptr) return refused(field, "true or false");
      reflection.SetBool(&message, &field, *flag);
      return {};
    }
    default:
      ENSURE(false);  // the schema has no other types
  }
}

Status read_list(const json::value& value, const FieldDescriptor& field, Message& message) {
  const auto* const items = value.if_array();
  if (items == nullptr) return refused(field, "a list");
  const Reflection& reflection = *message.GetReflection();
  for (const json::value& item : *items) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (auto status = read_object(item, *reflection.AddMessage(&message, &field)); !status) return status;
      continue;
    }
    ENSURE(field.type() == FieldDescriptor::TYPE_STRING);  // the schema has no other lists
    const auto* const text = item.if_string();
    if (text == nullptr) return refused(field, "a list of strings");
    reflection.AddString(&message, &field, std::string{text->data(), text->size()});
  }
  return {};
}

Status read_member(const json::key_value_pair& member, Message& message) {
  const FieldDescriptor* const field =
      find_field(*message.GetDescriptor(), {member.key().data(), member.key().size()});
  if (field == nullptr || member.value().is_null()) return {};
  if (field->is_repeated()) return read_list(member.value(), *field, message);
  const auto* const choice = field->containing_oneof();
  if (choice != nullptr && message.GetReflection()->HasOneof(message, choice)) {
    return refused(*field, "the place of what is there already: one of them only");
  }
  return read_value(member.value(), *field, message);
}

Status read_object(const json::value& value, Message& message) {
  const auto* const object = value.if_object();
  if (object == nullptr) {
    return fail(Errc::malformed, fmt::format("{} takes a JSON object.", message.GetDescriptor()->name()));
  }
  for (const json::key_value_pair& member : *object) {
    if (auto status = read_member(member, message); !status) return status;
  }
  return {};
}

}  // namespace

Status read_json(ByteView text, Message& message) {
  // What a message of a person's needs; a larger one goes on on the heap, up to a limit.
  std::array<unsigned char, 4096>
      first;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before read
  std::array<unsigned char, 4096>
      stack;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before read
  wire::json::CappedMemory capped{limits::kMaxJsonMemory};
  json::monotonic_resource memory{first.data(), first.size(), &capped};
  json::parse_options options;
  options.max_depth = static_cast<unsigned char>(limits::kMaxJsonDepth);
  try {
    json::parser parser{&capped, options, stack.data(), stack.size()};
    parser.reset(&memory);
    json::error_code error;
    const std::string_view view = as_text(text);
    parser.write({view.data(), view.size()}, error);
    if (error) return fail(Errc::malformed, fmt::format("It is no JSON: {}.", error.message()));
    return read_object(parser.release(), message);
  } catch (const std::bad_alloc&) {
    return fail(Errc::malformed, "It is JSON of too many values.");
  }
}

}  // namespace sluice::wire::hub
