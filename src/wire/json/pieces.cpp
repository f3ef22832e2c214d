#include "wire/json/pieces.hpp"

namespace sluice::wire::json {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::unexpected<Error> malformed() {
  return fail(Errc::malformed, "no JSON object or list");
}

/// Behind the closing quote of the string that `text` begins with; 0: there is none.
std::size_t end_of_string(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return 0;
}

/// Behind the bracket that ends what `text` begins with; 0: there is none.
std::size_t end_of_brackets(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      const std::size_t size = end_of_string(text.substr(i));
      if (size == 0) return 0;
      i += size;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    ++i;
    if ((c == '}' || c == ']') && --depth == 0) return i;
  }
  return 0;
}

}  // namespace

Result<Pieces> Pieces::of(std::string_view text) {
  Pieces pieces{text, ']'};
  pieces.skip_spaces();
  if (pieces.skip('{')) {
    pieces.closing_ = '}';
  } else if (!pieces.skip('[')) {
    return malformed();
  }
  return pieces;
}

void Pieces::skip_spaces() {
  const std::size_t begin = rest_.find_first_not_of(kSpaces);
  rest_.remove_prefix(begin == std::string_view::npos ? rest_.size() : begin);
}

bool Pieces::skip(char wanted) {
  skip_spaces();
  if (rest_.empty() || rest_.front() != wanted) return false;
  rest_.remove_prefix(1);
  return true;
}

std::optional<std::string_view> Pieces::take_value() {
  skip_spaces();
  if (rest_.empty()) return std::nullopt;
  const char first = rest_.front();
  std::size_t size = 0;
  if (first == '"') {
    size = end_of_string(rest_);
  } else if (first == '{' || first == '[') {
    size = end_of_brackets(rest_);
  } else {
    constexpr std::string_view kEnds = ",]}\" \t\r\n";
    size = rest_.find_first_of(kEnds);
    if (size == std::string_view::npos) size = rest_.size();
  }
  if (size == 0) return std::nullopt;
  const std::string_view value = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return value;
}

Result<std::optional<Pieces::Piece>> Pieces::next() {
  if (ended_) return std::optional<Piece>{};
  ended_ = true;  // unless a piece is found
  if (skip(closing_)) {
    skip_spaces();
    if (!rest_.empty()) return malformed();
    return std::optional<Piece>{};
  }
  if (begun_ && !skip(',')) return malformed();
  begun_ = true;
  Piece piece;
  if (!is_list()) {
    const auto key = take_value();
    if (!key || key->size() < 2 || key->front() != '"' || !skip(':')) return malformed();
    piece.key = key->substr(1, key->size() - 2);
  }
  const auto value = take_value();
  if (!value) return malformed();
  piece.value = *value;
  ended_ = false;
  return std::optional{piece};
}

}  // namespace sluice::wire::json
