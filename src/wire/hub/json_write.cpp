#include <array>
#include <charconv>
#include <cstdint>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/strutil.h>
#include <string>
#include <string_view>

#include "core/ensure.hpp"
#include "wire/hub/json.hpp"

namespace sluice::wire::hub {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// RFC 8259 §7: what must be escaped, and nothing else.
constexpr std::array<bool, 256> kEscaped = [] {
  std::array<bool, 256> escaped{};
  for (std::size_t c = 0; c < 0x20; ++c) escaped[c] = true;
  escaped['"'] = escaped['\\'] = true;
  return escaped;
}();

class Writer {
 public:
  Writer() { out_.reserve(512); }
  [[nodiscard]] std::string_view written() const { return out_; }

  void object(const Message& message) {
    const auto& descriptor = *message.GetDescriptor();
    const Reflection& reflection = *message.GetReflection();
    put("{");
    const char* separator = "";
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const FieldDescriptor& field = *descriptor.field(i);
      if (field.is_repeated() ? reflection.FieldSize(message, &field) == 0
                              : !reflection.HasField(message, &field)) {
        continue;
      }
      put(separator);
      put("\"");
      put(field.json_name());
      put("\":");
      field.is_repeated() ? list(message, field) : value(message, field);
      separator = ",";
    }
    put("}");
  }

 private:
  void list(const Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    put("[");
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      if (i > 0) put(",");
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        object(reflection.GetRepeatedMessage(message, &field, i));
      } else {
        ENSURE(field.type() == FieldDescriptor::TYPE_STRING);  // the schema has no other lists
        text(reflection.GetRepeatedStringReference(message, &field, i, &scratch_));
      }
    }
    put("]");
  }

  void value(const Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return object(reflection.GetMessage(message, &field));
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string& bytes = reflection.GetStringReference(message, &field, &scratch_);
        return field.type() == FieldDescriptor::TYPE_BYTES ? base64(bytes) : text(bytes);
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        return put(reflection.GetBool(message, &field) ? "true" : "false");
      case FieldDescriptor::CPPTYPE_UINT32:
        return number(reflection.GetUInt32(message, &field));
      case FieldDescriptor::CPPTYPE_UINT64:
        return quoted_number(reflection.GetUInt64(message, &field));
      case FieldDescriptor::CPPTYPE_INT64:
        return quoted_number(reflection.GetInt64(message, &field));
      case FieldDescriptor::CPPTYPE_ENUM:
        return enumerator(*field.enum_type(), reflection.GetEnumValue(message, &field));
      default:
        ENSURE(false);  // the schema has no other types
    }
  }

  void enumerator(const google::protobuf::EnumDescriptor& type, int value) {
    const auto* const known = type.FindValueByNumber(value);
    if (known == nullptr) return number(value);
    put("\"");
    put(known->name());
    put("\"");
  }

  template <typename Number>
  void number(Number value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    put({digits.data(), end});
  }

  template <typename Number>
  void quoted_number(Number value) {
    put("\"");
    number(value);
    put("\"");
  }

  void text(std::string_view text) {
    put("\"");
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!kEscaped[static_cast<unsigned char>(text[i])]) continue;
      put(text.substr(begin, i - begin));
      escape(text[i]);
      begin = i + 1;
    }
    put(text.substr(begin));
    put("\"");
  }

  void escape(char c) {
    switch (c) {
      case '"':
        return put("\\\"");
      case '\\':
        return put("\\\\");
      case '\n':
        return put("\\n");
      case '\r':
        return put("\\r");
      case '\t':
        return put("\\t");
      default:
        constexpr std::string_view kDigits = "0123456789abcdef";
        const std::array<char, 6> escaped{'\\',
                                          'u',
                                          '0',
                                          '0',
                                          kDigits[static_cast<std::size_t>(c >> 4)],
                                          kDigits[static_cast<std::size_t>(c & 15)]};
        put({escaped.data(), escaped.size()});
    }
  }

  void base64(const std::string& bytes) {
    std::string coded;
    google::protobuf::Base64Escape(bytes, &coded);
    put("\"");
    put(coded);
    // Protobuf's function pads for some versions only.
    for (std::size_t size = coded.size(); size % 4 != 0; ++size) put("=");
    put("\"");
  }

  void put(std::string_view text) { out_ += text; }

  std::string out_;
  std::string scratch_;  ///< For strings that reflection cannot refer to.
};

}  // namespace

void append_json(ByteBuffer& out, const Message& message) {
  Writer writer;
  writer.object(message);
  const ByteView bytes = as_bytes(writer.written());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace sluice::wire::hub
