#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace sluice::hub::config {

/// `64KiB`: a whole number and B, KiB, MiB, GiB or TiB, maybe with a space between them. `nullopt` for
/// anything else, and beyond 2^63 bytes.
[[nodiscard]] std::optional<Bytes> parse_bytes(std::string_view text);

/// `2s`, `-1s`, `1.5s`: a number and ns, us, ms, s, min, h or d. `nullopt` for anything else, and beyond 100
/// years.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// With the largest unit of which it is a whole number; `parse_...` gives it back.
[[nodiscard]] std::string to_text(Bytes bytes);
[[nodiscard]] std::string to_text(Duration duration);

}  // namespace sluice::hub::config
