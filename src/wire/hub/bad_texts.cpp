#include "wire/hub/bad_texts.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/wire_format_lite.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/hub_limits.hpp"
#include "core/utf8.hpp"

namespace sluice::wire::hub {
namespace {

namespace io = google::protobuf::io;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

// --- JSON

constexpr std::size_t kEscape = 6;  // \uXXXX

/// The code unit of an escape `\uXXXX` at the start of the text.
std::optional<std::uint16_t> escaped_unit(std::string_view text) {
  if (text.size() < kEscape || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  std::uint16_t unit = 0;
  const char* const end = text.data() + kEscape;
  const auto [rest, error] = std::from_chars(text.data() + 2, end, unit, 16);
  return error == std::errc{} && rest == end ? std::optional{unit} : std::nullopt;
}

bool is_high(std::uint16_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low(std::uint16_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

/// Copies a JSON text and mends its strings. Knows just enough of its structure to name a member: the names
/// on the way down to it.
class SurrogateMender {
 public:
  explicit SurrogateMender(std::string_view text) : rest_(text) { mended_.json.reserve(text.size()); }

  Mended mend() && {
    while (!rest_.empty()) {
      switch (rest_.front()) {
        case '"':
          string();
          continue;
        case '{':
          // Deeper than this the text does not parse anyway.
          if (names_.size() <= limits::kMaxJsonDepth) names_.emplace_back();
          break;
        case '}':
          if (!names_.empty()) names_.pop_back();
          break;
        default:
          break;
      }
      copy(1);
    }
    return std::move(mended_);
  }

 private:
  void copy(std::size_t size) {
    mended_.json += rest_.substr(0, size);
    rest_.remove_prefix(size);
  }

  void string() {
    const std::size_t begin = mended_.json.size() + 1;
    bool is_bad = false;
    copy(1);
    while (!rest_.empty() && rest_.front() != '"') {
      const auto unit = escaped_unit(rest_);
      if (!unit) {
        copy(rest_.front() == '\\' && rest_.size() > 1 ? 2 : 1);
        continue;
      }
      const auto next = escaped_unit(rest_.substr(kEscape));
      if (is_high(*unit) && next && is_low(*next)) {
        copy(2 * kEscape);
      } else if (is_high(*unit) || is_low(*unit)) {
        is_bad = true;
        mended_.json += "\\ufffd";
        rest_.remove_prefix(kEscape);
      } else {
        copy(kEscape);
      }
    }
    const std::string text = mended_.json.substr(begin);
    if (!rest_.empty()) copy(1);
    const std::size_t after = rest_.find_first_not_of(" \t\r\n");
    const bool is_name = after != std::string_view::npos && rest_[after] == ':';
    if (is_name && !names_.empty()) names_.back() = text;
    if (is_bad && mended_.where.empty()) mended_.where = fmt::format("{}", fmt::join(names_, "."));
  }

  std::string_view rest_;
  std::vector<std::string> names_;  ///< Of the members that are open, outermost first.
  Mended mended_;
};

// --- Protobuf

/// Copies a message without its bad texts. `where` grows to the path of the first.
class TextChecker {
 public:
  [[nodiscard]] bool copy(ByteView in, const Descriptor& type, std::string& out) {
    io::CodedInputStream input{reinterpret_cast<const std::uint8_t*>(in.data()), static_cast<int>(in.size())};
    io::StringOutputStream sink{&out};
    io::CodedOutputStream output{&sink};
    while (const std::uint32_t tag = input.ReadTag()) {
      const auto* const field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
      const bool has_length =
          WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      const bool is_checked =
          field != nullptr && has_length &&
          (field->type() == FieldDescriptor::TYPE_STRING || field->type() == FieldDescriptor::TYPE_MESSAGE);
      if (!is_checked) {
        if (!WireFormatLite::SkipField(&input, tag, &output)) return false;
        continue;
      }
      std::uint32_t size = 0;
      std::string piece;
      if (!input.ReadVarint32(&size) || !input.ReadString(&piece, static_cast<int>(size))) return false;
      if (!check(*field, piece)) return false;
      output.WriteVarint32(tag);
      output.WriteVarint32(static_cast<std::uint32_t>(piece.size()));
      output.WriteString(piece);
    }
    return input.ConsumedEntireMessage();
  }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  /// Goes no deeper than the schema.
  [[nodiscard]] bool check(const FieldDescriptor& field, std::string& piece) {
    path_.push_back(field.json_name());
    if (field.type() == FieldDescriptor::TYPE_MESSAGE) {
      std::string copied;
      if (!copy(as_bytes(piece), *field.message_type(), copied)) return false;
      piece = std::move(copied);
    } else if (!is_utf8(piece)) {
      piece.clear();
      if (where_.empty()) where_ = fmt::format("{}", fmt::join(path_, "."));
    }
    path_.pop_back();
    return true;
  }

  std::vector<std::string> path_;
  std::string where_;
};

}  // namespace

std::optional<Mended> mend_surrogates(std::string_view json) {
  Mended mended = SurrogateMender{json}.mend();
  return mended.where.empty() ? std::nullopt : std::optional{std::move(mended)};
}

Result<std::optional<Error>> read_with_bad_texts(ByteView bytes, google::protobuf::Message& message) {
  std::string good;
  TextChecker checker;
  message.Clear();
  if (!checker.copy(bytes, *message.GetDescriptor(), good) || checker.where().empty() ||
      !message.ParseFromString(good)) {
    return fail(Errc::malformed, "The message is no envelope.");
  }
  return Error{.code = Errc::malformed, .message = fmt::format("`{}` is not UTF-8.", checker.where())};
}

}  // namespace sluice::wire::hub
