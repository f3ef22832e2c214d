#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::hub {

/// Why a name may not be used, for its sender: it has a character that nobody sees, so that it can look like
/// another name. `what` is the field as it is called on the wire. Nothing: it may.
[[nodiscard]] std::optional<std::string> invisible_in(std::string_view what, std::string_view name);

}  // namespace sluice::hub
