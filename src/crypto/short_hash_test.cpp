#include "crypto/short_hash.hpp"

#include <gtest/gtest.h>

#include "crypto/encoding.hpp"

namespace sluice::crypto {
namespace {

TEST(ShortHash, IsSipHashWith128Bits) {
  // vectors_sip128 of the authors' own program: key 00 01 .. 0f, messages of 0, 1 and 2 bytes.
  ShortHashKey key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  const ByteView message = ByteView{key}.first(2);
  EXPECT_EQ(to_hex(short_hash({}, key)), "a3817f04ba25a8e66df67214c7550293");
  EXPECT_EQ(to_hex(short_hash(message.first(1), key)), "da87c1d86b99af44347659119b22fc45");
  EXPECT_EQ(to_hex(short_hash(message, key)), "8177228da4a45dc7fca38bdef60affe4");
}

TEST(ShortHash, HangsOnItsKey) {
  EXPECT_NE(short_hash(as_bytes("x"), ShortHashKey{}), short_hash(as_bytes("x"), ShortHashKey{std::byte{1}}));
}

}  // namespace
}  // namespace sluice::crypto
