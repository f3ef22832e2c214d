#include "hub/mailbox.hpp"

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;

constexpr ConnectionId kHost{1};
constexpr ConnectionId kVisitor{2};
constexpr ConnectionId kThird{3};
const std::string kName = "0123456789abcdef0123456789abcdef";

/// Everything that the mailboxes want said and done, as short lines: `2: joined`, `2: close`.
std::vector<std::string> lines(const MailboxActions& actions) {
  struct Text {
    std::string operator()(const Opened& reply) const { return "opened " + reply.mailbox; }
    std::string operator()(const Joined&) const { return "joined"; }
    std::string operator()(const PeerJoined& reply) const {
      return "peer_joined " + std::to_string(reply.introduction);
    }
    std::string operator()(const PeerLeft& reply) const {
      return "peer_left " + std::string{name_of(reply.reason)};
    }
    std::string operator()(const Delivered& reply) const { return "message " + reply.body; }
    std::string operator()(const Expired&) const { return "expired"; }
    std::string operator()(const Pong&) const { return "pong"; }
    std::string operator()(const Refusal& reply) const { return "error " + std::string{name_of(reply.code)}; }
  };
  std::vector<std::string> texts;
  for (const auto& action : actions) {
    if (const auto* send = std::get_if<Send>(&action)) {
      texts.push_back(std::to_string(static_cast<std::uint64_t>(send->to)) + ": " +
                      std::visit(Text{}, send->reply));
    } else {
      texts.push_back(std::to_string(static_cast<std::uint64_t>(std::get<Close>(action).who)) + ": close");
    }
  }
  return texts;
}

using Lines = std::vector<std::string>;

class MailboxesTest : public testing::Test {
 protected:
  void start(MailboxLimits with = {}) {
    mailboxes.emplace(with, [](std::uint32_t bound) { return 6 % bound; });  // the first number is 7
    for (const ConnectionId id : {kHost, kVisitor, kThird}) {
      (void)mailboxes->connected(id, "192.0.2." + std::to_string(static_cast<std::uint64_t>(id)), now);
    }
  }
  Lines ask(ConnectionId id, Request request) {
    return lines(mailboxes->handle(id, std::move(request), now));
  }
  Lines wait(Duration time) {
    now += time;
    return lines(mailboxes->expire(now));
  }
  Lines leave(ConnectionId id, LeaveReason reason = LeaveReason::left) {
    return lines(mailboxes->disconnected(id, reason, now));
  }
  void introduce() {
    ask(kHost, Open{});
    ask(kVisitor, Join{.mailbox = "7"});
  }

  TimePoint now{};
  std::optional<Mailboxes> mailboxes;
};

TEST_F(MailboxesTest, IntroduceTwoAndCarryTheirMessages) {
  start();
  EXPECT_EQ(ask(kHost, Open{}), Lines{"1: opened 7"});
  EXPECT_EQ(ask(kVisitor, Join{.mailbox = "7"}), (Lines{"2: joined", "1: peer_joined 1"}));
  EXPECT_EQ(ask(kHost, Relay{.body = "aaaa", .introduction = {}}), Lines{"2: message aaaa"});
  EXPECT_EQ(ask(kVisitor, Relay{.body = "bbbb", .introduction = {}}), Lines{"1: message bbbb"});
  EXPECT_EQ(leave(kVisitor), Lines{"1: peer_left left"});
  EXPECT_EQ(ask(kThird, Join{.mailbox = "7"}), (Lines{"3: joined", "1: peer_joined 2"}));
  EXPECT_EQ(leave(kHost, LeaveReason::lost), Lines{"3: peer_left lost"});
  EXPECT_EQ(mailboxes->size(), 0U);
}

