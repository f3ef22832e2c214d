#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"

namespace sluice::api {

/// What the system says of this process; what it does not say is absent.
struct ProcessFigures {
  std::optional<Bytes> resident{};  ///< Memory in RAM (RSS).
  std::optional<std::uint64_t> open_descriptors{};
  std::optional<std::uint64_t> max_descriptors{};
  std::optional<double> cpu_seconds{};  ///< Of all threads, user and system.
};

/// Now. Reads /proc, so no disk.
[[nodiscard]] ProcessFigures process_figures();

}  // namespace sluice::api
