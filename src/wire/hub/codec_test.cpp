#include "wire/hub/codec.hpp"

#include <cstddef>
#include <cstdint>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <optional>
#include <sluice/v1/envelope.pb.h>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/hub_limits.hpp"
#include "wire/hub/testing.hpp"

namespace sluice::wire::hub {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr Encoding kBoth[] = {Encoding::proto, Encoding::json};

template <typename Message>
ByteBuffer encoded(Encoding encoding, const Message& message) {
  ByteBuffer out;
  append(out, encoding, message);
  return out;
}

std::string json_of(const FromHub& message) {
  return std::string{as_text(encoded(Encoding::json, message))};
}

std::optional<FromClient> heard(Encoding encoding, ByteView message) {
  auto decoded = decode_from_client(encoding, message);
  return decoded ? std::optional{std::move(*decoded)} : std::nullopt;
}
std::optional<FromHub> heard_from_hub(Encoding encoding, ByteView message) {
  auto decoded = decode_from_hub(encoding, message);
  return decoded ? std::optional{std::move(*decoded)} : std::nullopt;
}
std::optional<FromClient> read(std::string_view json) {
  return heard(Encoding::json, as_bytes(json));
}

/// What a hub would answer to this; none when it decodes.
Reason answer_to(Encoding encoding, ByteView message) {
  const auto decoded = decode_from_client(encoding, message);
  return decoded ? Reason::none : reason_for(decoded.error());
}
Reason answer_to(std::string_view json) {
  return answer_to(Encoding::json, as_bytes(json));
}
Reason answer_to(const v1::Envelope& envelope) {
  return answer_to(Encoding::proto, as_bytes(envelope.SerializeAsString()));
}

/// The same in both encodings, or else `kUnknownReason`.
Reason answer_to(const FromClient& message) {
  const Reason proto = answer_to(Encoding::proto, encoded(Encoding::proto, message));
  const Reason json = answer_to(Encoding::json, encoded(Encoding::json, message));
  return proto == json ? proto : kUnknownReason;
}

Publish publish() {
  return {.seq = 1,
          .id = "m1",
          .to = {.kind = Conversation::Kind::group, .name = "ops"},
          .content = {.kind = Content::Kind::text, .bytes = "hi"}};
}

/// Each kind is tried in each run.
void check_each_from_client(void (*property)(const FromClient&)) {
  EXPECT_TRUE(rc::check([&] {
    for (std::size_t kind = 0; kind < std::variant_size_v<FromClient>; ++kind) {
      property(testing::any_from_client(kind));
    }
  }));
}
void check_each_from_hub(void (*property)(const FromHub&)) {
  EXPECT_TRUE(rc::check([&] {
    for (std::size_t kind = 0; kind < std::variant_size_v<FromHub>; ++kind)
      property(testing::any_from_hub(kind));
  }));
}

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

// --- bounds ---

TEST(HubCodec, BoundsNamesIdsAndKeys) {
  const std::string longest(limits::kMaxName.count(), 'x');
  const std::string too_long = longest + "x";
  const auto with = [](auto change) {
    Publish message = publish();
    change(message);
    return FromClient{message};
  };
  EXPECT_EQ(answer_to(with([&](Publish& m) { m.id = m.key = m.to.name = longest; })), Reason::none);
  for (const std::string& bad : {too_long, std::string{"a\tb"}, std::string{"\xC2\x80"}}) {
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.id = bad; })), Reason::malformed);
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.key = bad; })), Reason::malformed);
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.to.name = bad; })), Reason::malformed);
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.to = {Conversation::Kind::user, bad}; })),
              Reason::malformed);
    for (const FromClient& message :
         {FromClient{Hello{.user = bad}}, FromClient{Join{.group = bad}}, FromClient{Leave{.group = bad}},
          FromClient{Who{.group = bad}}, FromClient{Reply{.request = bad}},
          FromClient{Pull{.conversation = {Conversation::Kind::group, bad}}},
          FromClient{Request{.seq = 1, .id = bad, .user = "u"}},
          FromClient{Request{.seq = 1, .id = "i", .user = bad}}}) {
      EXPECT_EQ(answer_to(message), Reason::malformed) << message.index();
    }
  }
  for (const FromClient& message :
       {with([](Publish& m) { m.id.clear(); }), with([](Publish& m) { m.to.name.clear(); }),
        with([](Publish& m) { m.seq = 0; }), FromClient{Join{}}, FromClient{Leave{}}, FromClient{Who{}},
        FromClient{Reply{}}, FromClient{Request{.seq = 1, .user = "u"}},
        FromClient{Request{.seq = 1, .id = "i"}}, FromClient{Request{.id = "i", .user = "u"}}}) {
    EXPECT_EQ(answer_to(message), Reason::malformed) << message.index();
  }
  EXPECT_EQ(answer_to(FromClient{Hello{}}), Reason::none);  // a token may say who it is
}

