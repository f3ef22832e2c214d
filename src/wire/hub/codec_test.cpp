#include "wire/hub/codec.hpp"

#include <cstddef>
#include <cstdint>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <sluice/v1/envelope.pb.h>
#include <string>
#include <string_view>
#include <variant>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "wire/hub/testing.hpp"

namespace sluice::wire::hub {
namespace {

using namespace testing;

using google::protobuf::util::MessageDifferencer;

// --- what was said is what is heard ---

TEST(HubCodec, DecodesWhatAClientSaid) {
  check_each_from_client([](const FromClient& message) {
    for (const Encoding encoding : kBoth) {
      const auto back = heard(encoding, encoded(encoding, message));
      RC_ASSERT(back.has_value());
      RC_ASSERT(*back == message);
    }
  });
}

TEST(HubCodec, DecodesWhatAHubSaid) {
  check_each_from_hub([](const FromHub& message) {
    for (const Encoding encoding : kBoth) {
      const auto back = heard_from_hub(encoding, encoded(encoding, message));
      RC_ASSERT(back.has_value());
      RC_ASSERT(*back == message);
    }
  });
}

TEST(HubCodec, AppendsBehindWhatIsThere) {
  for (const Encoding encoding : kBoth) {
    ByteBuffer out = to_buffer(as_bytes("before"));
    append(out, encoding, FromClient{publish()});
    EXPECT_EQ(as_text(ByteView{out}.first(6)), "before");
    EXPECT_EQ(to_buffer(ByteView{out}.subspan(6)), encoded(encoding, FromClient{publish()}));
  }
}

TEST(HubCodec, WritesTheJsonThatProtobufReads) {
  check_each_from_hub([](const FromHub& message) {
    v1::Envelope expected;
    const ByteBuffer proto = encoded(Encoding::proto, message);
    RC_ASSERT(expected.ParseFromArray(proto.data(), static_cast<int>(proto.size())));
    v1::Envelope read;
    RC_ASSERT(google::protobuf::util::JsonStringToMessage(json_of(message), &read).ok());
    RC_ASSERT(MessageDifferencer::Equals(read, expected));
  });
}

TEST(HubCodec, ReadsTheJsonThatProtobufWrites) {
  check_each_from_client([](const FromClient& message) {
    const ByteBuffer proto = encoded(Encoding::proto, message);
    v1::Envelope envelope;
    RC_ASSERT(envelope.ParseFromArray(proto.data(), static_cast<int>(proto.size())));
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = *rc::gen::arbitrary<bool>();
    options.always_print_primitive_fields = *rc::gen::arbitrary<bool>();
    options.always_print_enums_as_ints = *rc::gen::arbitrary<bool>();
    options.preserve_proto_field_names = *rc::gen::arbitrary<bool>();
    std::string json;
    RC_ASSERT(google::protobuf::util::MessageToJsonString(envelope, &json, options).ok());
    const auto back = read(json);
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == message);
  });
}

// --- JSON for people ---

TEST(HubCodec, TakesJsonAsAPersonTypesIt) {
  EXPECT_EQ(read(R"({"hello":{"user":"ann"}})"), FromClient{Hello{.user = "ann"}});
  EXPECT_EQ(read(R"({"publish":{"seq":1,"id":"m1","to":{"group":"ops"},"content":{"text":"hi"}}})"),
            FromClient{publish()});
  EXPECT_EQ(read(" {\n \"publish\" : {\"content\":{\"text\":\"h\\u0069\"},\"to\":{\"group\":\"ops\"},"
                 "\"id\":\"m1\",\"seq\":\"1\",\"level\":\"ACCEPTED\"}}\r\n"),
            FromClient{publish()});
  EXPECT_EQ(read(R"({"join":{"group":"ops","from":{"epoch":"1","offset":1e1},"presence":true}})"),
            (FromClient{Join{.group = "ops", .from = Position{.epoch = 1, .offset = 10}, .presence = true}}));
  EXPECT_EQ(read(R"({"join":{"group":"ops","from":null}})"), (FromClient{Join{.group = "ops"}}));
  EXPECT_EQ(
      read(R"({"pull":{"conversation":{"user":"ann"},"first":4}})"),
      (FromClient{Pull{.conversation = {.kind = Conversation::Kind::user, .name = "ann"}, .first = 4}}));
  EXPECT_EQ(read(R"({"ping":{}})"), FromClient{Ping{}});
  EXPECT_EQ(read(R"({"ack":{"seq":18446744073709551615}})"), FromClient{Ack{.seq = UINT64_MAX}});
  // Names as the schema has them, and as its JSON mapping has them.
  EXPECT_EQ(read(R"({"hello":{"resume":{"session_token":"t"}}})"),
            read(R"({"hello":{"resume":{"sessionToken":"t"}}})"));
}

TEST(HubCodec, TakesDataInEitherAlphabetOfBase64PaddedOrNot) {
  for (const std::string_view data : {"-_8=", "-_8", "+/8=", "+/8"}) {
    const auto reply = read(R"({"reply":{"request":"r","content":{"data":")" + std::string{data} + "\"}}}");
    ASSERT_TRUE(reply) << data;
    EXPECT_EQ(std::get<Reply>(*reply).content, (Content{.kind = Content::Kind::data, .bytes = "\xFB\xFF"}));
  }
  for (const std::string_view data : {"-", "a b=", "aGk\\n", "*", "===="}) {
    EXPECT_EQ(answer_to(R"({"reply":{"request":"r","content":{"data":")" + std::string{data} + "\"}}}"),
              Reason::malformed)
        << data;
  }
}

