#include "transport/webrtc/certificate.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::webrtc {
namespace {

TEST(Certificate, IsAnotherEachTime) {
  EXPECT_NE(Certificate::generate().fingerprint(), Certificate::generate().fingerprint());
}

TEST(Certificate, KeepsItsFingerprintWhenMoved) {
  Certificate first = Certificate::generate();
  const Fingerprint before = first.fingerprint();
  const Certificate second = std::move(first);
  EXPECT_EQ(second.fingerprint(), before);
}

TEST(Fingerprint, FormatsAsSdpHasIt) {
  Fingerprint::Digest digest{};
  digest[0] = std::byte{0x0a};
  digest[31] = std::byte{0xff};
  const std::string text = Fingerprint{digest}.format();
  EXPECT_EQ(text.substr(0, 6), "0A:00:");
  EXPECT_EQ(text.substr(text.size() - 5), "00:FF");
  EXPECT_EQ(text.size(), 95U);
}

TEST(Fingerprint, ParsesWhatItFormats) {
  rc::check([](const std::array<std::uint8_t, Fingerprint::kSize>& bytes) {
    Fingerprint::Digest digest;
    for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = std::byte{bytes[i]};
    const auto parsed = Fingerprint::parse(Fingerprint{digest}.format());
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(*parsed == Fingerprint{digest});
  });
}

TEST(Fingerprint, TakesSmallLetters) {
  std::string text = Certificate::generate().fingerprint().format();
  const auto capitals = Fingerprint::parse(text);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  EXPECT_EQ(*Fingerprint::parse(text), *capitals);
}

TEST(Fingerprint, RefusesWhatIsNotOne) {
  const std::string good = Certificate::generate().fingerprint().format();
  const std::string_view half = std::string_view{good}.substr(0, 47);
  std::string wrong_digit = good;
  wrong_digit[4] = 'G';
  std::string wrong_separator = good;
  wrong_separator[2] = '-';
  for (const std::string& text :
       {std::string{}, std::string{half}, good + ":00", wrong_digit, wrong_separator}) {
    const auto parsed = Fingerprint::parse(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::malformed);
  }
}

TEST(Fingerprint, DiffersWhenOneBitDoes) {
  const Fingerprint one = Certificate::generate().fingerprint();
  for (std::size_t i = 0; i < Fingerprint::kSize; ++i) {
    Fingerprint::Digest digest = one.digest();
    digest[i] ^= std::byte{1};
    EXPECT_NE(Fingerprint{digest}, one);
  }
}

}  // namespace
}  // namespace sluice::webrtc