TEST(HubCodec, BoundsTokensAndExplanations) {
  const std::string token(limits::kMaxToken.count(), 't');
  EXPECT_EQ(answer_to(FromClient{Hello{.token = token}}), Reason::none);
  EXPECT_EQ(answer_to(FromClient{Hello{.token = token + "t"}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Refresh{.token = token}}), Reason::none);
  EXPECT_EQ(answer_to(FromClient{Refresh{.token = token + "t"}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Refresh{}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Hello{.resume = Resume{.session_token = token}}}), Reason::none);
  EXPECT_EQ(answer_to(FromClient{Hello{.resume = Resume{.session_token = token + "t"}}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Hello{.resume = Resume{}}}), Reason::malformed);
  const std::string agent(limits::kMaxExplanation.count(), 'a');
  EXPECT_EQ(answer_to(FromClient{Hello{.agent = agent}}), Reason::none);
  EXPECT_EQ(answer_to(FromClient{Hello{.agent = agent + "a"}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Hello{.agent = "a\nforged line"}}), Reason::malformed);
  v1::Envelope reply;
  reply.mutable_reply()->set_request("r");
  reply.mutable_reply()->set_reason(v1::OFFLINE);
  reply.mutable_reply()->set_message(agent);
  EXPECT_EQ(answer_to(reply), Reason::none);
  reply.mutable_reply()->set_message(agent + "a");
  EXPECT_EQ(answer_to(reply), Reason::malformed);
}

TEST(HubCodec, BoundsPositions) {
  const auto hello = [](std::size_t positions) {
    Hello message{.resume = Resume{.session_token = "t"}};
    message.resume->positions.assign(positions, {.conversation = {Conversation::Kind::group, "g"}});
    return FromClient{message};
  };
  EXPECT_EQ(answer_to(hello(limits::kMaxPositions)), Reason::none);
  EXPECT_EQ(answer_to(hello(limits::kMaxPositions + 1)), Reason::malformed);
  const std::uint64_t last = limits::kMaxPosition;
  const Conversation inbox{.kind = Conversation::Kind::user, .name = "ann"};
  EXPECT_EQ(answer_to(FromClient{Join{.group = "g", .from = Position{last, last}}}), Reason::none);
  EXPECT_EQ(answer_to(FromClient{Join{.group = "g", .from = Position{last + 1, 0}}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Join{.group = "g", .from = Position{0, last + 1}}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Pull{.conversation = inbox, .epoch = last, .first = last, .last = last}}),
            Reason::none);
  EXPECT_EQ(answer_to(FromClient{Pull{.conversation = inbox, .epoch = last + 1}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Pull{.conversation = inbox, .first = last + 1}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Pull{.conversation = inbox, .last = UINT64_MAX}}), Reason::malformed);
  EXPECT_EQ(answer_to(FromClient{Pull{.conversation = inbox, .first = 5, .last = 4}}), Reason::malformed);
}

