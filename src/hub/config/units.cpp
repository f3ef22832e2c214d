#include "hub/config/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <ranges>
#include <span>

#include <fmt/format.h>

namespace sluice::hub::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t worth;  ///< Of the smallest.
};

constexpr std::array kSizes = {
    Unit{"B", 1},
    Unit{"KiB", std::int64_t{1} << 10},
    Unit{"MiB", std::int64_t{1} << 20},
    Unit{"GiB", std::int64_t{1} << 30},
    Unit{"TiB", std::int64_t{1} << 40},
};

template <typename Of>
constexpr std::int64_t kNanosecondsIn = std::chrono::nanoseconds{Of{1}}.count();

constexpr std::array kTimes = {
    Unit{"ns", 1},
    Unit{"us", kNanosecondsIn<std::chrono::microseconds>},
    Unit{"ms", kNanosecondsIn<std::chrono::milliseconds>},
    Unit{"s", kNanosecondsIn<std::chrono::seconds>},
    Unit{"min", kNanosecondsIn<std::chrono::minutes>},
    Unit{"h", kNanosecondsIn<std::chrono::hours>},
    Unit{"d", kNanosecondsIn<std::chrono::days>},
};
constexpr double kLongest = 100.0 * 365 * static_cast<double>(kNanosecondsIn<std::chrono::days>);

/// The number in front, and what one of its unit is worth.
template <typename Number>
struct Amount {
  Number number;
  std::int64_t worth;
};

template <typename Number>
std::optional<Amount<Number>> split(std::string_view text, std::span<const Unit> units) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  const auto unit = std::ranges::find(units, text, &Unit::name);
  if (unit == units.end()) return std::nullopt;
  return Amount<Number>{.number = number, .worth = unit->worth};
}

std::string written(std::int64_t amount, std::span<const Unit> units) {
  const auto fits = std::ranges::find_if(std::views::reverse(units),
                                         [amount](const Unit& unit) { return amount % unit.worth == 0; });
  return fmt::format("{}{}", amount / fits->worth, fits->name);
}

}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
  const auto amount = split<std::uint64_t>(text, kSizes);
  if (!amount) return std::nullopt;
  const Bytes bytes = Bytes{amount->number} * static_cast<std::uint64_t>(amount->worth);
  if (bytes > Bytes{std::numeric_limits<std::int64_t>::max()}) return std::nullopt;
  return bytes;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto amount = split<double>(text, kTimes);
  if (!amount) return std::nullopt;
  const double ns = amount->number * static_cast<double>(amount->worth);
  if (!(std::abs(ns) <= kLongest)) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::nanoseconds{std::llround(ns)});
}

std::string to_text(Bytes bytes) {
  if (bytes == Bytes{}) return "0B";
  return written(static_cast<std::int64_t>(bytes.count()), kSizes);
}

std::string to_text(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  return written(std::chrono::nanoseconds{duration}.count(), kTimes);
}

}  // namespace sluice::hub::config
