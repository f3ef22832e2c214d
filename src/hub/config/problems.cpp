#include "hub/config/problems.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"

namespace sluice::hub::config {
namespace {

/// How many characters must be put in, taken out or replaced (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

void Problems::add(Place place, std::string what) {
  const auto behind = std::ranges::upper_bound(problems_, place, {}, &Problem::place);
  problems_.insert(behind, {.place = place, .what = std::move(what)});
}

Error Problems::error(Errc code) const {
  ENSURE(!problems_.empty());
  std::string text;
  const std::size_t told = std::min(problems_.size(), limits::kSettingsProblems);
  for (std::size_t i = 0; i < told; ++i) {
    const auto& [place, what] = problems_[i];
    if (i > 0) text += '\n';
    if (place == Place{}) {
      fmt::format_to(std::back_inserter(text), "{}: {}", file_, what);
    } else {
      fmt::format_to(std::back_inserter(text), "{}:{}:{}: {}", file_, place.line, place.column, what);
    }
  }
  if (told < problems_.size()) {
    fmt::format_to(std::back_inserter(text), "\n{}: and {} more", file_, problems_.size() - told);
  }
  return {.code = code, .message = std::move(text)};
}

std::string_view nearest(std::string_view text, std::span<const std::string_view> known) {
  if (text.size() > limits::kMaxName.count()) return {};
  std::string_view best;
  std::size_t least = std::max<std::size_t>(2, text.size() / 3) + 1;
  for (const std::string_view name : known) {
    const std::size_t steps = distance(text, name);
    if (steps < least && steps < name.size()) {
      least = steps;
      best = name;
    }
  }
  return best;
}

}  // namespace sluice::hub::config