TEST(HubCodec, NeedsWhatGivesAMessageItsSense) {
  EXPECT_EQ(answer_to(R"({"publish":{"seq":1,"id":"m","to":{"group":"g"}}})"), Reason::malformed);
  EXPECT_EQ(answer_to(R"({"publish":{"seq":1,"id":"m","to":{"group":"g"},"content":{}}})"),
            Reason::malformed);
  EXPECT_EQ(answer_to(R"({"publish":{"seq":1,"id":"m","content":{"text":""}}})"), Reason::malformed);
  EXPECT_EQ(answer_to(R"({"publish":{"seq":1,"id":"m","to":{"all":false},"content":{"text":""}}})"),
            Reason::malformed);
  EXPECT_EQ(answer_to(R"({"publish":{"seq":1,"id":"m","to":{"all":true},"content":{"text":""}}})"),
            Reason::none);
  EXPECT_EQ(answer_to(R"({"request":{"seq":1,"id":"m","user":"u"}})"), Reason::malformed);
  EXPECT_EQ(answer_to(R"({"reply":{"request":"r"}})"), Reason::malformed);
  EXPECT_EQ(answer_to(R"({"reply":{"request":"r","reason":"OFFLINE"}})"), Reason::none);
  EXPECT_EQ(answer_to(R"({"pull":{}})"), Reason::malformed);
  EXPECT_EQ(answer_to(R"({"hello":{"resume":{"sessionToken":"t","positions":[{"offset":1}]}}})"),
            Reason::malformed);
}

TEST(HubCodec, BoundsTheWholeEnvelope) {
  for (const Encoding encoding : kBoth) {
    Publish message = publish();
    const std::size_t room = limits::kMaxEnvelope.count() - encoded(encoding, FromClient{message}).size();
    message.content.bytes.append(room - 6, 'x');  // 6: lengths grow with what they tell
    ByteBuffer largest = encoded(encoding, FromClient{message});
    message.content.bytes.append(limits::kMaxEnvelope.count() - largest.size(), 'x');
    largest = encoded(encoding, FromClient{message});
    ASSERT_EQ(size_of(largest), limits::kMaxEnvelope);
    EXPECT_EQ(answer_to(encoding, largest), Reason::none);
    message.content.bytes += 'x';
    EXPECT_EQ(answer_to(encoding, encoded(encoding, FromClient{message})), Reason::too_large);
  }
}

TEST(HubCodec, CanSayToOneInJsonWhateverAnotherSaidInProtobuf) {
  Publish loudest = publish();
  loudest.content.bytes.assign(limits::kMaxEnvelope.count() - 64, '\x01');
  ASSERT_EQ(answer_to(Encoding::proto, encoded(Encoding::proto, FromClient{loudest})), Reason::none);
  const std::string name(limits::kMaxName.count(), '"');
  const Delivery delivery{.from = name,
                          .to = {.kind = Conversation::Kind::group, .name = name},
                          .id = name,
                          .position = {limits::kMaxPosition, limits::kMaxPosition},
                          .sent_at = INT64_MIN,
                          .content = loudest.content,
                          .key = name,
                          .critical = true,
                          .replayed = true,
                          .request = name,
                          .timeout_ms = UINT32_MAX};
  EXPECT_EQ(heard_from_hub(Encoding::json, encoded(Encoding::json, FromHub{delivery})), FromHub{delivery});
  const Members members{
      .group = name, .users = std::vector<std::string>(limits::kMaxMembersNamed, name), .more = true};
  for (const Encoding encoding : kBoth) {
    EXPECT_EQ(heard_from_hub(encoding, encoded(encoding, FromHub{members})), FromHub{members});
  }
  const std::string too_much(limits::kMaxHubEnvelope.count() + 1, ' ');
  EXPECT_EQ(decode_from_hub(Encoding::json, as_bytes(too_much)).error().code, Errc::limit_exceeded);
}

