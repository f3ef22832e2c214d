#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace sluice::hub::config {

/// A place in a file, counted from 1; `Place{}`: nowhere in particular.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  auto operator<=>(const Place&) const = default;
};

/// What is wrong with a file: as many problems as it has, in its order, so that they are mended at once.
class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}

  void add(Place place, std::string what);
  [[nodiscard]] bool empty() const { return problems_.empty(); }
  /// A line for each, up to `limits::kSettingsProblems`. Requires that there are any.
  [[nodiscard]] Error error(Errc code) const;

 private:
  struct Problem {
    Place place;
    std::string what;
  };
  std::string file_;
  std::vector<Problem> problems_;  ///< By their places.
};

/// The one that was probably meant, or nothing when none is near.
[[nodiscard]] std::string_view nearest(std::string_view text, std::span<const std::string_view> known);

}  // namespace sluice::hub::config
