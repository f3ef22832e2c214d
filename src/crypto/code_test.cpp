#include "crypto/code.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "crypto/encoding.hpp"
#include "crypto/word_list.hpp"

namespace sluice::crypto {
namespace {

std::string message_for(std::string_view text) {
  const auto code = Code::parse(text);
  if (code) return "parsed";
  EXPECT_EQ(code.error().code, Errc::invalid_argument);
  return code.error().message;
}

std::string pgp_words(std::string_view hex) {
  std::string text;
  const ByteBuffer bytes = *from_hex(hex);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0) text += ' ';
    text += word_list(i % 2 == 0 ? Syllables::two : Syllables::three)[std::to_integer<std::size_t>(bytes[i])];
  }
  return text;
}

TEST(WordList, Has512DifferentWords) {
  std::set<std::string_view> all;
  for (const auto syllables : {Syllables::two, Syllables::three}) {
    for (const auto word : word_list(syllables)) {
      all.insert(word);
      EXPECT_TRUE(std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; })) << word;
    }
  }
  EXPECT_EQ(all.size(), 512U);
}

TEST(WordList, IsAlphabeticalButForOnePublishedPair) {
  EXPECT_TRUE(std::ranges::is_sorted(word_list(Syllables::two)));
  const auto words = word_list(Syllables::three);
  std::vector<std::string_view> fixed{words.begin(), words.end()};
  std::swap(fixed[0x09], fixed[0x0A]);
  EXPECT_TRUE(std::ranges::is_sorted(fixed));
}

TEST(WordList, HasThePublishedPairsAndSpellsThePublishedExample) {
  EXPECT_EQ(pgp_words("0000"), "aardvark adroitness");
  EXPECT_EQ(pgp_words("7f80"), "lockup intention");
  EXPECT_EQ(pgp_words("ffff"), "zulu yucatan");
  // The fingerprint that the article spells out.
  EXPECT_EQ(
      pgp_words("e58294f2e9a227486e8b061b31cc528fd7fa3f19"),
      "topmost istanbul pluto vagabond treadmill pacific brackish dictator goldfish medusa afflict bravado "
      "chatter revolver dupont midsummer stopwatch whimsical cowbell bottomless");
}

TEST(Code, ReadsWhatItWrites) {
  const Code code{.mailbox = "7", .words = {0x6E, 0x07, 0xE2}};
  EXPECT_EQ(code.text(), "7-goldfish-amusement-tiger");
  EXPECT_EQ(Code::parse(code.text()).value(), code);
  EXPECT_TRUE(rc::check([](const std::array<std::uint8_t, 3>& words, std::uint32_t number) {
    const Code any{.mailbox = std::to_string(number % 999'999'999 + 1), .words = words};
    RC_ASSERT(Code::parse(any.text()).value() == any);
  }));
}

TEST(Code, TakesWhatPeopleType) {
  const Code code{.mailbox = "42", .words = {0x6E, 0x07, 0xE2}};
  for (const auto* text :
       {"42-Goldfish-Amusement-Tiger", " 42 goldfish amusement tiger\n", "42_GOLDFISH_AMUSEMENT_TIGER",
        "42. goldfish - amusement - tiger", "42\tgoldfish  amusement\ttiger\r\n"}) {
    EXPECT_EQ(Code::parse(text).value(), code) << text;
  }
}

TEST(Code, NamesTheUnknownWordAndWhatIsNear) {
  EXPECT_EQ(message_for("7-goldfisch-amusement-tiger"),
            "\"goldfisch\", word 1 of the code, is not in the word list. Did you mean \"goldfish\"?");
  EXPECT_EQ(message_for("7-goldfish-amusment-tiger"),
            "\"amusment\", word 2 of the code, is not in the word list. Did you mean \"amusement\"?");
  EXPECT_EQ(message_for("7-goldfish-amusement-qqqqqq"),
            "\"qqqqqq\", word 3 of the code, is not in the word list.");
  EXPECT_NE(message_for("7-goldfish-amusement-tigre").find("\"tiger\""), std::string::npos);
}

TEST(Code, SaysWhenWordsAreOutOfOrder) {
  EXPECT_NE(message_for("7-amusement-goldfish-tiger").find("are the words in order"), std::string::npos);
}

TEST(Code, SaysWhatIsMissing) {
  EXPECT_NE(message_for("").find("empty"), std::string::npos);
  EXPECT_NE(message_for(" \n").find("empty"), std::string::npos);
  EXPECT_NE(message_for("goldfish-amusement-tiger").find("begins with a number"), std::string::npos);
  EXPECT_NE(message_for("7-goldfish-amusement").find("this one has 2"), std::string::npos);
  EXPECT_NE(message_for("7-goldfish-amusement-tiger-aardvark").find("this one has 4"), std::string::npos);
  EXPECT_NE(message_for("007-goldfish-amusement-tiger").find("no mailbox"), std::string::npos);
  EXPECT_NE(message_for("1234567890-goldfish-amusement-tiger").find("no mailbox"), std::string::npos);
  EXPECT_NE(message_for(std::string(200, '7')).find("too long"), std::string::npos);
}

TEST(Code, ShowsNoControlCharactersAgain) {
  const std::string message = message_for("7-gold\x1b[31mfish-amusement-tiger");
  EXPECT_TRUE(std::ranges::all_of(message, [](char c) { return static_cast<unsigned char>(c) >= 0x20; }))
      << message;
}

TEST(Code, AnyBytesParseOrFailWithASentence) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    const auto code = Code::parse(text);
    RC_ASSERT(code || !code.error().message.empty());
  }));
}

TEST(Code, PasswordHangsOnTheWordsAlone) {
  const Code code{.mailbox = "7", .words = {1, 2, 3}};
  EXPECT_TRUE(code.password() == (Code{.mailbox = "8", .words = {1, 2, 3}}).password());
  EXPECT_FALSE(code.password() == (Code{.mailbox = "7", .words = {1, 2, 4}}).password());
}

TEST(Code, RandomOnesDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(Code::random("7").text());
  EXPECT_GT(seen.size(), 98U);  // one collision in 100: 3 in 10,000
}

}  // namespace
}  // namespace sluice::crypto