TEST_F(MailboxesTest, HaveTwoPlacesOnly) {
  start();
  introduce();
  EXPECT_EQ(ask(kThird, Join{.mailbox = "7"}), Lines{"3: error busy"});
  EXPECT_EQ(ask(kThird, Relay{.body = "aaaa", .introduction = {}}), Lines{});
  EXPECT_EQ(mailboxes->denied(Denial::place_taken), 1U);
  EXPECT_EQ(mailboxes->denied(Denial::nobody_there), 1U);
}

TEST_F(MailboxesTest, GiveAConnectionOnePlaceOnly) {
  start();
  introduce();
  EXPECT_EQ(ask(kVisitor, Open{}), (Lines{"2: error malformed", "1: peer_left lost", "2: close"}));
  EXPECT_EQ(ask(kHost, Join{.mailbox = "7"}), (Lines{"1: error malformed", "1: close"}));
  EXPECT_EQ(mailboxes->denied(Denial::out_of_turn), 2U);
  EXPECT_EQ(mailboxes->size(), 0U);
}

TEST_F(MailboxesTest, ReleaseFreesTheSecondPlace) {
  start();
  introduce();
  EXPECT_EQ(ask(kHost, Release{}), Lines{"2: peer_left released"});
  EXPECT_EQ(ask(kHost, Release{}), Lines{});
  EXPECT_EQ(ask(kThird, Join{.mailbox = "7"}), (Lines{"3: joined", "1: peer_joined 2"}));
}

TEST_F(MailboxesTest, WordsAboutTheLastVisitorDoNotReachTheNext) {
  start();
  introduce();
  leave(kVisitor);
  ask(kThird, Join{.mailbox = "7"});
  EXPECT_EQ(ask(kHost, Relay{.body = "aaaa", .introduction = 1}), Lines{});
  EXPECT_EQ(ask(kHost, Release{.introduction = 1}), Lines{});
  EXPECT_EQ(mailboxes->denied(Denial::stale), 2U);
  EXPECT_EQ(ask(kHost, Relay{.body = "bbbb", .introduction = 2}), Lines{"3: message bbbb"});
  EXPECT_EQ(ask(kHost, Release{.introduction = 2}), Lines{"3: peer_left released"});
}

TEST_F(MailboxesTest, BurnTellsTheVisitorAndRetiresTheNumber) {
  start();
  introduce();
  EXPECT_EQ(ask(kHost, Burn{}), (Lines{"2: error burnt", "2: close"}));
  EXPECT_EQ(mailboxes->size(), 0U);
  EXPECT_EQ(ask(kThird, Join{.mailbox = "7"}), Lines{"3: error burnt"});
  EXPECT_EQ(ask(kHost, Open{}), Lines{"1: opened 8"});  // another number
  EXPECT_EQ(ask(kHost, Burn{}), Lines{});
  EXPECT_EQ(ask(kHost, Open{}), Lines{"1: opened 9"});
}

TEST_F(MailboxesTest, LetOnlyTheHostReleaseAndBurn) {
  start();
  introduce();
  EXPECT_EQ(ask(kVisitor, Burn{}), (Lines{"2: error malformed", "1: peer_left lost", "2: close"}));
  ask(kThird, Join{.mailbox = "7"});
  EXPECT_EQ(ask(kThird, Release{}), (Lines{"3: error malformed", "1: peer_left lost", "3: close"}));
  EXPECT_EQ(mailboxes->size(), 1U);
}

TEST_F(MailboxesTest, NumberedOnesRunOut) {
  start();
  ask(kHost, Open{});
  EXPECT_EQ(wait(599s), (Lines{"2: close", "3: close"}));  // two that never said anything
  (void)mailboxes->connected(ConnectionId{4}, "192.0.2.4", now);
  EXPECT_EQ(wait(1s), Lines{"1: expired"});
  EXPECT_EQ(ask(ConnectionId{4}, Join{.mailbox = "7"}), Lines{"4: error expired"});
  EXPECT_EQ(ask(kHost, Open{}), Lines{"1: opened 8"});
}

