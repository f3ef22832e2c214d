#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::hub::auth {

/// RFC 4648 §5 without padding, as RFC 7515 §2 has it. `nullopt` for any other character, for padding, white
/// space, a length that no encoder makes, and bits that no encoder leaves set: each text of bytes is the only
/// one.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

}  // namespace sluice::hub::auth
