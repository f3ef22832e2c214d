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
#include <vector>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>
#include <fmt/format.h>

#include "core/client_limits.hpp"
#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "wire/hub/bad_texts.hpp"
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

/// Fills a message member by member, leaves out what does not fit, and remembers the first of that.
class Reader {
 public:
  /// False: it is no envelope, and `problem` says why.
  [[nodiscard]] bool read_whole(const json::value& value, Message& message) {
    const auto* const object = value.if_object();
    if (object == nullptr) {
      refuse_whole("a JSON object");
      return false;
    }
    const auto* const choice =
        message.GetDescriptor()->oneof_decl_count() == 0 ? nullptr : message.GetDescriptor()->oneof_decl(0);
    for (const json::key_value_pair& member : *object) {
      const bool had_one = choice != nullptr && message.GetReflection()->HasOneof(message, choice);
      read_member(member, message);
      // With two messages at the top nobody can say which of them an answer would be about.
      if (had_one && twice_) return false;
    }
    return true;
  }
  [[nodiscard]] std::optional<Error> take_problem() { return std::exchange(problem_, std::nullopt); }

 private:
  void read_object(const json::value& value, Message& message) {
    const auto* const object = value.if_object();
    if (object == nullptr) return refuse("a JSON object");
    for (const json::key_value_pair& member : *object) read_member(member, message);
  }

  void read_member(const json::key_value_pair& member, Message& message) {
    const FieldDescriptor* const field =
        find_field(*message.GetDescriptor(), {member.key().data(), member.key().size()});
    if (field == nullptr || member.value().is_null()) return;
    path_.push_back(field);
    const auto* const choice = field->containing_oneof();
    if (field->is_repeated()) {
      read_list(member.value(), *field, message);
    } else if (choice != nullptr && message.GetReflection()->HasOneof(message, choice)) {
      twice_ = twice_ || path_.size() == 1;
      refuse("the place of another member: there may be one of them only");
    } else {
      read_value(member.value(), *field, message);
    }
    path_.pop_back();
  }

  void read_list(const json::value& value, const FieldDescriptor& field, Message& message) {
    const auto* const items = value.if_array();
    if (items == nullptr) return refuse("a list");
    const Reflection& reflection = *message.GetReflection();
    for (const json::value& item : *items) {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        read_object(item, *reflection.AddMessage(&message, &field));
        continue;
      }
      ENSURE(field.type() == FieldDescriptor::TYPE_STRING);  // the schema has no other lists
      const auto* const text = item.if_string();
      if (text == nullptr) return refuse("a list of strings");
      reflection.AddString(&message, &field, std::string{text->data(), text->size()});
    }
  }

  void read_value(const json::value& value, const FieldDescriptor& field, Message& message) {
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
        if (flag == nullptr) return refuse("true or false");
        return reflection.SetBool(&message, &field, *flag);
      }
      default:
        ENSURE(false);  // the schema has no other types
    }
  }

  void read_text(const json::value& value, const FieldDescriptor& field, Message& message) {
    const auto* const text = value.if_string();
    if (text == nullptr) return refuse("a string");
    if (field.type() == FieldDescriptor::TYPE_STRING)
      return message.GetReflection()->SetString(&message, &field, std::string{text->data(), text->size()});
    auto bytes = from_base64({text->data(), text->size()});
    if (!bytes) return refuse("base64");
    message.GetReflection()->SetString(&message, &field, std::move(*bytes));
  }

  void read_enumerator(const json::value& value, const FieldDescriptor& field, Message& message) {
    std::optional<int> number;
    if (const auto* const name = value.if_string()) {
      const auto* const known = field.enum_type()->FindValueByName({name->data(), name->size()});
      number = known == nullptr ? kUnknownEnumerator : known->number();
    } else {
      number = whole_number<std::int32_t>(value);
    }
    if (!number) return refuse("a name or its number");
    message.GetReflection()->SetEnumValue(&message, &field, *number);
  }

  template <std::integral Number>
  void read_number(const json::value& value, const FieldDescriptor& field, Message& message,
                   void (Reflection::*set)(Message*, const FieldDescriptor*, Number) const) {
    const auto number = whole_number<Number>(value);
    if (!number)
      return refuse(std::unsigned_integral<Number> ? "a whole number from 0 on" : "a whole number");
    (message.GetReflection()->*set)(&message, &field, *number);
  }

  void refuse(std::string_view takes) {
    if (problem_) return;
    std::string where;
    for (const FieldDescriptor* const field : path_) {
      if (!where.empty()) where += '.';
      where += field->json_name();
    }
    problem_ = Error{.code = Errc::malformed, .message = fmt::format("`{}` takes {}.", where, takes)};
  }
  void refuse_whole(std::string_view takes) {
    problem_ = Error{.code = Errc::malformed, .message = fmt::format("An envelope is {}.", takes)};
  }

  std::vector<const FieldDescriptor*> path_;
  bool twice_ = false;  ///< Two members that exclude each other were met.
  std::optional<Error> problem_;
};

struct Parsed {
  json::value value;
  std::optional<Error> problem{};
};

Result<json::value> parse_strictly(std::string_view text, json::monotonic_resource& memory,
                                   wire::json::CappedMemory& capped) {
  std::array<unsigned char, 4096>
      stack;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before read
  json::parse_options options;
  options.max_depth = static_cast<unsigned char>(limits::kMaxJsonDepth);
  json::parser parser{&capped, options, stack.data(), stack.size()};
  parser.reset(&memory);
  json::error_code error;
  parser.write({text.data(), text.size()}, error);
  if (error) return fail(Errc::malformed, fmt::format("It is no JSON: {}.", error.message()));
  return parser.release();
}

/// What a text means, with half surrogate pairs replaced and told.
Result<Parsed> parse(std::string_view text, json::monotonic_resource& memory,
                     wire::json::CappedMemory& capped) {
  auto value = parse_strictly(text, memory, capped);
  if (value) return Parsed{.value = std::move(*value)};
  // Which error half of a pair is depends on what comes behind it.
  const auto mended = mend_surrogates(text);
  if (!mended) return fail(std::move(value.error()));
  auto again = parse_strictly(mended->json, memory, capped);
  if (!again) return fail(std::move(value.error()));
  return Parsed{
      .value = std::move(*again),
      .problem = Error{.code = Errc::malformed,
                       .message = fmt::format("`{}` has half of a surrogate pair, which is no character.",
                                              mended->where)}};
}

}  // namespace

Result<std::optional<Error>> read_json(ByteView text, Message& message) {
  // What a message of a person's needs; a larger one goes on on the heap, up to a limit.
  std::array<unsigned char, 4096>
      first;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before read
  wire::json::CappedMemory capped{limits::kMaxJsonMemory};
  json::monotonic_resource memory{first.data(), first.size(), &capped};
  try {
    auto parsed = parse(as_text(text), memory, capped);
    if (!parsed) return fail(std::move(parsed.error()));
    Reader reader;
    const bool is_envelope = reader.read_whole(parsed->value, message);
    auto problem = reader.take_problem();
    if (!is_envelope) return fail(std::move(*problem));
    return parsed->problem ? std::move(parsed->problem) : std::move(problem);
  } catch (const std::bad_alloc&) {
    return fail(Errc::malformed, "It is JSON of too many values.");
  }
}

}  // namespace sluice::wire::hub