TEST_F(MailboxesTest, RunOutLaterForAVisitorWhoIsThere) {
  start();
  ask(kHost, Open{});
  wait(595s);
  (void)mailboxes->connected(ConnectionId{4}, "192.0.2.4", now);
  ask(ConnectionId{4}, Join{.mailbox = "7"});
  ask(ConnectionId{4}, Relay{.body = "aaaa", .introduction = {}});
  EXPECT_EQ(wait(10s), Lines{});
  EXPECT_EQ(leave(ConnectionId{4}), (Lines{"1: peer_left left", "1: expired"}));
}

TEST_F(MailboxesTest, NamedOnesStayWithTheirHost) {
  start();
  EXPECT_EQ(ask(kHost, Open{.name = kName}), Lines{"1: opened " + kName});
  EXPECT_EQ(ask(kThird, Open{.name = kName}), Lines{"3: error busy"});
  wait(24h);
  (void)mailboxes->connected(ConnectionId{4}, "192.0.2.4", now);
  EXPECT_EQ(ask(ConnectionId{4}, Join{.mailbox = kName}), (Lines{"4: joined", "1: peer_joined 1"}));
  leave(kHost);
  EXPECT_EQ(ask(ConnectionId{4}, Open{.name = kName}), Lines{"4: opened " + kName});
}

TEST_F(MailboxesTest, SendVisitorsOffWhoStayTooLong) {
  start();
  introduce();
  ask(kVisitor, Relay{.body = "aaaa", .introduction = {}});
  EXPECT_EQ(wait(60s), (Lines{"2: expired", "1: peer_left timed_out", "2: close", "3: close"}));
  EXPECT_EQ(mailboxes->denied(Denial::introduction_late), 1U);
  EXPECT_EQ(mailboxes->size(), 1U);
}

TEST_F(MailboxesTest, BoundAnIntroductionInMessagesAndBytes) {
  start({.introduction_messages = 3});
  introduce();
  ask(kHost, Relay{.body = "a", .introduction = {}});
  ask(kVisitor, Relay{.body = "b", .introduction = {}});
  EXPECT_EQ(ask(kHost, Relay{.body = "c", .introduction = {}}), Lines{"2: message c"});
  EXPECT_EQ(ask(kHost, Relay{.body = "d", .introduction = {}}),
            (Lines{"2: error limit_exceeded", "1: peer_left limit_exceeded", "2: close"}));
  start({.introduction_bytes = 10_B});
  introduce();
  EXPECT_EQ(ask(kVisitor, Relay{.body = "12345678", .introduction = {}}), Lines{"1: message 12345678"});
  EXPECT_EQ(ask(kVisitor, Relay{.body = "1234", .introduction = {}}),
            (Lines{"2: error limit_exceeded", "1: peer_left limit_exceeded", "2: close"}));
  EXPECT_EQ(mailboxes->denied(Denial::introduction_full), 1U);
}

TEST_F(MailboxesTest, AreLimitedInNumber) {
  start({.mailboxes = 1});
  ask(kHost, Open{});
  EXPECT_EQ(ask(kThird, Open{}), Lines{"3: error limit_exceeded"});
  EXPECT_EQ(mailboxes->denied(Denial::hub_full), 1U);
  leave(kHost);
  EXPECT_EQ(ask(kThird, Open{}), Lines{"3: opened 8"});
}

TEST_F(MailboxesTest, AreLimitedForEachAddress) {
  start({.mailboxes_per_address = 1});
  ask(kHost, Open{});
  (void)mailboxes->connected(ConnectionId{4}, "192.0.2.1", now);
  EXPECT_EQ(ask(ConnectionId{4}, Open{}), Lines{"4: error limit_exceeded"});
  EXPECT_EQ(ask(kThird, Open{}), Lines{"3: opened 8"});
  leave(kHost);
  EXPECT_EQ(ask(ConnectionId{4}, Open{}), Lines{"4: opened 9"});
  EXPECT_EQ(mailboxes->denied(Denial::address_full), 1U);
}

