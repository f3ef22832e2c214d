#include "crypto/seal.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "crypto/encoding.hpp"
#include "crypto/random.hpp"

namespace sluice::crypto {
namespace {

struct Ends {
  SealKey key = random_secret<32>();
  Sealer sealer{key.clone()};
  Opener opener{key.clone()};
};

Errc code_of(const Result<ByteBuffer>& result) {
  EXPECT_FALSE(result);
  return result ? Errc::io : result.error().code;
}

TEST(Seal, OpensWhatWasSealedInOrder) {
  Ends ends;
  for (const std::string_view text : {"first", "", "third"}) {
    const ByteBuffer sealed = ends.sealer.seal(as_bytes(text));
    EXPECT_EQ(sealed.size(), text.size() + kSealOverhead);
    const auto opened = ends.opener.open(sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(as_text(*opened), text);
  }
}

TEST(Seal, RefusesAReplay) {
  Ends ends;
  const ByteBuffer sealed = ends.sealer.seal(as_bytes("once"));
  ASSERT_TRUE(ends.opener.open(sealed));
  const auto again = ends.opener.open(sealed);
  EXPECT_EQ(code_of(again), Errc::protocol_violation);
  EXPECT_NE(again.error().message.find("second time"), std::string::npos);
}

TEST(Seal, RefusesAGapAndARearrangementYetStillTakesTheNext) {
  Ends ends;
  const ByteBuffer first = ends.sealer.seal(as_bytes("first"));
  const ByteBuffer second = ends.sealer.seal(as_bytes("second"));
  const auto early = ends.opener.open(second);
  EXPECT_EQ(code_of(early), Errc::protocol_violation);
  EXPECT_NE(early.error().message.find("missing or out of order"), std::string::npos);
  EXPECT_TRUE(ends.opener.open(first));
  EXPECT_TRUE(ends.opener.open(second));
}

TEST(Seal, RefusesEveryTruncationAndExtension) {
  Ends ends;
  const ByteBuffer sealed = ends.sealer.seal(as_bytes("some text"));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_EQ(code_of(ends.opener.open(ByteView{sealed}.first(size))), Errc::malformed) << size;
  }
  ByteBuffer longer = sealed;
  longer.push_back(std::byte{0});
  EXPECT_EQ(code_of(ends.opener.open(longer)), Errc::malformed);
}

TEST(Seal, RefusesEveryBitFlip) {
  Ends ends;
  ASSERT_TRUE(ends.opener.open(ends.sealer.seal(as_bytes("so that a replay can be told from a gap"))));
  const ByteBuffer sealed = ends.sealer.seal(as_bytes("some text"));
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    ByteBuffer flipped = sealed;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    const Errc code = code_of(ends.opener.open(flipped));
    const Errc expected = bit < 8 * 8    ? Errc::protocol_violation
                          : bit < 12 * 8 ? Errc::malformed
                                         : Errc::wrong_code;
    EXPECT_EQ(code, expected) << bit;
  }
  EXPECT_TRUE(ends.opener.open(sealed));
}

TEST(Seal, RefusesATruncationWhoseLengthWasMadeToFit) {
  Ends ends;
  ByteBuffer sealed = ends.sealer.seal(as_bytes("some text"));
  sealed.pop_back();
  --reinterpret_cast<unsigned char&>(sealed[11]);
  EXPECT_EQ(code_of(ends.opener.open(sealed)), Errc::wrong_code);
}

TEST(Seal, RefusesAnotherKey) {
  Ends ends;
  Opener stranger{random_secret<32>()};
  EXPECT_EQ(code_of(stranger.open(ends.sealer.seal(as_bytes("text")))), Errc::wrong_code);
}

TEST(Seal, AnyBytesOpenToAnError) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
    Opener opener{random_secret<32>()};
    RC_ASSERT(!opener.open(std::as_bytes(std::span{bytes})));
  }));
}

}  // namespace
}  // namespace sluice::crypto
