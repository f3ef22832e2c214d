#include <cstddef>
#include <cstdint>
#include <sluice/v1/envelope.pb.h>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/hub_limits.hpp"
#include "wire/hub/codec.hpp"
#include "wire/hub/testing.hpp"

/// What the codec refuses, and how.
namespace sluice::wire::hub {
namespace {

using namespace testing;

Reason answer_to_envelope(const v1::Envelope& envelope) {
  return answer_to(Encoding::proto, as_bytes(envelope.SerializeAsString()));
}

// --- bounds ---

TEST(HubCodecBounds, BoundsNamesIdsAndKeys) {
  const std::string longest(limits::kMaxName.count(), 'x');
  const std::string longest_id(limits::kMaxId.count(), 'x');
  const std::string too_long = longest + "x";
  const auto with = [](auto change) {
    Publish message = publish();
    change(message);
    return FromClient{message};
  };
  EXPECT_EQ(answer_to(with([&](Publish& m) {
              m.id = m.key = longest_id;
              m.to.name = longest;
            })),
            Reason::none);
  EXPECT_EQ(answer_to(with([&](Publish& m) { m.id = longest_id + "x"; })), Reason::malformed);
  EXPECT_EQ(answer_to(with([&](Publish& m) { m.key = longest_id + "x"; })), Reason::malformed);
  for (const std::string& bad : {too_long, std::string{"a\tb"}, std::string{"\xC2\x80"}}) {
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.id = bad; })), Reason::malformed);
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.key = bad; })), Reason::malformed);
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.to.name = bad; })), Reason::malformed);
    EXPECT_EQ(answer_to(with([&](Publish& m) { m.to = {Conversation::Kind::user, bad}; })),
              Reason::malformed);
    for (const FromClient& message :
         {FromClient{Hello{.user = bad}}, FromClient{Hello{.device = bad}}, FromClient{Join{.group = bad}},
          FromClient{Leave{.group = bad}}, FromClient{Who{.group = bad}}, FromClient{Reply{.request = bad}},
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

TEST(HubCodecBounds, BoundsTokensAndExplanations) {
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
  EXPECT_EQ(answer_to_envelope(reply), Reason::none);
  reply.mutable_reply()->set_message(agent + "a");
  EXPECT_EQ(answer_to_envelope(reply), Reason::malformed);
}

TEST(HubCodecBounds, BoundsPositions) {
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

TEST(HubCodecBounds, NeedsWhatGivesAMessageItsSense) {
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

TEST(HubCodecBounds, BoundsTheWholeEnvelope) {
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

TEST(HubCodecBounds, CanSayToOneInJsonWhateverAnotherSaidInProtobuf) {
  Publish loudest = publish();
  loudest.content.bytes.assign(limits::kMaxEnvelope.count() - 64, '\x01');
  ASSERT_EQ(answer_to(Encoding::proto, encoded(Encoding::proto, FromClient{loudest})), Reason::none);
  const std::string name(limits::kMaxName.count(), '"');
  const std::string id(limits::kMaxId.count(), '"');
  const Delivery delivery{.from = name,
                          .to = {.kind = Conversation::Kind::group, .name = name},
                          .id = id,
                          .position = {limits::kMaxPosition, limits::kMaxPosition},
                          .sent_at = INT64_MIN,
                          .content = loudest.content,
                          .key = id,
                          .critical = true,
                          .replayed = true,
                          .request = id,
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

TEST(HubCodecBounds, CutsExplanationsAndHistoriesRatherThanSayWhatNobodyTakes) {
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

TEST(HubCodecBounds, BoundsListsFromTheHubToo) {
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

// --- messages that are told apart ---

std::optional<Recognized> recognized(Encoding encoding, ByteView message) {
  auto decoded = decode_from_client(encoding, message);
  return decoded ? std::nullopt : decoded.error().recognized;
}
std::optional<Recognized> recognized(std::string_view json) {
  return recognized(Encoding::json, as_bytes(json));
}
std::string told(Encoding encoding, ByteView message) {
  const auto decoded = decode_from_client(encoding, message);
  return decoded ? "" : decoded.error().message;
}
std::string told(std::string_view json) {
  return told(Encoding::json, as_bytes(json));
}

struct Broken {
  std::string_view json;
  Recognized what;
  Reason reason;
  std::string_view names;  ///< What the explanation begins with.
};

TEST(HubCodecRecognized, TellsApartAMessageThatBreaksABound) {
  using Kind = Recognized::Kind;
  const std::string long_name(limits::kMaxName.count() + 1, 'x');
  const std::string to_long =
      R"({"publish":{"seq":7,"id":"m","to":{"user":")" + long_name + R"("},"content":{"text":""}}})";
  const std::string join_long = R"({"join":{"group":")" + long_name + R"("}})";
  const Broken table[] = {
      {R"({"publish":{"seq":7,"id":"","to":{"all":true},"content":{"text":""}}})",
       {.kind = Kind::publish, .seq = 7},
       Reason::malformed,
       "`publish.id`"},
      {to_long, {.kind = Kind::publish, .seq = 7, .id = "m"}, Reason::malformed, "`publish.user`"},
      {R"({"publish":{"seq":"7","id":"m","to":{"all":true},"content":{"text":""},"level":"SOON"}})",
       {.kind = Kind::publish, .seq = 7, .id = "m"},
       Reason::unsupported,
       "`publish.level`"},
      {R"({"publish":{"seq":7,"id":"m","to":{"all":true}}})",
       {.kind = Kind::publish, .seq = 7, .id = "m"},
       Reason::malformed,
       "`publish.content`"},
      {R"({"publish":{"seq":7,"id":"m","content":{"text":"a"}}})",
       {.kind = Kind::publish, .seq = 7, .id = "m"},
       Reason::malformed,
       "`publish.to`"},
      {R"({"publish":{"content":{"text":5},"to":{"all":true},"id":"m","seq":7}})",
       {.kind = Kind::publish, .seq = 7, .id = "m"},
       Reason::malformed,
       "`publish.content.text`"},
      {R"({"publish":{"seq":7,"id":"m","to":{"user":"u","group":"g"},"content":{"text":"a"}}})",
       {.kind = Kind::publish, .seq = 7, .id = "m"},
       Reason::malformed,
       "`publish.to.group`"},
      {R"({"publish":{"seq":-1,"id":"m","to":{"all":true},"content":{"text":"a"}}})",
       {.kind = Kind::publish, .id = "m"},
       Reason::malformed,
       "`publish.seq`"},
      {R"({"request":{"seq":2,"id":"q","user":"","content":{"text":"a"}}})",
       {.kind = Kind::request, .seq = 2, .id = "q"},
       Reason::malformed,
       "`request.user`"},
      {R"({"reply":{"request":"r"}})",
       {.kind = Kind::reply, .id = "r"},
       Reason::malformed,
       "`reply.content`"},
      {join_long, {}, Reason::malformed, "`join.group`"},
      {R"({"join":{"group":"g","presence":"yes"}})", {.group = "g"}, Reason::malformed, "`join.presence`"},
      {R"({"leave":{"group":""}})", {}, Reason::malformed, "`leave.group`"},
      {R"({"pull":{"conversation":{"group":"g"},"first":5,"last":4}})",
       {.group = "g"},
       Reason::malformed,
       "`pull.last`"},
      {R"({"who":{"group":["g"]}})", {}, Reason::malformed, "`who.group`"},
      {R"({"refresh":{}})", {}, Reason::malformed, "`refresh.token`"},
  };
  for (const Broken& broken : table) {
    EXPECT_EQ(recognized(broken.json), broken.what) << broken.json;
    EXPECT_EQ(answer_to(broken.json), broken.reason) << broken.json;
    EXPECT_TRUE(told(broken.json).starts_with(broken.names)) << told(broken.json);
  }
}

TEST(HubCodecRecognized, DoesNotTellApartWhatCannotBeUnderstoodOrNeedsNoAnswer) {
  for (const std::string_view json :
       {"{\"publish\":{\"seq\":1", "[]", "{}", "{\"later\":{}}",
        "{\"publish\":{\"seq\":1,\"id\":\"m\"},\"ping\":{}}", "{\"hello\":{\"user\":\"a\\tb\"}}",
        "{\"ack\":{\"seq\":-1}}", "{\"ping\":1}", "{\"welcome\":{}}"}) {
    EXPECT_NE(answer_to(json), Reason::none) << json;
    EXPECT_FALSE(recognized(json)) << json;
  }
}

TEST(HubCodecRecognized, TellsApartAMessageThatIsWrongInsideWhateverStandsBesideIt) {
  for (const std::string_view json :
       {R"({"publish":{"seq":1,"id":"a","to":{"user":"x","group":"y"},"content":{"text":"t"}},"v":2})",
        R"({"v":2,"publish":{"seq":1,"id":"a","to":{"user":"x","group":"y"},"content":{"text":"t"}}})"}) {
    EXPECT_EQ(answer_to(json), Reason::malformed) << json;
    EXPECT_EQ(recognized(json), (Recognized{.kind = Recognized::Kind::publish, .seq = 1, .id = "a"})) << json;
  }
}

TEST(HubCodecRecognized, NamesTheTextThatHasHalfASurrogatePair) {
  for (const std::string_view half : {"\\ud800", "\\uDC00", "\\ud800\\ud800", "a\\udbffb", "\\ud83d"}) {
    const std::string json = R"({"publish":{"content":{"text":")" + std::string{half} +
                             R"("},"seq":3,"id":"m","to":{"group":"g"}}})";
    EXPECT_EQ(recognized(json), (Recognized{.kind = Recognized::Kind::publish, .seq = 3, .id = "m"})) << json;
    EXPECT_TRUE(told(json).starts_with("`publish.content.text` has half")) << told(json);
  }
  // Whole pairs, and a backslash in front of a u, are left as they are.
  const auto whole =
      read(R"({"publish":{"seq":3,"id":"m","to":{"group":"g"},"content":{"text":"\ud83d\ude00 \\ud800"}}})");
  ASSERT_TRUE(whole);
  EXPECT_EQ(std::get<Publish>(*whole).content.bytes, "😀 \\ud800");
  EXPECT_TRUE(told(R"({"who":{"group":"\ud800"}})").starts_with("`who.group` has half"));
  EXPECT_EQ(recognized(R"(["\ud800"])"), std::nullopt);
  EXPECT_EQ(recognized(R"({"publish":{"seq":3,"id":"\ud800)"), std::nullopt) << "no JSON in any case";
}

TEST(HubCodecRecognized, NamesTheTextThatIsNotUtf8InProtobuf) {
  Publish message = publish();
  message.content.bytes = "in front \x01 behind";
  std::string bytes{as_text(encoded(Encoding::proto, FromClient{message}))};
  bytes[bytes.find('\x01', 20)] = '\xFF';
  EXPECT_EQ(recognized(Encoding::proto, as_bytes(bytes)),
            (Recognized{.kind = Recognized::Kind::publish, .seq = 1, .id = "m1"}));
  EXPECT_EQ(told(Encoding::proto, as_bytes(bytes)), "`publish.content.text` is not UTF-8.");
}

TEST(HubCodecRecognized, TellsApartAnEnvelopeThatIsTooLarge) {
  for (const Encoding encoding : kBoth) {
    Publish message = publish();
    message.content.bytes.assign(70'000, 'x');
    const ByteBuffer large = encoded(encoding, FromClient{message});
    EXPECT_EQ(answer_to(encoding, large), Reason::too_large);
    EXPECT_EQ(recognized(encoding, large),
              (Recognized{.kind = Recognized::Kind::publish, .seq = 1, .id = "m1"}));
    EXPECT_TRUE(told(encoding, large).find("the limit is 65536") != std::string::npos);
    message.content.bytes.assign(limits::kMaxRejectedEnvelope.count(), 'x');
    const ByteBuffer too_large = encoded(encoding, FromClient{message});
    EXPECT_EQ(answer_to(encoding, too_large), Reason::too_large);
    EXPECT_FALSE(recognized(encoding, too_large));
  }
  // Whatever the order of its members.
  const std::string last = R"({"publish":{"content":{"text":")" + std::string(70'000, 'x') +
                           R"("},"to":{"group":"g"},"id":"m","seq":9}})";
  EXPECT_EQ(recognized(last), (Recognized{.kind = Recognized::Kind::publish, .seq = 9, .id = "m"}));
}

// --- hostile input ---

TEST(HubCodecBounds, RefusesWhatIsNoJsonAndWhatIsOfAnotherKind) {
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

TEST(HubCodecBounds, RefusesBombsOfNestingWithoutGoingDown) {
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

TEST(HubCodecBounds, RefusesTruncatedJsonAndSurvivesTruncatedProtobuf) {
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

TEST(HubCodecBounds, RefusesTextsThatAreNoUtf8WithoutAWordToTheLog) {
  v1::Envelope hello;
  hello.mutable_hello()->set_user("ann");
  std::string message = hello.SerializeAsString();
  message.back() = '\xFF';
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(answer_to(Encoding::proto, as_bytes(message)), Reason::malformed);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(HubCodecBounds, TakesAnyBytesForDataAndOnlyUtf8ForText) {
  v1::Envelope envelope;
  v1::Reply& reply = *envelope.mutable_reply();
  reply.set_request("r");
  reply.mutable_content()->set_data("\xFF");
  EXPECT_EQ(answer_to_envelope(envelope), Reason::none);
  std::string message = envelope.SerializeAsString();
  message[message.size() - 3] = '\x12';  // the tag of `text`
  EXPECT_EQ(answer_to(Encoding::proto, as_bytes(message)), Reason::malformed);
}

TEST(HubCodecBounds, SurvivesAnyBytes) {
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