TEST_F(MailboxesTest, LimitFailedJoinsOfAnAddress) {
  start({.tries = {.burst = 2, .interval = 6s, .max_tracked = 10}});
  ask(kHost, Open{});
  EXPECT_EQ(ask(kVisitor, Join{.mailbox = "5"}), Lines{"2: error not_found"});
  EXPECT_EQ(ask(kVisitor, Join{.mailbox = kName}), Lines{"2: error not_found"});
  const auto refused = mailboxes->handle(kVisitor, Join{.mailbox = "7"}, now);  // which is there
  const auto& refusal = std::get<Refusal>(std::get<Send>(refused.at(0)).reply);
  EXPECT_EQ(refusal.code, RefusalCode::too_many_tries);
  EXPECT_EQ(refusal.retry_after, 6s);
  EXPECT_EQ(ask(kThird, Join{.mailbox = "5"}), Lines{"3: error not_found"});  // somebody else may
  wait(6s);
  EXPECT_EQ(ask(kVisitor, Join{.mailbox = "7"}), (Lines{"2: joined", "1: peer_joined 1"}));
}

TEST_F(MailboxesTest, LimitFailedJoinsOfAWholeNetworkOfIpv6) {
  start({.tries = {.burst = 2, .interval = 6s, .max_tracked = 100}});
  std::uint64_t last = 10;
  const auto join = [&](const std::string& address) {
    const ConnectionId id{++last};
    (void)mailboxes->connected(id, address, now);
    return mailboxes->handle(id, Join{.mailbox = "5"}, now);
  };
  const auto code = [](const MailboxActions& actions) {
    return std::get<Refusal>(std::get<Send>(actions.at(0)).reply).code;
  };
  for (int i = 0; i < 4 * 2; ++i)
    EXPECT_EQ(code(join("2001:db8:1:" + std::to_string(i) + "::1")), RefusalCode::not_found) << i;
  const auto refused = join("2001:db8:1:99::1");
  EXPECT_EQ(code(refused), RefusalCode::too_many_tries) << "a fresh /64 gains nothing";
  EXPECT_EQ(std::get<Refusal>(std::get<Send>(refused.at(0)).reply).retry_after, 1500ms);
  EXPECT_EQ(code(join("2001:db8:2:1::1")), RefusalCode::not_found) << "another site";
  now += 1500ms;
  EXPECT_EQ(code(join("2001:db8:1:99::1")), RefusalCode::not_found);
  EXPECT_EQ(code(join("2001:db8:1:99::1")), RefusalCode::too_many_tries);
}

TEST_F(MailboxesTest, CountABurntCodeForItsVisitorsNetworkToo) {
  start({.tries = {.burst = 1, .interval = 6s, .max_tracked = 100}});
  for (std::uint64_t i = 0; i < 5; ++i) {
    ask(kHost, Open{.name = kName});
    const ConnectionId visitor{10 + i};
    (void)mailboxes->connected(visitor, "2001:db8:1:" + std::to_string(i) + "::1", now);
    EXPECT_EQ(ask(visitor, Join{.mailbox = kName}).front(),
              std::to_string(10 + i) + (i < 4 ? ": joined" : ": error too_many_tries"));
    ask(kHost, Burn{});
  }
}

TEST_F(MailboxesTest, CountABurntCodeAsItsVisitorsFailedTry) {
  start({.tries = {.burst = 1, .interval = 6s, .max_tracked = 10}});
  introduce();
  leave(kVisitor);  // gone before the host says so
  ask(kHost, Burn{});
  (void)mailboxes->connected(ConnectionId{4}, "192.0.2.2", now);
  EXPECT_EQ(ask(ConnectionId{4}, Join{.mailbox = "5"}), Lines{"4: error too_many_tries"});
}

