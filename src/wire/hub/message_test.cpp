#include "wire/hub/message.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <google/protobuf/descriptor.h>
#include <sluice/v1/envelope.pb.h>
#include <string>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"

namespace sluice::wire::hub {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

TEST(HubMessage, NamesEveryReasonOfTheSchemaAndNoOther) {
  const auto& schema = *v1::Reason_descriptor();
  for (int number = 0; number < 256; ++number) {
    const auto* const value = schema.FindValueByNumber(number);
    EXPECT_EQ(name_of(static_cast<Reason>(number)), value == nullptr ? "unknown" : lower(value->name()));
  }
  EXPECT_EQ(schema.FindValueByNumber(static_cast<int>(kUnknownReason)), nullptr);
}

TEST(HubMessage, NamesEveryLevelOfTheSchemaAndNoOther) {
  const auto& schema = *v1::Level_descriptor();
  for (int number = 0; number < 256; ++number) {
    const auto* const value = schema.FindValueByNumber(number);
    EXPECT_EQ(name_of(static_cast<Level>(number)), value == nullptr ? "unknown" : lower(value->name()));
  }
}

TEST(HubMessage, HasAnAlternativeForEveryBodyOfTheSchema) {
  // Ack, Ping, Pong and Reply are in both.
  EXPECT_EQ(std::variant_size_v<FromClient> + std::variant_size_v<FromHub> - 4,
            static_cast<std::size_t>(v1::Envelope::descriptor()->field_count()));
}

TEST(HubMessage, TakesForANameWhatAPersonCanRead) {
  const std::size_t most = limits::kMaxName.count();
  for (const std::string& name : {std::string{"a"}, std::string{"ann@example.org"}, std::string{"Zoë €😀"},
                                  std::string(most, 'x'), std::string{"\xC2\xA0"}}) {
    EXPECT_TRUE(is_name(name)) << name;
  }
  for (const std::string& name :
       {std::string{}, std::string(most + 1, 'x'), std::string{"a\nb"}, std::string(1, '\0'),
        std::string{"\x7F"}, std::string{"a\xC2\x85"}, std::string{"\xC2\x9F"}, std::string{"\xFF"},
        std::string{"\xED\xA0\x80"}}) {
    EXPECT_FALSE(is_name(name)) << name;
  }
  EXPECT_TRUE(is_label("", Bytes{4}));
  EXPECT_TRUE(is_label("four", Bytes{4}));
  EXPECT_FALSE(is_label("fours", Bytes{4}));
}

}  // namespace
}  // namespace sluice::wire::hub
