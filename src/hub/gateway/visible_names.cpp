#include "hub/gateway/visible_names.hpp"

#include <fmt/format.h>

#include "core/invisible.hpp"

namespace sluice::hub {

std::optional<std::string> invisible_in(std::string_view what, std::string_view name) {
  const auto code = first_invisible(name);
  if (!code) return std::nullopt;
  return fmt::format("`{}` has an invisible character (U+{:04X}), which names may not have here.", what,
                     static_cast<unsigned>(*code));
}

}  // namespace sluice::hub