TEST_F(MailboxesTest, ChargeNobodyForAHostThatBurnsWhateverComes) {
  start({.tries = {.burst = 2, .interval = 6s, .max_tracked = 10}});
  for (std::uint64_t i = 0; i < 10; ++i) {
    ask(kHost, Open{.name = kName});
    const ConnectionId visitor{10 + i};
    (void)mailboxes->connected(visitor, "192.0.2.2", now);
    EXPECT_EQ(ask(visitor, Join{.mailbox = kName}).front(), std::to_string(10 + i) + ": joined");
    ask(kHost, Burn{});
  }
  EXPECT_EQ(mailboxes->denied(Denial::too_many_tries), 0U);
}

TEST_F(MailboxesTest, LetAMuteVisitorYieldToTheNextOne) {
  start();
  introduce();
  wait(1s);
  EXPECT_EQ(ask(kThird, Join{.mailbox = "7"}), Lines{"3: error busy"});
  wait(1s);
  EXPECT_EQ(ask(kThird, Join{.mailbox = "7"}), (Lines{"2: error limit_exceeded", "1: peer_left timed_out",
                                                      "2: close", "3: joined", "1: peer_joined 2"}));
  EXPECT_EQ(mailboxes->denied(Denial::mute_visitor), 1U);
}

TEST_F(MailboxesTest, KeepAVisitorThatHasSpoken) {
  start();
  introduce();
  ask(kVisitor, Relay{.body = "aaaa", .introduction = {}});
  wait(20s);
  EXPECT_EQ(ask(kThird, Join{.mailbox = "7"}), Lines{"3: error busy"});
}

TEST_F(MailboxesTest, EndAVisitThatBeginsWithSilence) {
  start();
  introduce();
  ask(kHost, Relay{.body = "aaaa", .introduction = {}});
  EXPECT_EQ(wait(10s), (Lines{"2: expired", "1: peer_left timed_out", "2: close"}));
}

TEST_F(MailboxesTest, LetTheOldestOfTheBusiestAddressGiveWayToANewcomer) {
  mailboxes.emplace(MailboxLimits{.waiters = 4}, [](std::uint32_t bound) { return 6 % bound; });
  for (std::uint64_t id = 1; id <= 3; ++id)
    EXPECT_EQ(lines(mailboxes->connected(ConnectionId{id}, "198.51.100.1", now)), Lines{});
  EXPECT_EQ(lines(mailboxes->connected(ConnectionId{4}, "192.0.2.1", now)), Lines{});
  EXPECT_EQ(ask(ConnectionId{1}, Open{}), Lines{"1: opened 7"});
  EXPECT_EQ(lines(mailboxes->connected(ConnectionId{5}, "192.0.2.2", now)), Lines{});
  EXPECT_EQ(lines(mailboxes->connected(ConnectionId{6}, "192.0.2.3", now)),
            (Lines{"2: error limit_exceeded", "2: close"}));
  EXPECT_EQ(mailboxes->size(), 1U) << "a host has what it came for";
  EXPECT_EQ(mailboxes->connections(), 5U);
}

TEST_F(MailboxesTest, CountNobodyAsWaitingWhoIsBeingIntroduced) {
  mailboxes.emplace(MailboxLimits{.waiters = 2}, [](std::uint32_t bound) { return 6 % bound; });
  (void)mailboxes->connected(kHost, "198.51.100.1", now);
  (void)mailboxes->connected(kVisitor, "198.51.100.1", now);
  introduce();
  ask(kVisitor, Relay{.body = "aaaa", .introduction = {}});
  for (std::uint64_t id = 3; id <= 4; ++id)
    EXPECT_EQ(lines(mailboxes->connected(ConnectionId{id}, "192.0.2.1", now)), Lines{});
  EXPECT_EQ(lines(mailboxes->connected(ConnectionId{5}, "192.0.2.1", now)),
            (Lines{"3: error limit_exceeded", "3: close"}));
  EXPECT_EQ(ask(kHost, Release{}), (Lines{"2: peer_left released", "4: error limit_exceeded", "4: close"}))
      << "it waits again";
}

