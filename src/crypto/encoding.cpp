#include "crypto/encoding.hpp"

#include <sodium.h>

#include "crypto/secret.hpp"
#include "crypto/sodium.hpp"

namespace sluice::crypto {

std::string to_hex(ByteView bytes) {
  if (bytes.empty()) return {};
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), raw(bytes), bytes.size());
  text.pop_back();  // libsodium ends it with a zero
  return text;
}

std::optional<ByteBuffer> from_hex(std::string_view text) {
  if (text.empty()) return ByteBuffer{};  // libsodium wants somewhere to write to, even nothing
  if (text.size() % 2 != 0) return std::nullopt;
  ByteBuffer bytes(text.size() / 2);
  std::size_t count = 0;
  const char* end = nullptr;
  if (sodium_hex2bin(raw(ByteSpan{bytes}), bytes.size(), text.data(), text.size(), nullptr, &count, &end) !=
          0 ||
      end != text.data() + text.size()) {
    wipe(bytes);  // what could be read of it may be a secret all the same
    return std::nullopt;
  }
  return bytes;
}

std::string to_base64(ByteView bytes) {
  if (bytes.empty()) return {};
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), raw(bytes), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return text;
}

std::optional<ByteBuffer> from_base64(std::string_view text) {
  if (text.empty()) return ByteBuffer{};
  ByteBuffer bytes(text.size() / 4 * 3);
  std::size_t count = 0;
  const char* end = nullptr;
  if (text.size() % 4 != 0 ||
      sodium_base642bin(raw(ByteSpan{bytes}), bytes.size(), text.data(), text.size(), nullptr, &count, &end,
                        sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  bytes.resize(count);
  return bytes;
}

}  // namespace sluice::crypto
