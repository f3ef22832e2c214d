#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/error.hpp"

namespace sluice::wire::json {

/// Walks the members of one JSON object, or the items of one list, in a single pass and without making values
/// of them: each is the piece of the text that it stands in. So a long list costs no memory beyond its text
/// and the one item that is being looked at.
///
/// Finds where a piece ends and checks no more than that: whoever uses a piece parses it (`parse`). Refers to
/// the text, which outlives it.
class Pieces {
 public:
  /// Errors: `malformed` (the text is neither an object nor a list).
  [[nodiscard]] static Result<Pieces> of(std::string_view text);

  struct Piece {
    std::string_view key;  ///< As it is written, without its quotes; empty in a list.
    std::string_view value;
  };
  /// Nothing at the end. Errors: `malformed`; nothing is found behind it.
  [[nodiscard]] Result<std::optional<Piece>> next();

  [[nodiscard]] bool is_list() const { return closing_ == ']'; }

 private:
  Pieces(std::string_view rest, char closing) : rest_(rest), closing_(closing) {}
  void skip_spaces();
  [[nodiscard]] bool skip(char wanted);
  [[nodiscard]] std::optional<std::string_view> take_value();

  std::string_view rest_;
  char closing_;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace sluice::wire::json
