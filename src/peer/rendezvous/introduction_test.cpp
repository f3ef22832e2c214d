#include "peer/rendezvous/introduction.hpp"

#include <algorithm>
#include <deque>
#include <functional>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "crypto/code.hpp"
#include "crypto/random.hpp"
#include "peer/rendezvous/initiator.hpp"
#include "peer/rendezvous/responder.hpp"

namespace sluice::rendezvous {
namespace {

using namespace std::chrono_literals;

const crypto::Code kCode{.mailbox = "7", .words = {1, 2, 3}};
const crypto::Code kOtherCode{.mailbox = "7", .words = {1, 2, 4}};

IntroductionSetup setup_for(const crypto::Code& code) {
  return {.mailbox = code.mailbox, .password = code.password(), .entropy = Entropy::random()};
}

enum class To { host, client };

/// What one side was told to do, as far as its user sees it.
struct Seen {
  bool confirmed = false;
  std::vector<Signal> signals;
  std::optional<Ended> ended;
};

/// Two sides and the hub between them, which is as hostile as a test makes it. Both sides play their script:
/// offer, answer, two candidates each, their end, connected.
class Meeting {
 public:
  /// What the hub delivers in the place of message number `index` (counted over both directions).
  using Hub =
      std::function<std::vector<std::pair<To, ByteBuffer>>(std::size_t index, To to, ByteBuffer body)>;

  explicit Meeting(const crypto::Code& typed = kCode) : client(setup_for(typed)), host(setup_for(kCode)) {}

  void run(Hub hub = {}) {
    hub_ = std::move(hub);
    perform(To::client, host.begin(now));
    perform(To::host, client.begin(now));
    pump();
  }
  void pump() {
    while (!wire_.empty()) {
      auto [to, body] = std::move(wire_.front());
      wire_.pop_front();
      const std::size_t index = delivered_++;
      if (!hub_) {
        deliver(to, body);
      } else {
        for (auto& [whom, instead] : hub_(index, to, std::move(body))) deliver(whom, instead);
      }
    }
  }
  void let_time_pass(Duration time) {
    now += time;
    perform(To::client, host.expire(now));
    perform(To::host, client.expire(now));
    pump();
  }
  void deliver(To to, ByteView body) {
    if (to == To::host) {
      perform(To::client, host.receive(body, now));
    } else {
      perform(To::host, client.receive(body, now));
    }
  }
  /// Carries out what the side opposite of `to` wants.
  void perform(To to, Actions actions) {
    Seen& seen = to == To::client ? at_host : at_client;
    for (Action& action : actions) {
      if (auto* send = std::get_if<SendBody>(&action)) {
        wire_.emplace_back(to, std::move(send->body));
      } else if (auto* ended = std::get_if<Ended>(&action)) {
        EXPECT_FALSE(seen.ended);
        seen.ended = std::move(*ended);
      } else if (std::holds_alternative<KeyConfirmed>(action)) {
        EXPECT_FALSE(seen.confirmed);
        seen.confirmed = true;
        if (to == To::host && scripted) perform(to, client.say(Offer{.sdp = "offer"}));
      } else {
        on_signal(to, std::get<Signal>(action));
      }
    }
  }

  [[nodiscard]] std::size_t delivered() const { return delivered_; }
  /// Whether both have what a channel needs and neither knows of anything wrong.
  [[nodiscard]] bool would_connect() const {
    return !at_client.ended && !at_host.ended && client.far_connected() && host.far_connected();
  }

  Initiator client;
  Responder host;
  Seen at_client;
  Seen at_host;
  TimePoint now{};
  bool scripted = true;

 private:
  void on_signal(To to, const Signal& signal) {
    (to == To::client ? at_host : at_client).signals.push_back(signal);
    Introduction& side = to == To::client ? static_cast<Introduction&>(host) : client;
    if (!scripted) return;
    if (std::holds_alternative<Offer>(signal)) perform(to, side.say(Answer{.sdp = "answer"}));
    if (std::holds_alternative<Offer>(signal) || std::holds_alternative<Answer>(signal)) {
      perform(to, side.say(Candidate{.text = "candidate:1"}));
      perform(to, side.say(Candidate{.text = "candidate:2"}));
      perform(to, side.say(CandidatesDone{}));
      perform(to, side.say(Connected{}));
    }
  }