TEST(HubCodec, WritesJsonThatAPersonCanRead) {
  EXPECT_EQ(json_of(Delivery{.from = "ann",
                             .to = {.kind = Conversation::Kind::all},
                             .id = "m\"1\"",
                             .position = {.epoch = 1, .offset = 7},
                             .sent_at = 1700000000000,
                             .content = {.kind = Content::Kind::text, .bytes = "a\\b\n\t\r\x01 <é>"},
                             .critical = true}),
            R"({"delivery":{"from":"ann","to":{"all":true},"id":"m\"1\"","epoch":"1","offset":"7",)"
            R"("sentAtMs":"1700000000000","content":{"text":"a\\b\n\t\r\u0001 <é>"},"critical":true}})");
  EXPECT_EQ(json_of(Receipt{.seq = 3, .id = "m3", .reason = Reason::rate_limited, .retry_after_ms = 20}),
            R"({"receipt":{"seq":"3","id":"m3","reason":"RATE_LIMITED","retryAfterMs":20}})");
  EXPECT_EQ(json_of(Reply{.request = "r", .content = {.bytes = "\xFB\xFF"}}),
            R"({"reply":{"request":"r","content":{"data":"+/8="}}})");
  EXPECT_EQ(json_of(Left{.group = "ops", .reason = Reason{99}}), R"({"left":{"group":"ops","reason":99}})");
  EXPECT_EQ(json_of(Pong{}), R"({"pong":{}})");
}

TEST(HubCodec, EscapesEachCharacterThatMustBeAndNoOther) {
  for (int c = 0; c < 0x80; ++c) {
    const Reply reply{.request = "r", .content = {.kind = Content::Kind::text, .bytes{static_cast<char>(c)}}};
    const std::string json = json_of(reply);
    EXPECT_EQ(json.contains('\\'), c < 0x20 || c == '"' || c == '\\') << c;
    EXPECT_EQ(heard_from_hub(Encoding::json, as_bytes(json)), FromHub{reply}) << c;
  }
}

// --- what this side does not know ---

TEST(HubCodec, SkipsFieldsThatItDoesNotKnow) {
  EXPECT_EQ(read(R"({"ping":{"nonce":4,"later":[{"x":[null,1.5,"y"]}]},"alsoLater":{}})"),
            FromClient{Ping{.nonce = 4}});
  v1::Envelope ping;
  ping.mutable_ping()->set_nonce(4);
  std::string later = ping.SerializeAsString();
  later += std::string{"\xFA\x3E\x03new", 6};  // field 1007, three bytes long
  EXPECT_EQ(heard(Encoding::proto, as_bytes(later)), FromClient{Ping{.nonce = 4}});
}

TEST(HubCodec, SaysThatItDoesNotKnowAMessageOrALevel) {
  EXPECT_EQ(answer_to("{}"), Reason::unsupported);
  EXPECT_EQ(answer_to(R"({"hello":null})"), Reason::unsupported);
  EXPECT_EQ(answer_to(R"({"frobnicate":{"x":1}})"), Reason::unsupported);
  EXPECT_EQ(answer_to(Encoding::proto, {}), Reason::unsupported);
  EXPECT_EQ(answer_to(Encoding::proto, as_bytes(std::string_view{"\xFA\x3E\x00", 3})), Reason::unsupported);
  for (const std::string_view level : {"3", "-1", "\"FOREVER\"", "\"stored\"", "2147483647"}) {
    EXPECT_EQ(answer_to(R"({"publish":{"seq":1,"id":"m","to":{"group":"g"},"content":{"text":""},"level":)" +
                        std::string{level} + "}}"),
              Reason::unsupported)
        << level;
  }
}

TEST(HubCodec, KeepsReasonsThatItDoesNotKnow) {
  const auto reason_of = [](std::string_view reason) -> std::optional<Reason> {
    const auto reply = read(R"({"reply":{"request":"r","reason":)" + std::string{reason} + "}}");
    return reply ? std::optional{std::get<Reply>(*reply).reason} : std::nullopt;
  };
  EXPECT_EQ(reason_of("\"OFFLINE\""), Reason::offline);
  EXPECT_EQ(reason_of("30"), Reason::offline);
  EXPECT_EQ(reason_of("254"), Reason{254});
  EXPECT_EQ(reason_of("256"), kUnknownReason);
  EXPECT_EQ(reason_of("-1"), kUnknownReason);
  EXPECT_EQ(reason_of("\"TOO_TIRED\""), kUnknownReason);
  EXPECT_EQ(reason_of("true"), std::nullopt);
  EXPECT_EQ(reason_of("4294967296"), std::nullopt);
}

TEST(HubCodec, KnowsWhichSideSaysWhat) {
  check_each_from_hub([](const FromHub& message) {
    const bool may_be_a_clients =
        std::holds_alternative<Ack>(message) || std::holds_alternative<Ping>(message) ||
        std::holds_alternative<Pong>(message) || std::holds_alternative<Reply>(message);
    for (const Encoding encoding : kBoth) {
      const Reason reason = answer_to(encoding, encoded(encoding, message));
      RC_ASSERT(reason == (may_be_a_clients ? Reason::none : Reason::protocol_violation));
    }
  });
  const auto publish_from_hub =
      decode_from_hub(Encoding::json, encoded(Encoding::json, FromClient{publish()}));
  EXPECT_EQ(publish_from_hub.error().code, Errc::protocol_violation);
}

}  // namespace
}  // namespace sluice::wire::hub