TEST_F(MailboxesTest, GiveANewcomerAMailboxOfTheAddressThatHasMost) {
  mailboxes.emplace(MailboxLimits{.mailboxes = 2}, [](std::uint32_t bound) { return 6 % bound; });
  (void)mailboxes->connected(ConnectionId{1}, "198.51.100.1", now);
  (void)mailboxes->connected(ConnectionId{2}, "198.51.100.1", now);
  (void)mailboxes->connected(ConnectionId{3}, "198.51.100.1", now);
  (void)mailboxes->connected(ConnectionId{4}, "192.0.2.1", now);
  ask(ConnectionId{1}, Open{});
  ask(ConnectionId{2}, Open{});
  EXPECT_EQ(ask(ConnectionId{3}, Open{}), Lines{"3: error limit_exceeded"}) << "it has most itself";
  EXPECT_EQ(ask(ConnectionId{4}, Open{.name = kName}),
            (Lines{"1: error limit_exceeded", "1: close", "4: opened " + kName}));
}

TEST_F(MailboxesTest, EndNoHostForANewcomerThatIsRejectedAllTheSame) {
  MailboxLimits limits{.mailboxes = 4};
  mailboxes.emplace(limits, [](std::uint32_t bound) { return 6 % bound; });
  for (std::uint64_t id = 1; id <= 3; ++id) {
    (void)mailboxes->connected(ConnectionId{id}, "198.51.100.1", now);
    ask(ConnectionId{id}, id == 3 ? Open{.name = kName} : Open{});
  }
  for (std::uint64_t id = 4; id <= 5; ++id) (void)mailboxes->connected(ConnectionId{id}, "192.0.2.1", now);
  ask(ConnectionId{4}, Open{});
  EXPECT_EQ(ask(ConnectionId{5}, Open{.name = kName}), Lines{"5: error busy"});
  EXPECT_EQ(mailboxes->denied(Denial::name_taken), 1U);
  limits.mailboxes_per_address = 1;
  mailboxes->set_limits(limits);
  EXPECT_EQ(ask(ConnectionId{5}, Open{}), Lines{"5: error limit_exceeded"});
  EXPECT_EQ(mailboxes->denied(Denial::address_full), 1U);
  EXPECT_EQ(mailboxes->denied(Denial::gave_way), 0U);
  EXPECT_EQ(mailboxes->size(), 4U);
}

TEST_F(MailboxesTest, CloseWhoAsksTooFast) {
  start({.request_burst = 3, .request_interval = 1s});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(kHost, Ping{}), Lines{"1: pong"});
  EXPECT_EQ(ask(kHost, Ping{}), (Lines{"1: error limit_exceeded", "1: close"}));
  EXPECT_EQ(ask(kHost, Ping{}), Lines{});
  EXPECT_EQ(mailboxes->denied(Denial::too_fast), 1U);
}

TEST_F(MailboxesTest, CloseWhoHasNoPlaceAndSaysNothing) {
  start();
  wait(29s);
  EXPECT_EQ(ask(kHost, Ping{}), Lines{"1: pong"});
  EXPECT_EQ(wait(1s), (Lines{"2: close", "3: close"}));
  EXPECT_EQ(ask(kHost, Open{}), Lines{"1: opened 7"});
  EXPECT_EQ(wait(60s), Lines{});
  EXPECT_EQ(mailboxes->next_deadline(), TimePoint{} + 30s + 10min);
}

TEST_F(MailboxesTest, CloseWhoIsMalformed) {
  start();
  introduce();
  EXPECT_EQ(lines(mailboxes->malformed(kVisitor, "no", now)),
            (Lines{"2: error malformed", "1: peer_left lost", "2: close"}));
  EXPECT_EQ(lines(mailboxes->malformed(kVisitor, "no", now)), Lines{});
  EXPECT_EQ(leave(kVisitor), Lines{});
}

}  // namespace
}  // namespace sluice::hub
