#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace sluice::crypto {

/// Lower-case hexadecimal digits, two a byte.
[[nodiscard]] std::string to_hex(ByteView bytes);
/// Takes digits of either case and nothing else; `nullopt` for anything that is not whole bytes of them.
[[nodiscard]] std::optional<ByteBuffer> from_hex(std::string_view text);

/// RFC 4648 §4: the standard alphabet, padded.
[[nodiscard]] std::string to_base64(ByteView bytes);
/// `nullopt` for other characters, missing or misplaced padding, white space, and bits that no encoder leaves
/// set.
[[nodiscard]] std::optional<ByteBuffer> from_base64(std::string_view text);

}  // namespace sluice::crypto
