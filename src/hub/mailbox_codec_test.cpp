#include "hub/mailbox_codec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
constexpr std::string_view kName = "0123456789abcdef0123456789abcdef";

template <typename T>
T read(std::string_view text) {
  auto request = decode_request(text);
  EXPECT_TRUE(request) << (request ? "" : request.error().message);
  return request ? std::get<T>(*request) : T{};
}

Errc refusal(std::string_view text) {
  const auto request = decode_request(text);
  EXPECT_FALSE(request) << text;
  return request ? Errc::cancelled : request.error().code;
}

TEST(MailboxCodec, ReadsEveryRequest) {
  EXPECT_EQ(read<Open>(R"({"type":"open"})").name, std::nullopt);
  EXPECT_EQ(read<Open>(R"({"type":"open","name":"0123456789abcdef0123456789abcdef"})").name, kName);
  EXPECT_EQ(read<Join>(R"({"type":"join","mailbox":"7"})").mailbox, "7");
  EXPECT_EQ(read<Join>(R"({"mailbox":"0123456789abcdef0123456789abcdef","type":"join"})").mailbox, kName);
  EXPECT_EQ(read<Relay>(R"({"type":"message","body":"aGk="})").body, "aGk=");
  EXPECT_EQ(read<Relay>(R"({"type":"message","body":"","introduction":3})").introduction, 3U);
  EXPECT_EQ(read<Release>(R"({"type":"release"})").introduction, std::nullopt);
  EXPECT_EQ(read<Release>(R"({"type":"release","introduction":18446744073709551615})").introduction, ~0ULL);
  read<Burn>(R"({"type":"burn"})");
  read<Ping>(R"( {"type" : "ping"} )");
}

TEST(MailboxCodec, IgnoresMembersThatItDoesNotKnow) {
  read<Ping>(R"({"type":"ping","since":{"a":[1]}})");
}

TEST(MailboxCodec, RefusesWhatIsNoRequest) {
  for (const std::string_view text : {
           "",
           "x",
           "null",
           "[]",
           "\"open\"",
           "{",
           R"({"type":"open"} x)",
           R"({"type":7})",
           R"({"type":"close"})",
           "{}",
           R"({"type":"open","name":7})",
           R"({"type":"open","name":"0123"})",
           R"({"type":"open","name":"0123456789ABCDEF0123456789abcdef"})",
           R"({"type":"join"})",
           R"({"type":"join","mailbox":7})",
           R"({"type":"join","mailbox":""})",
           R"({"type":"join","mailbox":"07"})",
           R"({"type":"join","mailbox":"1234567890"})",
           R"({"type":"join","mailbox":"-7"})",
           R"({"type":"message"})",
           R"({"type":"message","body":"a"})",
           R"({"type":"message","body":"a==="})",
           R"({"type":"message","body":"ab\u0000="})",
           R"({"type":"message","body":"a-_="})",
           R"({"type":"message","body":"","introduction":-1})",
           R"({"type":"message","body":"","introduction":1.5})",
           R"({"type":"message","body":"","introduction":1.0})",
           R"({"type":"release","introduction":"1"})",
           R"({"type":"ping","deep":[[[[[[]]]]]]})",
           "{\"type\":\"ping\",\"bad\":\"\xff\"}",
       }) {
    EXPECT_EQ(refusal(text), Errc::malformed);
  }
}

TEST(MailboxCodec, RefusesWhatIsTooLarge) {
  const auto of_size = [](std::size_t size) {
    const std::string head = R"({"type":"message","body":")";
    return head + std::string(size - head.size() - 2, 'A') + "\"}";
  };
  EXPECT_TRUE(decode_request(of_size(32 * 1024 - (32 * 1024 - 28) % 4)));
  EXPECT_EQ(refusal(of_size(32 * 1024 + 1)), Errc::limit_exceeded);
}

TEST(MailboxCodec, NeverThrowsWhateverTheText) {
  EXPECT_TRUE(rc::check("any text", [](const std::string& text) { (void)decode_request(text); }));
  EXPECT_TRUE(rc::check("a cut request", [] {
    const std::string text = R"({"type":"message","body":"aGk=","introduction":12})";
    const auto size = *rc::gen::inRange<std::size_t>(0, text.size());
    RC_ASSERT(!decode_request(text.substr(0, size)));
  }));
}

TEST(MailboxCodec, WritesEveryReply) {
  EXPECT_EQ(encode_reply(Opened{.mailbox = "7", .expires_in = 600s}),
            R"({"type":"opened","mailbox":"7","expires_in_s":600})");
  EXPECT_EQ(encode_reply(Opened{.mailbox = std::string{kName}, .expires_in = {}}),
            R"({"type":"opened","mailbox":"0123456789abcdef0123456789abcdef"})");
  EXPECT_EQ(encode_reply(Joined{}), R"({"type":"joined"})");
  EXPECT_EQ(encode_reply(PeerJoined{.introduction = 4}), R"({"type":"peer_joined","introduction":4})");
  EXPECT_EQ(encode_reply(PeerLeft{.reason = LeaveReason::lost}), R"({"type":"peer_left","reason":"lost"})");
  EXPECT_EQ(encode_reply(Delivered{.body = "aGk="}), R"({"type":"message","body":"aGk="})");
  EXPECT_EQ(encode_reply(Expired{}), R"({"type":"expired"})");
  EXPECT_EQ(encode_reply(Pong{}), R"({"type":"pong"})");
  EXPECT_EQ(
      encode_reply(Refusal{.code = RefusalCode::too_many_tries, .message = "no", .retry_after = 1500ms}),
      R"({"type":"error","code":"too_many_tries","message":"no","retry_after_ms":1500})");
}

}  // namespace
}  // namespace sluice::hub