TEST(HubCodec, CutsExplanationsAndHistoriesRatherThanSayWhatNobodyTakes) {
  for (const Encoding encoding : kBoth) {
    const std::string most(limits::kMaxExplanation.count() - 1, 'x');
    const auto kick = heard_from_hub(encoding, encoded(encoding, FromHub{Kick{.message = most + "€€"}}));
    ASSERT_TRUE(kick);
    EXPECT_EQ(std::get<Kick>(*kick).message, most);
    const auto broken = heard_from_hub(encoding, encoded(encoding, FromHub{Kick{.message = "disk \xFF"}}));
    ASSERT_TRUE(broken);
    EXPECT_EQ(std::get<Kick>(*broken).message, "disk ");
    Welcome welcome{.user = "u", .session = "s", .previous = Ended{}};
    for (UnixMs at = 0; at < static_cast<UnixMs>(limits::kPressureSamples) + 2; ++at) {
      welcome.previous->history.push_back({.at = at});
    }
    const auto back = heard_from_hub(encoding, encoded(encoding, FromHub{welcome}));
    ASSERT_TRUE(back);
    const auto& history = std::get<Welcome>(*back).previous->history;
    ASSERT_EQ(history.size(), limits::kPressureSamples);
    EXPECT_EQ(history.front().at, 2);
  }
}

