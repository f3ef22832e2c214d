#include "crypto/keyed_hash.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "crypto/encoding.hpp"
#include "crypto/random.hpp"

namespace sluice::crypto {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

TEST(KeyedHash, FieldsAreNotRunTogether) {
  const auto two = KeyedHash{"test"}.add(as_bytes("ab")).add(as_bytes("c")).digest();
  EXPECT_NE(two, KeyedHash{"test"}.add(as_bytes("a")).add(as_bytes("bc")).digest());
  EXPECT_NE(two, KeyedHash{"test"}.add(as_bytes("abc")).digest());
  EXPECT_NE(two, KeyedHash{"testa"}.add(as_bytes("b")).add(as_bytes("c")).digest());
  EXPECT_EQ(two, KeyedHash{"test"}.add(as_bytes("ab")).add(as_bytes("c")).digest());
}

TEST(KeyedHash, IsBlake2bOverLengthsAndFields) {
  // python3: blake2b(b"\0\0\0\4test\0\0\0\2ab", key=bytes(range(32)), digest_size=32).hexdigest()
  ByteBuffer key;
  for (int i = 0; i < 32; ++i) key.push_back(static_cast<std::byte>(i));
  EXPECT_EQ(to_hex((KeyedHash{"test", key}.add(as_bytes("ab")).digest())),
            "4b23fdc3e87cbcb02a4472b266f4980565e5fb15e8fca611d87edb04c65dcec6");
}

TEST(KeyedHash, HangsOnItsKey) {
  const auto key = random_secret<32>();
  EXPECT_EQ((KeyedHash{"test", key.expose()}.digest()), (KeyedHash{"test", key.expose()}.digest()));
  EXPECT_NE((KeyedHash{"test", key.expose()}.digest()), KeyedHash{"test"}.digest());
}

TEST(Secret, IsNeitherCopiedNorPrinted) {
  static_assert(!std::is_copy_constructible_v<Secret<32>>);
  static_assert(!std::is_copy_assignable_v<Secret<32>>);
  static_assert(!std::is_default_constructible_v<Secret<32>>);
  static_assert(!Printable<Secret<32>>);
}

TEST(Secret, IsWipedWhenMovedFrom) {
  auto secret = random_secret<32>();
  const auto taken = std::move(secret);
  EXPECT_EQ(to_hex(secret.expose()), std::string(64, '0'));  // NOLINT(bugprone-use-after-move)
  EXPECT_FALSE(taken == secret);
}

TEST(Secret, IsWipedWhenItGoes) {
  alignas(Secret<32>) std::array<std::byte, sizeof(Secret<32>)> place{};
  auto* secret = new (place.data()) Secret<32>{random_secret<32>()};
  EXPECT_NE(to_hex(secret->expose()), std::string(64, '0'));
  secret->~Secret();
  EXPECT_EQ(to_hex(place), std::string(64, '0'));
}

TEST(Encoding, ReadsBackWhatItWroteAndRefusesTheRest) {
  const auto bytes = random_bytes<33>();
  EXPECT_EQ(from_hex(to_hex(bytes)), to_buffer(bytes));
  EXPECT_EQ(from_base64(to_base64(bytes)), to_buffer(bytes));
  EXPECT_EQ(to_base64(as_bytes("fo")), "Zm8=");  // RFC 4648 §10
  EXPECT_EQ(from_base64(""), ByteBuffer{});
  EXPECT_EQ(from_hex(""), ByteBuffer{});
  for (const auto* text : {"Zm8", "Zm8 ", "Zm9=", "Zm8=Zm8=", "Zm-_", "=", "Z===", "Zm8=\n"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
  for (const auto* text : {"0", "0g", "00 11", " 00", "0x00"}) EXPECT_FALSE(from_hex(text)) << text;
}

TEST(Random, StaysBelowItsLimitAndReachesAll) {
  std::array<int, 5> seen{};
  for (int i = 0; i < 1000; ++i) ++seen.at(random_below(5));
  for (const int count : seen) EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace sluice::crypto