  Hub hub_;
  std::deque<std::pair<To, ByteBuffer>> wire_;
  std::size_t delivered_ = 0;
};

std::vector<std::pair<To, ByteBuffer>> one(To to, ByteBuffer body) {
  std::vector<std::pair<To, ByteBuffer>> all;
  all.emplace_back(to, std::move(body));
  return all;
}

To other(To to) {
  return to == To::host ? To::client : To::host;
}

/// HELLO, START, REPLY, two CONFIRM, offer, answer, and four more each.
constexpr std::size_t kMessages = 15;
constexpr std::size_t kFirstSealed = 5;

TEST(Introduction, RightCodeConfirmsOnceAndCarriesSignalsInOrder) {
  Meeting meeting;
  meeting.run();
  EXPECT_EQ(meeting.delivered(), kMessages);
  EXPECT_TRUE(meeting.at_client.confirmed && meeting.at_host.confirmed);
  EXPECT_TRUE(meeting.would_connect());
  const std::vector<Signal> rest = {Candidate{.text = "candidate:1"}, Candidate{.text = "candidate:2"},
                                    CandidatesDone{}, Connected{}};
  std::vector<Signal> at_host = {Offer{.sdp = "offer"}};
  at_host.insert(at_host.end(), rest.begin(), rest.end());
  EXPECT_TRUE(meeting.at_host.signals == at_host);
  ASSERT_EQ(meeting.at_client.signals.size(), 5U);
  EXPECT_TRUE(meeting.at_client.signals.front() == Signal{Answer{.sdp = "answer"}});
}

TEST(Introduction, WrongCodeIsToldToBothAndCountsAsAGuess) {
  Meeting meeting{kOtherCode};
  meeting.run();
  EXPECT_FALSE(meeting.at_client.confirmed || meeting.at_host.confirmed);
  ASSERT_TRUE(meeting.at_client.ended && meeting.at_host.ended);
  EXPECT_EQ(meeting.at_client.ended->error.code, Errc::wrong_code);
  EXPECT_EQ(meeting.at_host.ended->error.code, Errc::wrong_code);
  EXPECT_EQ(meeting.at_host.ended->guess, Ended::Guess::wrong);
}

TEST(Introduction, VisitorWhoShowsNoProofGetsNoneAndBurnsNothing) {
  Meeting meeting;
  std::vector<ByteBuffer> to_client;
  meeting.run([&](std::size_t index, To to, ByteBuffer body) {
    if (to == To::client) to_client.push_back(body);
    return index == 3 ? decltype(one(to, {})){} : one(to, std::move(body));  // his CONFIRM
  });
  EXPECT_EQ(to_client.size(), 2U);  // HELLO and REPLY
  meeting.let_time_pass(limits::kKeyConfirmation);
  ASSERT_TRUE(meeting.at_host.ended);
  EXPECT_EQ(meeting.at_host.ended->error.code, Errc::timed_out);
  EXPECT_EQ(meeting.at_host.ended->guess, Ended::Guess::none);
}

TEST(Introduction, RefusalByTheOtherSideBurnsNothing) {
  Meeting meeting;
  meeting.run([&](std::size_t index, To to, ByteBuffer body) {
    if (index != 3) return one(to, std::move(body));
    return one(to, encode(Message{Refusal{.reason = Refusal::Reason::wrong_code}}));
  });
  ASSERT_TRUE(meeting.at_host.ended);
  EXPECT_EQ(meeting.at_host.ended->guess, Ended::Guess::none);
}

TEST(Introduction, AnotherMailboxIsAnotherKey) {
  // A hub that lets two meet who mean different mailboxes, with the same words.
  Meeting meeting{crypto::Code{.mailbox = "8", .words = kCode.words}};
  meeting.run();
  ASSERT_TRUE(meeting.at_host.ended);
  EXPECT_EQ(meeting.at_host.ended->error.code, Errc::wrong_code);
}

// --- a hub that alters one message, whichever
// -------------------------------------------------------------------------

struct Attack {
  const char* name;
  std::function<std::vector<std::pair<To, ByteBuffer>>(To to, ByteBuffer body)> instead;
};

class HostileHub : public testing::TestWithParam<Attack> {};

TEST_P(HostileHub, NeverBringsTwoTogetherAndIsAlwaysNoticed) {
  for (std::size_t target = 0; target < kMessages; ++target) {
    SCOPED_TRACE(target);
    Meeting meeting;
    meeting.run([&](std::size_t index, To to, ByteBuffer body) {
      return index == target ? GetParam().instead(to, std::move(body)) : one(to, std::move(body));
    });
    meeting.let_time_pass(limits::kKeyConfirmation);
    meeting.let_time_pass(limits::kIntroduction);
    // A connected side no longer waits, so the loss of the very last word is nobody's loss.
    const bool harmless = meeting.would_connect();
    EXPECT_TRUE(meeting.at_client.ended || meeting.at_host.ended || harmless);
    EXPECT_FALSE(harmless);
    for (const Signal& signal : meeting.at_host.signals) {
      if (const auto* offer = std::get_if<Offer>(&signal)) {
        EXPECT_EQ(offer->sdp, "offer");
      }
    }
    for (const Signal& signal : meeting.at_client.signals) {
      if (const auto* answer = std::get_if<Answer>(&signal)) {
        EXPECT_EQ(answer->sdp, "answer");
      }
    }
    if (target < kFirstSealed - 1) {
      EXPECT_TRUE(meeting.at_client.signals.empty() && meeting.at_host.signals.empty());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Attacks, HostileHub,
    testing::Values(
        Attack{.name = "Drops",
               .instead = [](To, ByteBuffer) { return std::vector<std::pair<To, ByteBuffer>>{}; }},
        Attack{.name = "Replays",
               .instead =
                   [](To to, ByteBuffer body) {
                     auto twice = one(to, body);
                     twice.emplace_back(to, std::move(body));
                     return twice;
                   }},
        Attack{.name = "Truncates",
               .instead =
                   [](To to, ByteBuffer body) {
                     body.pop_back();
                     return one(to, std::move(body));
                   }},
        Attack{.name = "Extends",
               .instead =
                   [](To to, ByteBuffer body) {
                     body.push_back(std::byte{0});
                     return one(to, std::move(body));
                   }},
        Attack{.name = "FlipsTheLastBit",
               .instead =
                   [](To to, ByteBuffer body) {
                     body.back() ^= std::byte{1};
                     return one(to, std::move(body));
                   }},
        Attack{.name = "Reflects",
               .instead = [](To to, ByteBuffer body) { return one(other(to), std::move(body)); }},
        Attack{.name = "ReflectsAndDelivers",
               .instead =
                   [](To to, ByteBuffer body) {
                     auto both = one(other(to), body);
                     both.emplace_back(to, std::move(body));
                     return both;
                   }},
        Attack{.name = "Empties", .instead = [](To to, ByteBuffer) { return one(to, {}); }},
        Attack{.name = "InjectsARefusal",
               .instead =
                   [](To to, ByteBuffer body) {
                     auto both = one(to, encode(Message{Refusal{}}));
                     both.emplace_back(to, std::move(body));
                     return both;
                   }},
        Attack{.name = "InjectsASealedMessage",
               .instead =
                   [](To to, ByteBuffer body) {
                     crypto::Sealer own{crypto::random_secret<32>()};
                     auto both =
                         one(to, encode(Message{Sealed{.bytes = own.seal(encode(Offer{.sdp = "mine"}))}}));
                     both.emplace_back(to, std::move(body));
                     return both;
                   }},
        Attack{.name = "InjectsAHello",
               .instead =
                   [](To to, ByteBuffer body) {
                     auto both = one(to, encode(Message{Hello{}}));
                     both.emplace_back(to, std::move(body));
                     return both;
                   }}),
    [](const auto& test) { return test.param.name; });

TEST(Introduction, EveryFlippedBitOfTheHandshakeIsNoticed) {
  for (std::size_t target = 0; target < kFirstSealed; ++target) {
    const std::size_t sizes[] = {23, 54, 33, 33, 33};
    for (std::size_t bit = 0; bit < sizes[target] * 8; ++bit) {
      Meeting meeting;
      meeting.run([&](std::size_t index, To to, ByteBuffer body) {
        if (index == target) body.at(bit / 8) ^= std::byte{1} << (bit % 8);
        return one(to, std::move(body));
      });
      meeting.let_time_pass(limits::kIntroduction);
      EXPECT_TRUE(meeting.at_client.ended && meeting.at_host.ended) << target << ' ' << bit;
      EXPECT_TRUE(meeting.at_host.signals.empty()) << target << ' ' << bit;
    }
  }
}

TEST(Introduction, EveryFlippedBitOfASealedOfferIsNoticed) {
  // What a hub would have to do to put its own DTLS fingerprint into the offer.
  const std::size_t size = 1 + crypto::kSealOverhead + 1 + 5;
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    Meeting meeting;
    meeting.run([&](std::size_t index, To to, ByteBuffer body) {
      if (index == kFirstSealed) {
        EXPECT_EQ(body.size(), size);
        body.at(bit / 8) ^= std::byte{1} << (bit % 8);
      }
      return one(to, std::move(body));
    });
    ASSERT_TRUE(meeting.at_host.ended) << bit;
    EXPECT_TRUE(meeting.at_host.signals.empty()) << bit;
    EXPECT_EQ(meeting.at_host.ended->guess, Ended::Guess::none);
  }
}

TEST(Introduction, EveryExchangeOfTwoNeighboursIsNoticed) {
  for (std::size_t target = 0; target < kMessages; ++target) {
    Meeting meeting;
    std::vector<std::pair<To, ByteBuffer>> held;
    meeting.run([&](std::size_t index, To to, ByteBuffer body) {
      auto out = one(to, std::move(body));
      if (index == target) {
        held = std::move(out);
        return std::vector<std::pair<To, ByteBuffer>>{};
      }
      // Only an exchange of two for the same side changes what anybody sees.
      if (!held.empty() && held.front().first == to) {
        out.push_back(std::move(held.front()));
        held.clear();
      }
      return out;
    });
    meeting.let_time_pass(limits::kIntroduction);
    EXPECT_FALSE(meeting.would_connect()) << target;
    EXPECT_TRUE(meeting.at_client.ended || meeting.at_host.ended) << target;
  }
}

TEST(Introduction, SealedMessagesOfAnEarlierIntroductionDoNotOpen) {
  std::vector<ByteBuffer> earlier;
  Meeting first;
  first.run([&](std::size_t, To to, ByteBuffer body) {
    earlier.push_back(body);
    return one(to, std::move(body));
  });
  for (std::size_t target = 0; target < kMessages; ++target) {
    Meeting second;
    second.run([&](std::size_t index, To to, ByteBuffer body) {
      return one(to, index == target ? earlier.at(index) : std::move(body));
    });
    second.let_time_pass(limits::kIntroduction);
    EXPECT_FALSE(second.would_connect()) << target;
    EXPECT_TRUE(second.at_client.ended || second.at_host.ended) << target;
  }
}

// --- a hub between two key exchanges of its own
// -----------------------------------------------------------------------

/// The hub plays the host to the client and the client to the host, with its own guess of the code.
struct Between {
  explicit Between(const crypto::Code& guess)
      : false_host(setup_for(guess)), false_client(setup_for(guess)) {}

  void run() {
    perform(false_host.begin({}), client, seen_client);
    Actions none = client.begin({});
    EXPECT_TRUE(none.empty());
    none = false_client.begin({});
    for (Action& action : host.begin({})) to(false_client, host, std::get<SendBody>(action).body, seen_host);
  }

 private:
  /// Carries a body to `side`, and what it answers back to `far`, until nothing is left; `seen` is the honest
  /// side's.
  void to(Introduction& side, Introduction& far, const ByteBuffer& body, Seen& seen) {
    perform(side.receive(body, {}), far, seen, side);
  }
  void perform(Actions actions, Introduction& far, Seen& seen) {
    perform(std::move(actions), far, seen, false_host);
  }
  void perform(Actions actions, Introduction& far, Seen& seen, Introduction& self) {
    const bool honest = &self == &client || &self == &host;
    for (Action& action : actions) {
      if (auto* send = std::get_if<SendBody>(&action)) to(far, self, send->body, seen);
      if (honest && std::holds_alternative<Ended>(action)) seen.ended = std::move(std::get<Ended>(action));
      if (honest && std::holds_alternative<KeyConfirmed>(action)) seen.confirmed = true;
    }
  }

 public:
  Initiator client{setup_for(kCode)};
  Responder host{setup_for(kCode)};
  Responder false_host;
  Initiator false_client;
  Seen seen_client;
  Seen seen_host;
};

TEST(Introduction, HubWithAWrongGuessFoolsNeitherSide) {
  Between between{kOtherCode};
  between.run();
  EXPECT_FALSE(between.seen_client.confirmed || between.seen_host.confirmed);
  ASSERT_TRUE(between.seen_client.ended && between.seen_host.ended);
  EXPECT_EQ(between.seen_client.ended->error.code, Errc::wrong_code);
  EXPECT_EQ(between.seen_host.ended->guess, Ended::Guess::wrong);  // its guess at the host is used up
}

TEST(Introduction, HubThatClaimsToKnowTheCodeIsFoundOutByTheClient) {
  // It cannot check the client's proof, and sends one of its own making.
  Initiator client{setup_for(kCode)};
  Actions actions = client.begin({});
  Responder false_host{setup_for(kOtherCode)};
  actions = client.receive(std::get<SendBody>(false_host.begin({}).front()).body, {});
  actions = false_host.receive(std::get<SendBody>(actions.front()).body, {});
  actions = client.receive(std::get<SendBody>(actions.front()).body, {});
  ASSERT_EQ(actions.size(), 1U);  // the client's proof
  actions = client.receive(encode(Message{Confirm{.tag = crypto::random_bytes<32>()}}), {});
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(std::get<Ended>(actions.back()).error.code, Errc::wrong_code);
  EXPECT_NE(std::get<Ended>(actions.back()).error.message.find("not who it should be"), std::string::npos);
}

// --- versions
// ---------------------------------------------------------------------------------------------------------

Errc client_ends_on(const Hello& hello) {
  Initiator client{setup_for(kCode)};
  Actions actions = client.begin({});
  actions = client.receive(encode(Message{hello}), {});
  return actions.size() == 2 && std::holds_alternative<Ended>(actions[1])
             ? std::get<Ended>(actions[1]).error.code
             : Errc::closed;
}

TEST(Introduction, ClientChoosesWhatBothSpeakOrSaysWhoMustUpdate) {
  EXPECT_EQ(client_ends_on({.newest = 1, .oldest = 1}), Errc::closed);  // goes on
  EXPECT_EQ(client_ends_on({.newest = 9, .oldest = 1}), Errc::closed);
  EXPECT_EQ(client_ends_on({.newest = 9, .oldest = 2}), Errc::unsupported);
}

TEST(Introduction, HostRefusesWhatItDidNotOfferAndBurnsNothing) {
  for (const Start& start : {Start{.version = 2}, Start{.version = 0}, Start{.version = 1, .features = 1}}) {
    Responder host{setup_for(kCode)};
    Actions actions = host.begin({});
    actions = host.receive(encode(Message{start}), {});
    ASSERT_EQ(actions.size(), 2U);
    const Ended& ended = std::get<Ended>(actions[1]);
    EXPECT_EQ(ended.error.code, Errc::unsupported);
    EXPECT_EQ(ended.guess, Ended::Guess::none);
  }
}

TEST(Introduction, HelloWhoseVersionsWereAlteredNeverConfirms) {
  Meeting meeting;
  meeting.run([&](std::size_t index, To to, ByteBuffer body) {
    if (index == 0) body[1] = std::byte{2};  // as if the host spoke version 2 as well
    return one(to, std::move(body));
  });
  EXPECT_FALSE(meeting.at_client.confirmed || meeting.at_host.confirmed);
  EXPECT_TRUE(meeting.at_client.ended && meeting.at_host.ended);
}

TEST(Introduction, RefusesAShareThatIsNoElement) {
  Meeting meeting;
  meeting.run([&](std::size_t index, To to, ByteBuffer body) {
    if (index == 2) std::fill(body.begin() + 1, body.end(), std::byte{0});
    return one(to, std::move(body));
  });
  ASSERT_TRUE(meeting.at_client.ended);
  EXPECT_EQ(meeting.at_client.ended->error.code, Errc::malformed);
  Meeting other_way;
  other_way.run([&](std::size_t index, To to, ByteBuffer body) {
    if (index == 1) std::fill(body.end() - 32, body.end(), std::byte{0});
    return one(to, std::move(body));
  });
  ASSERT_TRUE(other_way.at_host.ended);
  EXPECT_EQ(other_way.at_host.ended->guess, Ended::Guess::none);
}

// --- rules and bounds of the sealed part
// ------------------------------------------------------------------------------

/// A confirmed pair, to say things that the script does not.
struct Confirmed : Meeting {
  Confirmed() {
    scripted = false;
    run();
    EXPECT_TRUE(at_client.confirmed && at_host.confirmed);
  }
  void client_says(const Signal& signal) {
    perform(To::host, client.say(signal));
    pump();
  }
  void host_says(const Signal& signal) {
    perform(To::client, host.say(signal));
    pump();
  }
};

TEST(Introduction, DescriptionsComeFirstOnceAndFromTheRightSide) {
  Confirmed early;
  early.client_says(Candidate{.text = "candidate:1"});
  EXPECT_EQ(early.at_host.ended.value().error.code, Errc::protocol_violation);
  Confirmed twice;
  twice.client_says(Offer{.sdp = "one"});
  twice.client_says(Offer{.sdp = "two"});
  EXPECT_EQ(twice.at_host.ended.value().error.code, Errc::protocol_violation);
  Confirmed wrong_side;
  wrong_side.host_says(Offer{.sdp = "mine"});
  EXPECT_EQ(wrong_side.at_client.ended.value().error.code, Errc::protocol_violation);
  EXPECT_TRUE(wrong_side.at_host.ended);  // it was told
}

TEST(Introduction, CandidatesAreBoundedAndEndOnce) {
  Confirmed many;
  many.client_says(Offer{.sdp = "offer"});
  for (std::size_t i = 0; i < limits::kMaxCandidates; ++i) many.client_says(Candidate{.text = "candidate"});
  EXPECT_FALSE(many.at_host.ended);
  many.client_says(Candidate{.text = "candidate"});
  EXPECT_EQ(many.at_host.ended.value().error.code, Errc::limit_exceeded);
  Confirmed after;
  after.client_says(Offer{.sdp = "offer"});
  after.client_says(CandidatesDone{});
  after.client_says(Candidate{.text = "candidate"});
  EXPECT_EQ(after.at_host.ended.value().error.code, Errc::protocol_violation);
}

TEST(Introduction, GivingUpReachesTheOtherSideWithItsReason) {
  Confirmed pair;
  pair.perform(To::host, pair.client.give_up({.code = Errc::unreachable, .message = "no path"}));
  pair.pump();
  ASSERT_TRUE(pair.at_host.ended);
  EXPECT_EQ(pair.at_host.ended->error.code, Errc::unreachable);
  EXPECT_NE(pair.at_host.ended->error.message.find("no path"), std::string::npos);
  EXPECT_TRUE(pair.client.say(Connected{}).empty());
}

TEST(Introduction, ConfirmedSideHearsNothingThatIsNotSealed) {
  for (const Message& message : {Message{Refusal{}}, Message{Hello{}}, Message{Confirm{}}}) {
    Confirmed pair;
    pair.deliver(To::host, encode(message));
    EXPECT_EQ(pair.at_host.ended.value().error.code, Errc::protocol_violation);
  }
}

TEST(Introduction, NothingIsSaidBeforeTheKeyIsConfirmed) {
  Initiator client{setup_for(kCode)};
  EXPECT_TRUE(client.begin({}).empty());
  EXPECT_TRUE(client.say(Offer{.sdp = "offer"}).empty());
}

TEST(Introduction, DeadlinesMoveOnceWithTheConfirmedKey) {
  Meeting meeting;
  meeting.scripted = false;
  meeting.run([](std::size_t, To, ByteBuffer) { return std::vector<std::pair<To, ByteBuffer>>{}; });
  EXPECT_EQ(meeting.host.deadline(), TimePoint{} + limits::kKeyConfirmation);
  meeting.let_time_pass(limits::kKeyConfirmation - 1ms);
  EXPECT_FALSE(meeting.at_host.ended);
  meeting.let_time_pass(1ms);
  EXPECT_TRUE(meeting.at_host.ended);
  Confirmed pair;
  EXPECT_EQ(pair.host.deadline(), TimePoint{} + limits::kIntroduction);
  pair.let_time_pass(limits::kIntroduction);
  EXPECT_EQ(pair.at_host.ended.value().error.code, Errc::timed_out);
  EXPECT_EQ(pair.at_client.ended.value().error.code, Errc::timed_out);
}

TEST(Introduction, AnyBytesAtAnyStepEndItOrDoNothing) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes, std::size_t step) {
    Meeting meeting;
    const std::size_t target = step % kMessages;
    meeting.run([&](std::size_t index, To to, ByteBuffer body) {
      if (index != target) return one(to, std::move(body));
      ByteBuffer instead = to_buffer(std::as_bytes(std::span{bytes}));
      if (!instead.empty()) instead[0] = body[0];  // past the type at least
      return one(to, std::move(instead));
    });
    meeting.let_time_pass(limits::kIntroduction);
    RC_ASSERT(!meeting.would_connect());
  }));
}

}  // namespace
}  // namespace sluice::rendezvous