TEST(HubCodec, BoundsListsFromTheHubToo) {
  v1::Envelope members;
  members.mutable_members()->set_group("g");
  for (std::size_t i = 0; i <= limits::kMaxMembersNamed; ++i) members.mutable_members()->add_users("u");
  EXPECT_EQ(decode_from_hub(Encoding::proto, as_bytes(members.SerializeAsString())).error().code,
            Errc::malformed);
  v1::Envelope welcome;
  welcome.mutable_welcome()->set_user("u");
  welcome.mutable_welcome()->set_session("s");
  for (std::size_t i = 0; i <= limits::kPressureSamples; ++i) {
    welcome.mutable_welcome()->mutable_previous()->add_history();
  }
  EXPECT_EQ(decode_from_hub(Encoding::proto, as_bytes(welcome.SerializeAsString())).error().code,
            Errc::malformed);
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

// --- hostile input ---

TEST(HubCodec, RefusesWhatIsNoJsonAndWhatIsOfAnotherKind) {
  for (const std::string_view json : {"",
                                      " ",
                                      "null",
                                      "1",
                                      "\"x\"",
                                      "[]",
                                      "[{}]",
                                      "{",
                                      "{}{}",
                                      "{} x",
                                      "{\"ping\":{}",
                                      "{'ping':{}}",
                                      "{ping:{}}",
                                      "{\"ping\":{},}",
                                      "{\"ping\":{}}\xFF",
                                      "{\"p\xFFing\":{}}",
                                      "{\"ping\":1}",
                                      "{\"ping\":[]}",
                                      "{\"ping\":{},\"pong\":{}}",
                                      "{\"ping\":{\"nonce\":-1}}",
                                      "{\"ping\":{\"nonce\":1.5}}",
                                      "{\"ping\":{\"nonce\":1e30}}",
                                      "{\"ping\":{\"nonce\":1e999}}",
                                      "{\"ping\":{\"nonce\":NaN}}",
                                      "{\"ping\":{\"nonce\":18446744073709551616}}",
                                      "{\"ping\":{\"nonce\":\"1 \"}}",
                                      "{\"ping\":{\"nonce\":\"\"}}",
                                      "{\"ping\":{\"nonce\":\"0x1\"}}",
                                      "{\"ping\":{\"nonce\":true}}",
                                      "{\"join\":{\"group\":1}}",
                                      "{\"join\":{\"group\":\"g\",\"presence\":\"true\"}}",
                                      "{\"join\":{\"group\":\"g\",\"from\":7}}",
                                      "{\"hello\":{\"user\":\"\\uD800\"}}",
                                      "{\"hello\":{\"resume\":{\"sessionToken\":\"t\",\"positions\":{}}}}",
                                      "{\"hello\":{\"resume\":{\"sessionToken\":\"t\",\"positions\":[1]}}}",
                                      "{\"publish\":{\"seq\":1,\"id\":\"m\",\"to\":{\"group\":\"g\",\"user\":"
                                      "\"u\"},\"content\":{\"text\":\"\"}}}",
                                      "// a comment\n{\"ping\":{}}"}) {
    EXPECT_EQ(answer_to(json), Reason::malformed) << json;
  }
}

TEST(HubCodec, RefusesBombsOfNestingWithoutGoingDown) {
  EXPECT_EQ(answer_to(std::string(1 << 20, '[')), Reason::too_large);
  const std::size_t size = limits::kMaxEnvelope.count();
  EXPECT_EQ(answer_to(std::string(size, '[')), Reason::malformed);
  std::string objects;
  while (objects.size() + 6 < size) objects += "{\"a\":";
  EXPECT_EQ(answer_to(objects), Reason::malformed);
  EXPECT_EQ(answer_to(R"({"later":)" + std::string(30'000, '[') + std::string(30'000, ']') + "}"),
            Reason::malformed);
  // As deep as may be, and one deeper.
  const auto nested = [](std::size_t depth) {
    return R"({"ping":{},"later":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_EQ(answer_to(nested(limits::kMaxJsonDepth)), Reason::none);
  EXPECT_EQ(answer_to(nested(limits::kMaxJsonDepth + 1)), Reason::malformed);
  // Groups that begin and never end, which Protobuf's parser descends into.
  EXPECT_EQ(answer_to(Encoding::proto, as_bytes(std::string(size, '\x0B'))), Reason::malformed);
  EXPECT_EQ(answer_to(Encoding::proto, as_bytes(std::string(size, '\xDB'))), Reason::malformed);
}

TEST(HubCodec, RefusesTruncatedJsonAndSurvivesTruncatedProtobuf) {
  const FromClient message{Hello{
      .token = "t",
      .user = "ann",
      .resume = Resume{.session_token = "s",
                       .positions = {{.conversation = {Conversation::Kind::group, "g"}, .position = {1, 2}}}},
      .acknowledges = true,
      .agent = "a"}};
  const ByteBuffer json = encoded(Encoding::json, message);
  for (std::size_t size = 0; size < json.size(); ++size) {
    EXPECT_EQ(answer_to(Encoding::json, ByteView{json}.first(size)), Reason::malformed) << size;
  }
  const ByteBuffer proto = encoded(Encoding::proto, message);
  for (std::size_t size = 1; size < proto.size(); ++size) {
    EXPECT_EQ(answer_to(Encoding::proto, ByteView{proto}.first(size)), Reason::malformed) << size;
  }
}

TEST(HubCodec, RefusesTextsThatAreNoUtf8WithoutAWordToTheLog) {
  v1::Envelope hello;
  hello.mutable_hello()->set_user("ann");
  std::string message = hello.SerializeAsString();
  message.back() = '\xFF';
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(answer_to(Encoding::proto, as_bytes(message)), Reason::malformed);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(HubCodec, TakesAnyBytesForDataAndOnlyUtf8ForText) {
  v1::Envelope envelope;
  v1::Reply& reply = *envelope.mutable_reply();
  reply.set_request("r");
  reply.mutable_content()->set_data("\xFF");
  EXPECT_EQ(answer_to(envelope), Reason::none);
  std::string message = envelope.SerializeAsString();
  message[message.size() - 3] = '\x12';  // the tag of `text`
  EXPECT_EQ(answer_to(Encoding::proto, as_bytes(message)), Reason::malformed);
}

TEST(HubCodec, SurvivesAnyBytes) {
  EXPECT_TRUE(rc::check([](const std::string& bytes) {
    for (const Encoding encoding : kBoth) {
      if (const auto message = heard(encoding, as_bytes(bytes))) {
        RC_ASSERT(heard(encoding, encoded(encoding, *message)) == *message);
      }
      if (const auto message = heard_from_hub(encoding, as_bytes(bytes))) {
        RC_ASSERT(heard_from_hub(encoding, encoded(encoding, *message)) == *message);
      }
    }
  }));
}

}  // namespace
}  // namespace sluice::wire::hub
