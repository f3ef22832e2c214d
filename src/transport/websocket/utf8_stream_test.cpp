#include "transport/websocket/utf8_stream.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/utf8.hpp"

namespace sluice::websocket {
namespace {

constexpr std::string_view kGood =
    "plain text, longer than eight \xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF "
    "\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF end of it";

TEST(Utf8Stream, TakesGoodTextCutAnywhere) {
  for (std::size_t cut = 0; cut <= kGood.size(); ++cut) {
    Utf8Stream stream;
    EXPECT_TRUE(stream.take(as_bytes(kGood.substr(0, cut))));
    EXPECT_EQ(stream.at_boundary(), is_utf8(kGood.substr(0, cut))) << cut;
    EXPECT_TRUE(stream.take(as_bytes(kGood.substr(cut))));
    EXPECT_TRUE(stream.at_boundary());
  }
}

TEST(Utf8Stream, RefusesAtTheFirstByteThatCannotBe) {
  for (const std::string_view bad :
       {"\x80", "\xC0", "\xC1", "\xF5", "\xFF", "\xC2\x7F", "\xC2\xC2", "\xE0\x9F", "\xED\xA0", "\xF0\x8F",
        "\xF4\x90", "\xE1\x80\x7F", "\xF1\x80\x80\xC0"}) {
    Utf8Stream stream;
    EXPECT_TRUE(stream.take(as_bytes("12345678abc")));
    EXPECT_TRUE(stream.take(as_bytes(bad.substr(0, bad.size() - 1))));
    EXPECT_FALSE(stream.take(as_bytes(bad.substr(bad.size() - 1))));
    EXPECT_FALSE(stream.take(as_bytes("good")));
    EXPECT_FALSE(stream.at_boundary());
  }
}

TEST(Utf8Stream, AgreesWithTheWholeText) {
  rc::check([](const std::string& text, std::size_t cut) {
    cut = text.empty() ? 0 : cut % text.size();
    Utf8Stream stream;
    const bool first = stream.take(as_bytes(std::string_view{text}.substr(0, cut)));
    const bool both = stream.take(as_bytes(std::string_view{text}.substr(cut)));
    RC_ASSERT((first && both && stream.at_boundary()) == is_utf8(text));
  });
}

}  // namespace
}  // namespace sluice::websocket
