#include "observe/printable.hpp"

#include <gtest/gtest.h>

namespace sluice::observe {
namespace {

using namespace std::string_view_literals;

TEST(Printable, LeavesTextOfEveryLanguageAlone) {
  for (const std::string_view text :
       {""sv, "plain ~ text"sv, "Grüße, мир, 世界, 🐟"sv, "\u00A0\u07FF\u0800\uFFFD"sv})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesEveryControlCharacter) {
  EXPECT_EQ(printable("\x1b[2J\a\r\n\t\0end\x7f"sv), R"(\u001b[2J\u0007\u000d\u000a\u0009\u0000end\u007f)");
  EXPECT_EQ(printable("\u0080 \u0085 \u009b31m \u009f"), R"(\u0080 \u0085 \u009b31m \u009f)");
}

TEST(Printable, EscapesWhatTurnsTextRoundHidesOrEndsALine) {
  EXPECT_EQ(printable("invoice\u202Efdp.exe"), R"(invoice\u202efdp.exe)");
  EXPECT_EQ(printable("\u2066a\u2069 ad\u200Bmin \uFEFF \u2028\u2029"),
            R"(\u2066a\u2069 ad\u200bmin \ufeff \u2028\u2029)");
  EXPECT_EQ(printable("\U000E0041"), R"(\udb40\udc41)") << "as JSON has it";
}

TEST(Printable, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(printable("\x9b[2J"), "\uFFFD[2J");        // C1 as eight-bit terminals have it
  EXPECT_EQ(printable("\xC2"), "\uFFFD");              // cut short
  EXPECT_EQ(printable("\xE4\xB8!"), "\uFFFD\uFFFD!");  // cut short by another character
  EXPECT_EQ(printable("\xC0\x9b\xE0\x82\x9b"), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");  // longer than need be
  EXPECT_EQ(printable("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");                      // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");            // beyond Unicode
}

}  // namespace
}  // namespace sluice::observe
