#include "client/messaging/session.hpp"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "client/messaging/testing.hpp"
#include "wire/hub/codec.hpp"

namespace sluice::messaging {
namespace {

using namespace wire::hub;
using namespace std::chrono_literals;
using namespace literals;
using testing::group;
using testing::inbox;
using testing::ModelHub;

const TimePoint kStart{std::chrono::hours{1}};

Error lost() {
  return {.code = Errc::link_lost, .message = "gone"};
}

SessionOptions options() {
  return {.user = "me", .id_prefix = "p"};
}

template <typename T>
std::vector<T> sent(Session& session) {
  std::vector<T> found;
  for (auto& message : session.take_outgoing()) {
    if (auto* const one = std::get_if<T>(&message)) found.push_back(std::move(*one));
  }
  return found;
}

template <typename T>
std::optional<T> event(Session& session) {
  while (auto next = session.take_event()) {
    if (auto* const one = std::get_if<T>(&*next)) return std::move(*one);
  }
  return std::nullopt;
}

void welcome(Session& session, Welcome welcome = {.user = "me", .session_token = "secret", .epoch = 3}) {
  session.opened(kStart);
  (void)session.take_outgoing();
  session.heard(std::move(welcome), 50_B, kStart);
}

Delivery delivery(Conversation to, std::uint64_t offset) {
  return {.from = "ann",
          .to = std::move(to),
          .id = std::to_string(offset),
          .position = {.epoch = 3, .offset = offset}};
}

TEST(Session, SaysHelloFirstAndNothingElseUntilItIsWelcome) {
  Session session{options()};
  EXPECT_TRUE(session.connect_at());
  ASSERT_TRUE(session.publish({.to = inbox()}));
  ASSERT_TRUE(session.join({.group = "g"}));
  session.opened(kStart);
  const auto first = session.take_outgoing();
  ASSERT_EQ(first.size(), 1U);
  const auto& hello = std::get<Hello>(first[0]);
  EXPECT_EQ(hello.user, "me");
  EXPECT_TRUE(hello.acknowledges);
  EXPECT_FALSE(hello.resume);
  session.heard(delivery(inbox(), 1), 50_B, kStart);  // a hub that says more than it may
  EXPECT_FALSE(session.take_event());
  session.heard(Welcome{.session_token = "secret"}, 50_B, kStart);
  const auto then = session.take_outgoing();
  ASSERT_EQ(then.size(), 2U);
  EXPECT_EQ(std::get<Join>(then[0]).group, "g");
  EXPECT_EQ(std::get<Publish>(then[1]).seq, 1U);
  EXPECT_EQ(std::get<Publish>(then[1]).id, "p-1");
}

TEST(Session, IsAnsweredByReceiptsAndByAcknowledgements) {
  Session session{options()};
  welcome(session);
  for (const Level level : {Level::accepted, Level::stored, Level::accepted, Level::accepted})
    ASSERT_TRUE(session.publish({.to = group("g"), .level = level}));
  session.heard(Receipt{.seq = 3, .id = "p-3", .reason = Reason::forbidden}, 9_B, kStart);
  EXPECT_EQ(event<Answered>(session)->receipt.reason, Reason::forbidden);
  session.heard(Ack{.seq = 3}, 9_B, kStart);
  const auto first = event<Answered>(session);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->number, 1U);
  EXPECT_EQ(first->receipt.reason, Reason::none);
  EXPECT_FALSE(event<Answered>(session)) << "the second waits for the disk, the fourth is not covered";
  session.heard(Receipt{.seq = 2, .id = "p-2", .level = Level::stored, .position = {3, 7}}, 9_B, kStart);
  EXPECT_EQ(event<Answered>(session)->receipt.position, (Position{3, 7}));
  EXPECT_EQ(session.unanswered(), 1U);
}

TEST(Session, ResumesWithTheLongestNamesInAHelloThatFitsAndJoinsTheOthers) {
  Session session{options()};
  welcome(session);
  std::set<std::string> groups;
  for (std::size_t i = 0; i < limits::kGroupsPerConnection; ++i) {
    std::string name = std::to_string(i);
    name.insert(0, limits::kMaxName.count() - name.size(), '"');
    groups.insert(name);
    ASSERT_TRUE(session.join({.group = name}));
    session.heard(Joined{.group = name, .position = {3, 5}}, 50_B, kStart);
  }
  while (session.take_event()) session.processed(kStart);
  session.closed({.why = lost()}, kStart);
  session.opened(kStart);
  const auto hello = sent<Hello>(session);
  ASSERT_EQ(hello.size(), 1U);
  ASSERT_TRUE(hello[0].resume);
  ByteBuffer encoded;
  append(encoded, Encoding::json, FromClient{hello[0]});
  EXPECT_LE(size_of(encoded), limits::kMaxEnvelope);
  session.heard(Welcome{.user = "me", .session_token = "secret", .epoch = 3, .resumed = true}, 50_B, kStart);
  std::set<std::string> named;
  for (const auto& place : hello[0].resume->positions) named.insert(place.conversation.name);
  EXPECT_GT(named.size(), 50U);
  for (const auto& join : sent<Join>(session)) {
    EXPECT_EQ(join.from, (Position{3, 5}));
    EXPECT_TRUE(named.insert(join.group).second) << "the resume has joined it";
  }
  EXPECT_EQ(named, groups) << "none is left out";
}

TEST(Session, DoesNotAskAgainForAGroupWhoseNameIsRejected) {
  Session session{options()};
  welcome(session);
  ASSERT_TRUE(session.join({.group = "g"}));
  session.heard(Refusal{.reason = Reason::malformed, .group = "g"}, 9_B, kStart);
  EXPECT_EQ(event<Refusal>(session)->reason, Reason::malformed);
  session.closed({.why = lost()}, kStart);
  welcome(session);
  EXPECT_TRUE(sent<Join>(session).empty());
}

TEST(Session, KeepsNoMoreUnansweredThanItMay) {
  auto few = options();
  few.most_unanswered = 2;
  Session session{few};
  ASSERT_TRUE(session.publish({.to = inbox()}));
  ASSERT_TRUE(session.publish({.to = inbox()}));
  EXPECT_FALSE(session.can_publish());
  EXPECT_EQ(session.publish({.to = inbox()}).error().code, Errc::limit_exceeded);
  Session large{options()};
  int taken = 0;
  while (large.publish({.to = inbox(), .content = {.bytes = std::string(60'000, 'x')}})) ++taken;
  EXPECT_EQ(taken, 18) << "1 MiB";
  EXPECT_EQ(large.publish({.to = group("\n")}).error().code, Errc::limit_exceeded);
  Session wrong{options()};
  EXPECT_EQ(wrong.publish({.to = group("\n")}).error().code, Errc::invalid_argument);
  EXPECT_EQ(wrong.publish({.to = group("g"), .content = {.bytes = std::string(65'500, 'x')}}).error().code,
            Errc::limit_exceeded);
  EXPECT_EQ(wrong.publish({.to = group("g"), .content = {.kind = Content::Kind::text, .bytes = "\xFF"}})
                .error()
                .code,
            Errc::invalid_argument);
  EXPECT_EQ(wrong.unanswered(), 0U);
}

TEST(Session, IsAnsweredForWhatIsTooLargeOnceItIsEncodedAndGoesOn) {
  Session session{options()};
  welcome(session);
  ASSERT_TRUE(session.publish({.to = group("g"), .content = {.bytes = "large"}}));
  ASSERT_TRUE(session.publish({.to = group("g"), .content = {.bytes = "small"}}));
  const auto asked = session.ask({.user = "bob", .content = {.bytes = "large"}});
  ASSERT_TRUE(asked);
  const auto outgoing = session.take_outgoing();
  ASSERT_GE(outgoing.size(), 3U);
  const auto large = std::ranges::find_if(
      outgoing, [](const FromClient& one) { return std::holds_alternative<Publish>(one); });
  ASSERT_NE(large, outgoing.end());
  EXPECT_FALSE(session.too_large(*large, 70_KiB));
  EXPECT_FALSE(session.too_large(outgoing.back(), 70_KiB));
  EXPECT_EQ(session.unanswered(), 1U) << "the small one";
  std::vector<Reason> reasons;
  while (auto event = session.take_event()) {
    if (const auto* answered = std::get_if<Answered>(&*event)) reasons.push_back(answered->receipt.reason);
    if (const auto* reply = std::get_if<Reply>(&*event)) reasons.push_back(reply->reason);
  }
  EXPECT_EQ(reasons, (std::vector{Reason::too_large, Reason::too_large}));
  const auto instead = session.too_large(Reply{.request = "r"}, 70_KiB);
  ASSERT_TRUE(instead) << "the client that asked is told";
  EXPECT_EQ(std::get<Reply>(*instead).reason, Reason::too_large);
}

TEST(Session, AcknowledgesWhatItsOwnerIsDoneWith) {
  auto every = options();
  every.acknowledge_every = 3;
  Session session{every};
  welcome(session);
  (void)event<Connected>(session);
  session.processed(kStart);
  for (std::uint64_t offset = 1; offset <= 3; ++offset)
    session.heard(delivery(group("g"), offset), 300_B, kStart);
  EXPECT_TRUE(sent<Ack>(session).empty()) << "nobody has taken them";
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(session.take_event());
  EXPECT_TRUE(sent<Ack>(session).empty()) << "nor is done with them";
  session.processed(kStart);
  const auto acks = sent<Ack>(session);
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].seq, 3U);

  session.heard(delivery(group("g"), 4), 300_B, kStart);
  EXPECT_TRUE(session.take_event());
  session.processed(kStart);
  EXPECT_TRUE(sent<Ack>(session).empty());
  EXPECT_EQ(session.next_tick(), kStart + limits::kClientAckAfter);
  EXPECT_FALSE(session.tick(session.next_tick()));
  EXPECT_EQ(sent<Ack>(session).at(0).seq, 4U);
  // A quarter of the window is enough reason.
  session.heard(delivery(group("g"), 5), limits::kDeliveryWindow / 4, kStart);
  EXPECT_TRUE(session.take_event());
  session.processed(kStart);
  EXPECT_EQ(sent<Ack>(session).at(0).seq, 5U);
}

TEST(Session, AcknowledgesRepeatedDeliveriesThatItsOwnerNeverSees) {
  auto every = options();
  every.acknowledge_every = 1;
  Session session{every};
  welcome(session);
  session.heard(delivery(inbox(), 5), 300_B, kStart);
  (void)event<Message>(session);
  session.processed(kStart);
  EXPECT_EQ(sent<Ack>(session).at(0).seq, 1U);
  session.heard(delivery(inbox(), 5), 300_B, kStart);
  EXPECT_FALSE(session.take_event());
  EXPECT_EQ(session.repeated(), 1U);
  EXPECT_EQ(sent<Ack>(session).at(0).seq, 2U);
}

TEST(Session, GivesUpAHubThatDoesNotWelcomeIt) {
  Session session{options()};
  session.opened(kStart);
  EXPECT_EQ(session.next_tick(), kStart + limits::kHubHelloTimeout);
  EXPECT_FALSE(session.tick(kStart + 9s));
  EXPECT_TRUE(session.tick(kStart + 10s));
}

TEST(Session, ComesBackAfterTheTimeThatItWasTold) {
  Session session{options()};
  welcome(session);
  session.heard(Kick{.reason = Reason::shutting_down, .message = "bye", .retry_after_ms = 60'000}, 9_B,
                kStart);
  session.closed({.why = lost(), .random = 0.5}, kStart);
  EXPECT_EQ(session.connect_at(), kStart + 60s);
  const auto told = event<Lost>(session);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->reason, Reason::shutting_down);
  EXPECT_EQ(describe(told->why), "The hub ended it: bye");
  session.opened(kStart + 60s);
  session.closed({.why = lost(), .retry_after = 7s, .random = 0}, kStart + 61s);
  EXPECT_EQ(session.connect_at(), kStart + 68s);
}

TEST(Session, WaitsLongerAfterEachFailureAndAnewAfterAGoodConnection) {
  Session session{options()};
  Duration before{};
  for (int i = 0; i < 5; ++i) {
    session.closed({.why = lost(), .random = 0.99}, kStart);
    const Duration wait = *session.connect_at() - kStart;
    EXPECT_GT(wait, before);
    before = wait;
  }
  welcome(session);
  session.closed({.why = lost(), .random = 0.99}, kStart + 1s);
  EXPECT_GT(*session.connect_at() - (kStart + 1s), 5s) << "it was short";
  welcome(session);
  session.closed({.why = lost(), .random = 0.99}, kStart + 20s);
  EXPECT_LT(*session.connect_at() - (kStart + 20s), 1s);
}

TEST(Session, IsOverWhenTheHubDoesNotWantIt) {
  for (const Reason reason : {Reason::unauthenticated, Reason::token_invalid, Reason::token_expired,
                              Reason::kicked, Reason::superseded, Reason::malformed}) {
    Session session{options()};
    session.opened(kStart);
    session.heard(Kick{.reason = reason, .message = "no"}, 9_B, kStart);
    session.closed({.why = lost()}, kStart);
    EXPECT_FALSE(session.connect_at());
    const auto over = event<Over>(session);
    ASSERT_TRUE(over);
    EXPECT_EQ(over->reason, reason);
    EXPECT_EQ(session.publish({.to = inbox()}).error().code, Errc::closed);
  }
  Session wrong{options()};
  wrong.closed({.why = {.code = Errc::permission_denied, .message = "not the pinned one"}}, kStart);
  EXPECT_TRUE(event<Over>(wrong));
}

TEST(Session, ComesAgainWithANewTokenWhenTheOldOneExpiresMeanwhile) {
  Session session{options()};
  welcome(session);
  session.heard(Kick{.reason = Reason::token_expired, .message = "no"}, 9_B, kStart);
  session.closed({.why = lost()}, kStart);
  EXPECT_EQ(event<Lost>(session)->reason, Reason::token_expired);
  session.refresh("another");
  session.opened(*session.connect_at());
  EXPECT_EQ(sent<Hello>(session).at(0).token, "another");
  session.heard(Kick{.reason = Reason::token_expired, .message = "no"}, 9_B, kStart);
  session.closed({.why = lost()}, kStart);
  EXPECT_EQ(event<Over>(session)->reason, Reason::token_expired) << "it was not new";
}

TEST(Session, ResumesWhereItStoppedAndRepeatsWhatWasNotAnswered) {
  Session session{options()};
  ASSERT_TRUE(session.join({.group = "g"}));
  ASSERT_TRUE(session.join({.group = "watched", .presence = true}));
  welcome(session);
  session.heard(Joined{.group = "g", .position = {3, 10}}, 9_B, kStart);
  session.heard(Joined{.group = "watched", .position = {3, 20}}, 9_B, kStart);
  session.heard(delivery(group("g"), 11), 9_B, kStart);
  session.heard(delivery(inbox(), 2), 9_B, kStart);
  session.heard(delivery({}, 9), 9_B, kStart);
  ASSERT_TRUE(session.publish({.to = group("g")}));
  ASSERT_TRUE(session.publish({.to = group("g"), .id = "mine"}));
  session.heard(Ack{.seq = 1}, 9_B, kStart);
  const auto asked = session.ask({.user = "ann"});
  ASSERT_TRUE(asked);
  session.closed({.why = lost()}, kStart);
  EXPECT_EQ(event<Reply>(session)->reason, Reason::connection_lost);

  session.opened(kStart);
  const auto hello = sent<Hello>(session).at(0);
  ASSERT_TRUE(hello.resume);
  EXPECT_EQ(hello.resume->session_token, "secret");
  EXPECT_EQ(hello.resume->positions, (std::vector<PositionIn>{{inbox(), {3, 2}}, {group("g"), {3, 11}}}));
  session.heard(Welcome{.session_token = "secret", .resumed = true}, 9_B, kStart);
  const auto out = session.take_outgoing();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(std::get<Join>(out[0]).group, "watched");
  EXPECT_EQ(std::get<Join>(out[0]).from, (Position{3, 20}));
  EXPECT_EQ(std::get<Publish>(out[1]).id, "mine");
  EXPECT_EQ(std::get<Publish>(out[1]).seq, 1U) << "of this connection";

  // A hub that has forgotten the session is told where to go on.
  session.closed({.why = lost()}, kStart);
  session.opened(kStart);
  (void)session.take_outgoing();
  session.heard(Welcome{.session_token = "new", .resumed = false}, 9_B, kStart);
  const auto joins = sent<Join>(session);
  ASSERT_EQ(joins.size(), 2U);
  EXPECT_EQ(joins[0].from, (Position{3, 11}));
  EXPECT_EQ(session.session_token(), "new");
}

TEST(Session, PullsEveryonesMessagesAgainWhenItHasAskedTooEarly) {
  auto pulling = options();
  pulling.gaps = SessionOptions::Gaps::pull;
  Session session{pulling};
  welcome(session);
  (void)event<Connected>(session);
  const wire::hub::Conversation all{.kind = wire::hub::Conversation::Kind::all};
  Delivery first = delivery(all, 1);
  session.heard(first, 9_B, kStart);
  session.heard(
      Gap{.conversation = all, .epoch = 3, .first = 2, .last = 2, .count = 1, .reason = Reason::shed}, 9_B,
      kStart);
  ASSERT_EQ(sent<Pull>(session).size(), 1U);
  session.heard(Refusal{.reason = Reason::rate_limited, .seq = 7}, 9_B, kStart);
  EXPECT_FALSE(session.tick(kStart + 1h)) << "that was about something else";
  EXPECT_TRUE(sent<Pull>(session).empty());
  session.heard(Refusal{.reason = Reason::rate_limited, .retry_after_ms = 500}, 9_B, kStart);
  EXPECT_FALSE(session.tick(kStart + 500ms));
  EXPECT_EQ(sent<Pull>(session).size(), 1U);
}

TEST(Session, PullsWhatAGapSaysIsStillThere) {
  auto pulling = options();
  pulling.gaps = SessionOptions::Gaps::pull;
  Session session{pulling};
  welcome(session);
  (void)event<Connected>(session);
  session.heard(delivery(inbox(), 1), 9_B, kStart);
  const Gap gap{
      .conversation = inbox(), .epoch = 3, .first = 2, .last = 4, .count = 3, .reason = Reason::shed};
  session.heard(gap, 9_B, kStart);
  EXPECT_TRUE(event<Message>(session));
  EXPECT_FALSE(session.take_event()) << "it is not lost yet";
  const auto pulls = sent<Pull>(session);
  ASSERT_EQ(pulls.size(), 1U);
  EXPECT_EQ(pulls[0], (Pull{.conversation = inbox(), .epoch = 3, .first = 2, .last = 4}));
  const auto kept = [&] { return session.positions().at(0).position; };
  EXPECT_EQ(kept(), (Position{3, 1})) << "another process would have to pull it";
  // Too early: again later.
  session.heard(Refusal{.reason = Reason::rate_limited, .retry_after_ms = 500, .group = "me"}, 9_B, kStart);
  EXPECT_EQ(session.next_tick(), kStart + 500ms);
  EXPECT_FALSE(session.tick(kStart + 500ms));
  EXPECT_EQ(sent<Pull>(session).size(), 1U);
  Delivery second = delivery(inbox(), 2);
  second.replayed = true;
  session.heard(second, 9_B, kStart);
  session.heard(Pulled{.conversation = inbox(), .last = {3, 2}, .more = true}, 9_B, kStart);
  EXPECT_EQ(event<Message>(session)->delivery.position.offset, 2U);
  EXPECT_EQ(sent<Pull>(session).at(0).first, 3U);
  EXPECT_EQ(kept(), (Position{3, 2}));
  // What the log has not is told.
  session.heard(Gap{.conversation = inbox(),
                    .epoch = 3,
                    .first = 3,
                    .last = 4,
                    .count = 2,
                    .reason = Reason::expired,
                    .gone = true},
                9_B, kStart);
  EXPECT_TRUE(event<Gap>(session));
  // A disk that fails leaves the gap.
  session.heard(Pulled{.conversation = inbox(), .last = {3, 4}}, 9_B, kStart);
  EXPECT_EQ(kept(), (Position{3, 4}));
  Gap another = gap;
  another.first = 6;
  another.last = 6;
  another.count = 1;
  session.heard(another, 9_B, kStart);
  session.heard(Refusal{.reason = Reason::store_failed, .group = "me"}, 9_B, kStart);
  EXPECT_EQ(event<Gap>(session), another);
  session.heard(delivery(inbox(), 7), 9_B, kStart);
  EXPECT_EQ(kept(), (Position{3, 4})) << "nothing was said of 5";
}

TEST(Session, PullsOnWhereItWasWhenAConnectionIsLost) {
  auto pulling = options();
  pulling.gaps = SessionOptions::Gaps::pull;
  Session session{pulling};
  welcome(session);
  session.heard(delivery(inbox(), 1), 9_B, kStart);
  session.heard(
      Gap{.conversation = inbox(), .epoch = 3, .first = 2, .last = 4, .count = 3, .reason = Reason::shed},
      9_B, kStart);
  session.heard(delivery(inbox(), 5), 9_B, kStart);
  (void)session.take_outgoing();
  session.closed({.why = {.code = Errc::link_lost, .message = "gone"}}, kStart);
  session.opened(kStart);
  const auto hellos = sent<Hello>(session);
  ASSERT_EQ(hellos.size(), 1U);
  EXPECT_EQ(hellos[0].resume->positions.at(0).position, (Position{3, 5})) << "5 need not come again";
  EXPECT_TRUE(session.positions().empty()) << "nothing was taken yet";
  EXPECT_EQ(event<Lost>(session)->reason, Reason::none);
  EXPECT_EQ(session.positions().at(0).position, (Position{3, 1})) << "what was dropped is still to come";
  session.heard(Welcome{.session_token = "t", .resumed = true}, 9_B, kStart);
  EXPECT_EQ(sent<Pull>(session).size(), 1U);
}

TEST(Session, KeepsForAnotherProcessOnlyWhatWasTaken) {
  const auto kept = [](const Session& session) { return session.positions().at(0).position; };
  const Gap gap{
      .conversation = inbox(), .epoch = 4, .first = 4, .last = 5, .count = 2, .reason = Reason::shed};
  for (const auto gaps : {SessionOptions::Gaps::tell, SessionOptions::Gaps::pull}) {
    auto with = options();
    with.gaps = gaps;
    Session session{with};
    welcome(session);
    for (std::uint64_t offset = 1; offset <= 3; ++offset)
      session.heard(delivery(inbox(), offset), 9_B, kStart);
    EXPECT_TRUE(session.positions().empty());
    EXPECT_EQ(event<Message>(session)->delivery.position.offset, 1U);
    EXPECT_EQ(kept(session), (Position{3, 1}));
    session.heard(gap, 9_B, kStart);
    Delivery pulled = delivery(inbox(), 4);
    pulled.position.epoch = 4;
    pulled.replayed = true;
    session.heard(pulled, 9_B, kStart);
    session.heard(Pulled{.conversation = inbox(), .last = {4, 5}}, 9_B, kStart);
    EXPECT_EQ(kept(session), (Position{3, 1}));
    EXPECT_EQ(event<Message>(session)->delivery.position.offset, 2U);
    EXPECT_EQ(event<Message>(session)->delivery.position.offset, 3U);
    EXPECT_LT(kept(session), (Position{4, 4})) << "what waits is left to the other process";
    EXPECT_GE(kept(session), (Position{3, 3}));
    (void)session.take_event();
    EXPECT_EQ(kept(session), (Position{4, 5}));
  }
}

TEST(Session, SaysAtOnceWhatWasProcessedWhenItIsTheLast) {
  Session session{options()};
  welcome(session);
  session.settle(kStart);
  EXPECT_EQ(sent<Ack>(session).size(), 0U);
  session.heard(delivery(inbox(), 1), 9_B, kStart);
  session.heard(delivery(inbox(), 2), 9_B, kStart);
  EXPECT_TRUE(event<Message>(session));
  session.settle(kStart);
  const auto acks = sent<Ack>(session);
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].seq, 1U);
}

TEST(Session, AnswersPingsAndMeasuresItsOwn) {
  Session session{options()};
  welcome(session);
  session.heard(Ping{.nonce = 7}, 9_B, kStart);
  EXPECT_EQ(sent<Pong>(session).at(0).nonce, 7U);
  session.ping(kStart);
  const auto pings = sent<Ping>(session);
  session.heard(Pong{.nonce = pings.at(0).nonce + 1}, 9_B, kStart + 1ms);
  EXPECT_FALSE(event<RoundTrip>(session));
  session.heard(Pong{.nonce = pings.at(0).nonce}, 9_B, kStart + 3ms);
  EXPECT_EQ(event<RoundTrip>(session)->took, 3ms);
}

/// A client, a hub, and everything that can come between them.
struct World {
  World(std::uint64_t seed, SessionOptions with) : random(seed), hub(seed + 1), session(std::move(with)) {}

  bool one_in(unsigned n) { return random() % n == 0; }

  void to_hub() {
    for (auto& message : session.take_outgoing()) on_the_way.push_back(std::move(message));
  }
  void hub_hears() {
    if (on_the_way.empty()) return;
    hub.hear(std::move(on_the_way.front()));
    on_the_way.pop_front();
  }
  void client_hears() {
    if (auto message = hub.next()) {
      if (const auto* joined = std::get_if<Joined>(&*message))
        joined_at.try_emplace(joined->group, joined->position);
      session.heard(std::move(*message), 100_B, now);
      to_hub();
    }
  }
  void cut() {
    if (!hub.connected()) return;
    on_the_way.clear();
    hub.hang_up();
    session.closed({.why = lost(), .random = 0.5}, now);
  }
  void connect() {
    if (hub.connected()) return;
    now = std::max(now, *session.connect_at());
    hub.connect();
    session.opened(now);
    to_hub();
  }
  void look() {
    if (auto next = session.take_event()) {
      if (const auto* message = std::get_if<Message>(&*next)) {
        const auto& delivery = message->delivery;
        auto& seen = given[delivery.to];
        EXPECT_TRUE(seen.insert(delivery.position).second)
            << "twice: " << delivery.to.name << ' ' << delivery.position.offset;
        const bool is_last = *seen.rbegin() == delivery.position;
        EXPECT_TRUE(is_last || !in_order) << "out of order";
      } else if (const auto* gap = std::get_if<Gap>(&*next)) {
        for (std::uint64_t offset = gap->first; offset <= gap->last; ++offset)
          told[gap->conversation].insert(offset);
      } else if (const auto* answered = std::get_if<Answered>(&*next)) {
        EXPECT_TRUE(answers.emplace(answered->number, answered->receipt).second) << "answered twice";
      }
    }
    session.processed(now);
    to_hub();
  }
  void publish() {
    const Conversation to = one_in(2) ? group("g") : inbox();
    const Level level = one_in(2) ? Level::accepted : Level::stored;
    if (const auto number = session.publish({.to = to, .level = level})) published.insert(*number);
    to_hub();
  }
  void step(bool faults) {
    switch (random() % 12) {
      case 0:
      case 1:
        return hub.others_say(one_in(2) ? group("g") : inbox());
      case 2:
        return publish();
      case 3:
      case 4:
        return hub_hears();
      case 5:
      case 6:
      case 7:
        return client_hears();
      case 8:
      case 9:
        return look();
      case 10:
        now += 20ms;
        EXPECT_FALSE(session.tick(now));
        hub.acknowledge_publishes();
        return to_hub();
      default:
        if (!faults) return connect();
        if (one_in(6)) return cut();
        if (one_in(30) && hub.connected()) {
          cut();
          hub.forget_session();
          return;
        }
        return connect();
    }
  }
  void settle() {
    connect();
    for (int quiet = 0; quiet < 50; ++quiet) {
      now += 100ms;
      EXPECT_FALSE(session.tick(now));
      to_hub();
      while (!on_the_way.empty()) hub_hears();
      hub.acknowledge_publishes();
      for (int i = 0; i < 300; ++i) {
        client_hears();
        look();
        while (!on_the_way.empty()) hub_hears();
      }
    }
  }

  std::mt19937_64 random;
  ModelHub hub;
  Session session;
  TimePoint now = kStart;
  bool in_order = false;
  std::deque<FromClient> on_the_way;
  std::map<Conversation, std::set<Position>> given;
  std::map<Conversation, std::set<std::uint64_t>> told;
  std::map<std::string, Position> joined_at;
  std::map<std::uint64_t, Receipt> answers;
  std::set<std::uint64_t> published;
};

void check_books(World& run) {
  EXPECT_EQ(run.session.unanswered(), 0U);
  for (const std::uint64_t number : run.published) {
    ASSERT_TRUE(run.answers.contains(number)) << "never answered: " << number;
    const Receipt& receipt = run.answers.at(number);
    EXPECT_EQ(run.hub.has(receipt.id), receipt.reason == Reason::none) << receipt.id;
  }
  for (const Conversation& of : {inbox(), group("g")}) {
    std::set<std::string> ids;
    for (const Delivery& delivery : run.hub.log(of)) {
      EXPECT_TRUE(ids.insert(delivery.id).second) << "accepted twice: " << delivery.id;
      if (of == group("g") && delivery.position <= run.joined_at.at("g")) continue;
      EXPECT_TRUE(run.given[of].contains(delivery.position) ||
                  run.told[of].contains(delivery.position.offset))
          << "lost without a word: " << of.name << ' ' << delivery.position.offset;
    }
    for (const Position& position : run.given[of])
      EXPECT_LE(position.offset, run.hub.log(of).size()) << "never sent";
  }
}

std::uint64_t seeds() {
  return 300;
}

TEST(SessionSimulation, LosesAndDoublesNothingOverLostConnections) {
  for (std::uint64_t seed = 1; seed <= seeds() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World run{seed, options()};
    run.hub.refuse_one_in = 9;
    run.in_order = true;
    ASSERT_TRUE(run.session.join({.group = "g"}));
    for (int i = 0; i < 1'000; ++i) run.step(true);
    run.settle();
    check_books(run);
    for (const auto& [of, gaps] : run.told) EXPECT_TRUE(gaps.empty()) << "nothing was dropped";
    EXPECT_EQ(run.hub.acked(), run.hub.sent()) << "all of it was acknowledged";
  }
}

TEST(SessionSimulation, IsToldOfEverythingThatTheHubDrops) {
  for (std::uint64_t seed = 1; seed <= seeds() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World run{seed, options()};
    run.hub.most_waiting = 3;
    ASSERT_TRUE(run.session.join({.group = "g"}));
    for (int i = 0; i < 1'000; ++i) run.step(true);
    run.settle();
    check_books(run);
    for (const auto& [of, positions] : run.given) {
      for (const Position& position : positions)
        EXPECT_FALSE(run.told[of].contains(position.offset))
            << "told as missing, and given: " << position.offset;
    }
  }
}

TEST(SessionSimulation, FetchesWhatTheHubDropped) {
  for (std::uint64_t seed = 1; seed <= seeds() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto pulling = options();
    pulling.gaps = SessionOptions::Gaps::pull;
    World run{seed, pulling};
    run.hub.most_waiting = 3;
    ASSERT_TRUE(run.session.join({.group = "g"}));
    for (int i = 0; i < 300; ++i) run.step(true);
    run.settle();
    check_books(run);
    for (const auto& [of, gaps] : run.told) EXPECT_TRUE(gaps.empty()) << "the log has everything";
  }
}

// --- histories

constexpr std::uint64_t kRun = limits::kFirstUniqueEpoch + 100;  ///< As hubs number theirs.

Delivery at(Conversation to, Position position) {
  const std::string id = std::to_string(position.epoch) + ":" + std::to_string(position.offset);
  return {.from = "ann", .to = std::move(to), .id = id, .position = position};
}
/// Deliveries as their positions, gaps as `REASON FIRST-LAST`.
std::vector<std::string> told(Session& session) {
  std::vector<std::string> all;
  while (const auto next = session.take_event()) {
    if (const auto* const message = std::get_if<Message>(&*next)) {
      const Position& position = message->delivery.position;
      all.push_back(std::to_string(position.epoch % 1'000) + ":" + std::to_string(position.offset));
    } else if (const auto* const gap = std::get_if<Gap>(&*next)) {
      all.push_back(std::string{name_of(gap->reason)} + " " + std::to_string(gap->first) + "-" +
                    std::to_string(gap->last));
    }
  }
  return all;
}
using Told = std::vector<std::string>;

/// It has come to the 20th message of a group, and its connection is lost.
Session at_twenty(std::uint64_t epoch) {
  Session session{options()};
  EXPECT_TRUE(session.join({.group = "g"}));
  welcome(session, {.user = "me", .session_token = "secret", .epoch = epoch});
  session.heard(Joined{.group = "g", .position = {.epoch = epoch, .offset = 19}}, 50_B, kStart);
  session.heard(at(group("g"), {.epoch = epoch, .offset = 20}), 50_B, kStart);
  (void)told(session);
  session.closed({.why = lost()}, kStart);
  return session;
}

TEST(SessionHistory, GoesOnWhereTheHubSaysThatItsHistoryDoes) {
  Session session = at_twenty(kRun);
  welcome(session, {.user = "me", .session_token = "secret", .epoch = kRun - 50, .resumed = true});
  session.heard(Joined{.group = "g", .position = {.epoch = kRun - 50, .offset = 11}}, 50_B, kStart);
  session.heard(Gap{.conversation = group("g"),
                    .epoch = kRun,
                    .first = 11,
                    .last = 20,
                    .reason = Reason::history_changed,
                    .gone = true,
                    .from = Position{.epoch = 7, .offset = 10}},
                50_B, kStart);
  EXPECT_EQ(told(session), Told{"history_changed 11-20"}) << "and not by itself again";
  EXPECT_EQ(session.positions().at(0).position, (Position{.epoch = 7, .offset = 10}));
  session.heard(at(group("g"), {.epoch = kRun - 50, .offset = 11}), 50_B, kStart);
  session.heard(at(group("g"), {.epoch = kRun - 50, .offset = 12}), 50_B, kStart);
  EXPECT_EQ(told(session), (Told{"50:11", "50:12"})) << "earlier epochs, lower offsets, and yet new";
  EXPECT_EQ(session.repeated(), 0U);
}

TEST(SessionHistory, KeepsItsOldPositionUntilItsOwnerHasTakenTheNews) {
  Session session = at_twenty(kRun);
  welcome(session, {.user = "me", .session_token = "secret", .epoch = kRun + 1, .resumed = true});
  session.heard(Gap{.conversation = group("g"),
                    .epoch = kRun,
                    .first = 11,
                    .last = 20,
                    .reason = Reason::history_changed,
                    .gone = true,
                    .from = Position{.epoch = kRun + 1, .offset = 10}},
                50_B, kStart);
  EXPECT_EQ(session.positions().at(0).position, (Position{.epoch = kRun, .offset = 20}));
  (void)told(session);
  EXPECT_EQ(session.positions().at(0).position, (Position{.epoch = kRun + 1, .offset = 10}));
}

TEST(SessionHistory, AcknowledgesTheHubsNewsAndNotItsOwn) {
  Session session = at_twenty(1);
  welcome(session, {.user = "me", .session_token = "other", .epoch = 1});
  session.heard(Joined{.group = "g", .position = {.epoch = 1, .offset = 3}}, 50_B, kStart);
  session.heard(at(group("g"), {.epoch = 1, .offset = 4}), 50_B, kStart);
  EXPECT_EQ(told(session), (Told{"history_changed 4-20", "1:4"}));
  session.settle(kStart);
  EXPECT_EQ(sent<Ack>(session).back().seq, 1U);
}

TEST(SessionHistory, FindsOutByItselfWhatAnEarlierVersionDoesNotTell) {
  Session session = at_twenty(1);
  welcome(session, {.user = "me", .session_token = "other", .epoch = 1});
  session.heard(Joined{.group = "g", .position = {.epoch = 1, .offset = 0}}, 50_B, kStart);
  for (std::uint64_t offset = 1; offset <= 3; ++offset)
    session.heard(at(group("g"), {.epoch = 1, .offset = offset}), 50_B, kStart);
  EXPECT_EQ(told(session), (Told{"history_changed 1-20", "1:1", "1:2", "1:3"}));
}

TEST(SessionHistory, TellsOfAnInboxThatTheHubIsNotAskedFor) {
  Session session{options()};
  welcome(session, {.user = "me", .session_token = "secret", .epoch = kRun});
  session.heard(at(inbox(), {.epoch = kRun, .offset = 7}), 50_B, kStart);
  (void)told(session);
  session.closed({.why = lost()}, kStart);
  welcome(session, {.user = "me",
                    .session_token = "another hub's",
                    .epoch = kRun + 1,
                    .inbox = {.epoch = kRun + 1, .offset = 9}});
  EXPECT_EQ(told(session), Told{"history_changed 7-7"});
  session.heard(at(inbox(), {.epoch = kRun + 1, .offset = 1}), 50_B, kStart);
  EXPECT_EQ(told(session), Told{"101:1"});
}

TEST(SessionHistory, SaysNothingWhenTheHubGoesOnInALaterEpoch) {
  Session session = at_twenty(kRun);
  welcome(session, {.user = "me", .session_token = "secret", .epoch = kRun + 1, .resumed = true});
  session.heard(Joined{.group = "g", .position = {.epoch = kRun + 1, .offset = 20}}, 50_B, kStart);
  session.heard(at(group("g"), {.epoch = kRun + 1, .offset = 21}), 50_B, kStart);
  EXPECT_EQ(told(session), Told{"101:21"});
}

TEST(SessionHistory, SaysNothingOfAnotherSessionInTheSameEpoch) {
  Session session = at_twenty(kRun);
  welcome(session, {.user = "me", .session_token = "another", .epoch = kRun});
  session.heard(Joined{.group = "g", .position = {.epoch = kRun, .offset = 21}}, 50_B, kStart);
  session.heard(at(group("g"), {.epoch = kRun, .offset = 20}), 50_B, kStart);
  session.heard(at(group("g"), {.epoch = kRun, .offset = 21}), 50_B, kStart);
  EXPECT_EQ(told(session), Told{"100:21"});
}

TEST(SessionHistory, DoesNotSwallowWhatIsForEveryoneOfAHubWhoseClockWasSetBack) {
  const Conversation all{.kind = Conversation::Kind::all};
  Session session{options()};
  welcome(session, {.user = "me", .session_token = "secret", .epoch = kRun});
  session.heard(at(all, {.epoch = kRun, .offset = 7}), 50_B, kStart);
  (void)told(session);
  session.closed({.why = lost()}, kStart);
  welcome(session, {.user = "me", .session_token = "other", .epoch = kRun - 1});
  session.heard(at(all, {.epoch = kRun - 1, .offset = 3}), 50_B, kStart);
  EXPECT_EQ(told(session), (Told{"history_changed 3-7", "99:3"}));
}

TEST(SessionHistory, GivesWhatWasPulledOfBothHistories) {
  SessionOptions pulls = options();
  pulls.gaps = SessionOptions::Gaps::pull;
  Session session{std::move(pulls)};
  ASSERT_TRUE(session.join({.group = "g"}));
  welcome(session, {.user = "me", .session_token = "secret", .epoch = kRun});
  session.heard(Joined{.group = "g", .position = {.epoch = kRun, .offset = 5}}, 50_B, kStart);
  session.heard(Gap{.conversation = group("g"),
                    .epoch = kRun,
                    .first = 6,
                    .last = 15,
                    .count = 10,
                    .reason = Reason::dropped_newest},
                50_B, kStart);
  session.closed({.why = lost()}, kStart);
  welcome(session, {.user = "me", .session_token = "secret", .epoch = kRun + 1, .resumed = true});
  session.heard(Gap{.conversation = group("g"),
                    .epoch = kRun,
                    .first = 9,
                    .last = 15,
                    .reason = Reason::history_changed,
                    .gone = true,
                    .from = Position{.epoch = kRun, .offset = 8}},
                50_B, kStart);
  session.heard(at(group("g"), {.epoch = kRun + 1, .offset = 9}), 50_B, kStart);
  for (std::uint64_t offset = 6; offset <= 8; ++offset) {
    Delivery pulled = at(group("g"), {.epoch = kRun, .offset = offset});
    pulled.replayed = true;
    session.heard(std::move(pulled), 50_B, kStart);
  }
  session.heard(Gap{.conversation = group("g"),
                    .epoch = kRun,
                    .first = 9,
                    .last = 15,
                    .count = 7,
                    .reason = Reason::history_changed,
                    .gone = true},
                50_B, kStart);
  session.heard(Pulled{.conversation = group("g"), .last = {.epoch = kRun, .offset = 8}}, 50_B, kStart);
  session.heard(at(group("g"), {.epoch = kRun + 1, .offset = 10}), 50_B, kStart);
  EXPECT_EQ(told(session), (Told{"history_changed 9-15", "101:9", "100:6", "100:7", "100:8",
                                 "history_changed 9-15", "101:10"}));
  EXPECT_EQ(session.positions().at(0).position, (Position{.epoch = kRun + 1, .offset = 10}));
}

}  // namespace
}  // namespace sluice::messaging
