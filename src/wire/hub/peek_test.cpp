#include "wire/hub/peek.hpp"

#include <gtest/gtest.h>

#include "wire/hub/codec.hpp"

namespace sluice::wire::hub {
namespace {

ByteBuffer proto(const FromHub& message) {
  ByteBuffer bytes;
  append(bytes, Encoding::proto, message);
  return bytes;
}

Delivery usual() {
  return {.from = "ann",
          .to = {.kind = Conversation::Kind::group, .name = "ops"},
          .id = "m1",
          .position = {.epoch = 3, .offset = (std::uint64_t{1} << 40) + 5},
          .sent_at = 1'700'000'000'000,
          .content = {.kind = Content::Kind::data, .bytes = std::string(300, '\xFF')},
          .key = "k",
          .critical = true};
}

TEST(Glance, SeesWhatTheCodecDoes) {
  for (const bool replayed : {false, true}) {
    for (const auto kind : {Content::Kind::data, Content::Kind::text}) {
      Delivery delivery = usual();
      delivery.replayed = replayed;
      delivery.content = {.kind = kind, .bytes = std::string(300, 'x')};
      const ByteBuffer bytes = proto(delivery);
      const auto glance = glance_at_delivery(bytes);
      ASSERT_TRUE(glance);
      EXPECT_EQ(glance->position, delivery.position);
      EXPECT_EQ(glance->replayed, replayed);
      EXPECT_EQ(as_text(glance->content), delivery.content.bytes);
    }
  }
}

TEST(Glance, LeavesEverythingElseToTheCodec) {
  Delivery request = usual();
  request.request = "0.1.2";
  EXPECT_FALSE(glance_at_delivery(proto(request)));
  EXPECT_FALSE(glance_at_delivery(proto(Ack{.seq = 5})));
  EXPECT_FALSE(glance_at_delivery(proto(Welcome{.user = "ann"})));
  EXPECT_FALSE(glance_at_delivery({}));
}

TEST(Glance, TakesNothingThatIsCutOff) {
  const ByteBuffer whole = proto(usual());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(glance_at_delivery(ByteView{whole}.first(size))) << size;
  ByteBuffer more = whole;
  more.push_back(std::byte{0x08});
  EXPECT_FALSE(glance_at_delivery(more));
}

}  // namespace
}  // namespace sluice::wire::hub
