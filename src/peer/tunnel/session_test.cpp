// The session's own part: HELLO, routing, limits, whose turn it is, time, the end. The life of a stream is in
// stream_test.cpp.
#include "peer/tunnel/session.hpp"

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "peer/tunnel/recording_ends.hpp"

namespace sluice::tunnel {
namespace {

using namespace literals;
using namespace std::chrono_literals;
using wire::SocketId;

template <typename P>
bool is(const wire::Packet& packet) {
  return std::holds_alternative<P>(packet);
}

// --- HELLO ----------------------------------------------------------------------------------------------

TEST(SessionHello, IsSaidByTheClientFirstAndAnsweredByTheHost) {
  SessionBench client{Role::client};
  client.session.start(client.now);
  const auto first = client.link.take();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(std::get<wire::Hello>(first[0]).first_window, limits::kFirstWindow.count());

  SessionBench host{Role::host};
  host.session.start(host.now);
  EXPECT_TRUE(host.link.take().empty()) << "the host waits";
  host.receive(first[0]);
  EXPECT_TRUE(is<wire::Hello>(host.link.take().at(0)));
  EXPECT_TRUE(host.session.ready());
}

TEST(SessionHello, MustComeBeforeAnythingElse) {
  SessionBench host{Role::host};
  host.session.start(host.now);
  host.receive(wire::Connect{.socket = {5}, .target = ""});
  EXPECT_EQ(host.end_code(), Errc::protocol_violation);
}

TEST(SessionHello, IsBorneTwiceButNotTwoOfThem) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(kPeerHello);
  EXPECT_EQ(host.session.ended(), nullptr);
  EXPECT_EQ(host.stats().totals.ignored_for(Ignored::duplicate), 1U);
  host.receive(wire::Hello{.first_window = 2048, .largest_payload = 2048});
  EXPECT_EQ(host.end_code(), Errc::protocol_violation);
}

TEST(SessionHello, IsWaitedForNoLongerThanItsLimit) {
  SessionBench client{Role::client};
  client.session.start(client.now);
  EXPECT_EQ(client.session.next_deadline(), client.now + limits::kHelloTimeout);
  client.pass(limits::kHelloTimeout);
  EXPECT_EQ(client.end_code(), Errc::timed_out);
}

TEST(SessionHello, BoundsWhatIsSentInOnePacketAndBeforeAnyWindow) {
  SessionBench client{Role::client};
  client.ready({.version = 9, .first_window = 2500, .largest_payload = 1024});
  PlayedSocket socket{.incoming = std::string(9000, 'x')};
  (void)client.open(socket);
  std::size_t sent = 0;
  for (const auto& packet : client.link.take()) {
    if (!is<wire::Data>(packet)) continue;
    EXPECT_LE(std::get<wire::Data>(packet).payload.size(), 1024U);
    sent += std::get<wire::Data>(packet).payload.size();
  }
  EXPECT_EQ(sent, 2500U);
}

TEST(SessionHello, BoundsPayloadsByTheLinkToo) {
  SessionBench client{Role::client};
  client.link.largest = 1009_B;
  client.ready();
  PlayedSocket socket{.incoming = std::string(5000, 'x')};
  (void)client.open(socket);
  for (const auto& packet : client.link.take()) {
    if (is<wire::Data>(packet)) {
      EXPECT_LE(std::get<wire::Data>(packet).payload.size(), 1000U);
    }
  }
}

// --- routing --------------------------------------------------------------------------------------------

TEST(SessionRouting, CountsAndIgnoresPacketsForSocketsThatNeverWereOnTheClient) {
  SessionBench client{Role::client};
  client.ready();
  client.receive(wire::Data{.socket = {9}, .sequence = {1}, .payload = as_bytes("late")});
  client.receive(wire::Close{.socket = {9}, .sequence = {2}});
  client.receive(wire::Window{.socket = {9}, .total = 5});
  EXPECT_EQ(client.stats().totals.ignored_for(Ignored::unknown_socket), 3U);
  EXPECT_EQ(client.shell.ignored.size(), 3U) << "for the log";
  EXPECT_EQ(client.session.ended(), nullptr);
  EXPECT_TRUE(client.link.take().empty());
}

TEST(SessionRouting, CountsAndIgnoresPacketsForSocketsThatAreOver) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Connect{.socket = {5}, .target = "nowhere"});
  ASSERT_EQ(host.session.streams(), 0U);
  host.receive(wire::Data{.socket = {5}, .sequence = {1}, .payload = as_bytes("on its way")});
  host.receive(wire::Close{.socket = {5}, .sequence = {2}});
  host.receive(wire::Window{.socket = {5}, .total = 5});
  EXPECT_EQ(host.stats().totals.ignored_for(Ignored::closed_socket), 3U);
  EXPECT_EQ(host.session.streams(), 0U);
}

TEST(SessionRouting, EndsOverPacketsFromTheWrongSide) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Accept{.socket = {5}});
  EXPECT_EQ(host.end_code(), Errc::protocol_violation);
  SessionBench client{Role::client};
  client.ready();
  client.receive(wire::Connect{.socket = {5}});
  EXPECT_EQ(client.end_code(), Errc::protocol_violation);
}

TEST(SessionRouting, EndsOverBytesThatDoNotDecode) {
  SessionBench host{Role::host};
  host.ready();
  host.session.on_message(as_bytes("nonsense"), host.now);
  EXPECT_EQ(host.end_code(), Errc::malformed);
  host.session.on_message(as_bytes("more"), host.now);
  EXPECT_EQ(host.stats().totals.ignored_for(Ignored::after_end), 1U);
}

TEST(SessionRouting, DropsAConnectForAnIdInUse) {
  SessionBench host{Role::host};
  host.ready();
  PlayedSocket socket;
  host.serve({5}, socket);
  host.receive(wire::Connect{.socket = {5}, .target = "ssh"});
  EXPECT_EQ(host.stats().totals.ignored_for(Ignored::duplicate), 1U);
  EXPECT_EQ(host.shell.dials.size(), 1U);
}

TEST(SessionRouting, NeverGivesALiveOrRecentSocketsIdAgain) {
  SessionBench client{Role::client};
  client.ready();
  PlayedSocket first;
  PlayedSocket second;
  const SocketId a = client.open(first);
  const SocketId b = client.open(second);
  EXPECT_NE(a, b) << "the same hash";
  client.receive(wire::Close{.socket = a, .reason = wire::CloseReason::dial_failed});
  EXPECT_NE(client.session.choose_id(7), a) << "a late packet of the first would be taken for the new one's";
  EXPECT_EQ(client.session.choose_id(0), SocketId{1});
}

// --- targets --------------------------------------------------------------------------------------------

TEST(SessionTargets, AreDialledByNameAndTheFirstByNone) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Connect{.socket = {1}, .target = "ssh"});
  host.receive(wire::Connect{.socket = {2}, .target = ""});
  ASSERT_EQ(host.shell.dials.size(), 2U);
  EXPECT_EQ(host.shell.dials[0].target, "ssh");
  EXPECT_EQ(host.shell.dials[1].target, "web");
}

TEST(SessionTargets, ThatAreNotNamedAreRefusedWithTheReason) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Connect{.socket = {1}, .target = "db"});
  host.receive(wire::Connect{.socket = {2}, .target = "10.0.0.1:22"});
  const auto sent = host.link.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(std::get<wire::Close>(sent[0]).reason, wire::CloseReason::unknown_target);
  EXPECT_EQ(std::get<wire::Close>(sent[1]).reason, wire::CloseReason::not_allowed);
  EXPECT_TRUE(host.shell.dials.empty());
}

// --- limits ---------------------------------------------------------------------------------------------

TEST(SessionLimits, RefuseOneStreamMoreThanAllowed) {
  SessionBench host{Role::host, {.max_streams = 1}};
  host.ready();
  PlayedSocket socket;
  host.serve({1}, socket);
  host.receive(wire::Connect{.socket = {2}, .target = ""});
  EXPECT_EQ(std::get<wire::Close>(host.link.take().at(0)).reason, wire::CloseReason::limit_reached);

  SessionBench client{Role::client, {.max_streams = 1}};
  client.ready();
  PlayedSocket first;
  PlayedSocket second;
  (void)client.open(first);
  EXPECT_EQ(client.open(second), wire::kSession);
  EXPECT_EQ(second.closed, PlayedSocket::Closed::reset);
  EXPECT_EQ(client.stats().refused, 1U);
}

TEST(SessionLimits, RefuseAStreamThatFindsNoWindow) {
  SessionBench host{Role::host, {.budget = {.windows = 20_KiB, .growth = 1_KiB}}};
  host.ready();
  PlayedSocket socket;
  host.serve({1}, socket);
  host.receive(wire::Connect{.socket = {2}, .target = ""});
  EXPECT_EQ(std::get<wire::Close>(host.link.take().at(0)).reason, wire::CloseReason::limit_reached);
  EXPECT_EQ(host.stats().windows.promised, 16_KiB);
}

TEST(SessionLimits, RefuseAStreamThatFindsNoDescriptorAndSayWhy) {
  const auto descriptors = std::make_shared<flow::Pool>(3);  // two for one session, see flow::Pool
  SessionBench host{Role::host, {.descriptors = descriptors}};
  host.ready();
  PlayedSocket first;
  PlayedSocket second;
  host.serve({1}, first);
  host.serve({2}, second);
  host.receive(wire::Connect{.socket = {3}, .target = ""});
  const auto close = std::get<wire::Close>(host.link.take().at(0));
  EXPECT_EQ(close.reason, wire::CloseReason::limit_reached);
  EXPECT_EQ(close.text, "this host has no descriptors left for one more connection");
  EXPECT_EQ(host.shell.refused, std::vector<std::string>{std::string{close.text}});
  EXPECT_EQ(descriptors->left(), 1U);

  host.receive(wire::Close{.socket = {1}, .sequence = {1}, .reason = wire::CloseReason::reset});
  EXPECT_EQ(descriptors->left(), 2U);
  host.receive(wire::Connect{.socket = {4}, .target = ""});
  EXPECT_EQ(host.session.streams(), 2U);
}

TEST(SessionLimits, LeaveDescriptorsForOtherSessionsAndGiveTheirOwnBack) {
  const auto descriptors = std::make_shared<flow::Pool>(100);
  {
    SessionBench greedy{Role::host, {.descriptors = descriptors}};
    greedy.ready();
    for (std::uint32_t id = 1; id <= 100; ++id) greedy.receive(wire::Connect{.socket = {id}, .target = ""});
    EXPECT_EQ(greedy.session.streams(), 80U);
    SessionBench other{Role::host, {.descriptors = descriptors}};
    other.ready();
    other.receive(wire::Connect{.socket = {1}, .target = ""});
    EXPECT_EQ(other.session.streams(), 1U);
  }
  EXPECT_EQ(descriptors->left(), 100U);
}

TEST(SessionLimits, HoldAllSessionsToTheMemoryOfTheProcess) {
  const auto memory = std::make_shared<flow::Pool>((64_MiB).count());
  std::deque<SessionBench> hosts;
  Bytes held;
  for (int i = 0; i < 6; ++i) {
    SessionBench& host = hosts.emplace_back(Role::host, SessionOptions{.budget = {.memory = memory}});
    host.ready();
    const ByteBuffer block(16'384);
    for (std::uint32_t id = 1; id <= 5000 && host.shell.refused.empty();
         ++id)  // early DATA: CONNECT never comes
      host.receive(wire::Data{.socket = {id}, .sequence = {1}, .payload = block});
    EXPECT_GT(host.session.streams(), 0U) << i;
    ASSERT_FALSE(host.shell.refused.empty()) << i;
    EXPECT_EQ(host.shell.refused.back(), "this host has no memory left for one more connection");
    held += host.stats().totals.held;
  }
  EXPECT_LE(held, 64_MiB);
  EXPECT_GT(held, 16_MiB);
  hosts.clear();
  EXPECT_EQ(memory->left(), (64_MiB).count());
}

TEST(SessionLimits, EndTheStreamWhoseSmallEarlyPacketsCostTooMuchAndNoOther) {
  const auto memory = std::make_shared<flow::Pool>((1_MiB).count());
  SessionBench host{Role::host, {.budget = {.memory = memory}}};
  host.ready();
  PlayedSocket honest;
  host.serve({2}, honest);
  for (std::uint32_t i = 0; i < 16'000; ++i)
    host.receive(wire::Data{.socket = {1}, .sequence = {2 + i}, .payload = as_bytes("x")});
  ASSERT_EQ(host.session.ended(), nullptr);
  const auto close = std::get<wire::Close>(host.link.take().at(0));
  EXPECT_EQ(close.socket, wire::SocketId{1});
  EXPECT_EQ(close.reason, wire::CloseReason::limit_reached);
  EXPECT_EQ(close.text, "this host has no memory left for packets that wait for earlier ones");
  EXPECT_LE(memory->stats().peak, (1_MiB).count());
  EXPECT_GT(memory->stats().peak, (512_KiB).count());
  EXPECT_EQ(host.stats().totals.waiting, 0U);
  host.receive(wire::Data{.socket = {2}, .sequence = {1}, .payload = as_bytes("goes on")});
  EXPECT_EQ(honest.outgoing, "goes on");
}

TEST(SessionLimits, BearEarlyPacketsWhenOtherSessionsHaveUsedTheMemoryUp) {
  const auto memory = std::make_shared<flow::Pool>((1_MiB).count());
  SessionBench victim{Role::host, {.budget = {.memory = memory}}};
  victim.ready();
  PlayedSocket first;
  PlayedSocket second;
  victim.serve({1}, first);
  victim.serve({2}, second);
  std::deque<flow::Pool::Share> others;
  for (int i = 0; i < 12; ++i) {
    flow::Pool::Share& other = others.emplace_back(memory);
    while (other.take(64)) {
    }
  }
  ASSERT_LT(memory->left() * 4, victim.stats().windows.memory.count());  // it has no room any more

  victim.receive(wire::Data{.socket = {1}, .sequence = {2}, .payload = as_bytes("world")});
  ASSERT_EQ(victim.session.ended(), nullptr);
  victim.receive(wire::Data{.socket = {1}, .sequence = {1}, .payload = as_bytes("hello ")});
  EXPECT_EQ(first.outgoing, "hello world");

  // Beyond what each session has for itself it costs the stream, not the session.
  for (std::uint32_t i = 0; i < 4097; ++i)
    victim.receive(wire::Data{.socket = {2}, .sequence = {2 + i}, .payload = as_bytes("x")});
  ASSERT_EQ(victim.session.ended(), nullptr);
  EXPECT_EQ(second.closed, PlayedSocket::Closed::reset);
  EXPECT_EQ(victim.stats().totals.closes_sent.of(wire::CloseReason::limit_reached), 1U);
  victim.receive(wire::Data{.socket = {1}, .sequence = {3}, .payload = as_bytes("!")});
  EXPECT_EQ(first.outgoing, "hello world!");
}

TEST(SessionLimits, EndAPeerThatOpensFasterThanItHearsRefusals) {
  SessionBench host{Role::host, {.max_streams = 1}};
  host.ready();
  host.link.buffered = 1_MiB;  // the peer reads nothing
  for (std::uint32_t id = 1; id < limits::kMaxRefusals + 3; ++id) {
    host.receive(wire::Data{.socket = {id}, .sequence = {1}, .payload = as_bytes("x")});
  }
  EXPECT_EQ(host.end_code(), Errc::limit_exceeded);
}

TEST(SessionLimits, EndAPeerThatSendsMoreThanItsWindow) {
  SessionBench host{Role::host};
  host.ready();
  PlayedSocket socket{.takes = 0};
  host.serve({1}, socket);
  const ByteBuffer block(16'384);
  host.receive(wire::Data{.socket = {1}, .sequence = {1}, .payload = block});
  EXPECT_EQ(host.session.ended(), nullptr);
  host.receive(wire::Data{.socket = {1}, .sequence = {2}, .payload = as_bytes("x")});
  EXPECT_EQ(host.end_code(), Errc::protocol_violation);
  EXPECT_EQ(socket.closed, PlayedSocket::Closed::reset);
}

TEST(SessionLimits, EndAPeerThatSendsTooFarAhead) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Data{.socket = {1}, .sequence = {100'000}, .payload = as_bytes("x")});
  EXPECT_EQ(host.end_code(), Errc::protocol_violation);
}

TEST(SessionLimits, EndAPeerWhosePacketsAllWaitForMissingOnes) {
  SessionBench host{Role::host};
  host.ready();
  for (std::uint32_t i = 0; i <= limits::kMaxEarlyPackets; ++i) {
    // Each socket may send 16,384 bytes, and so as many packets.
    host.receive(
        wire::Data{.socket = {1 + i / 16'000}, .sequence = {2 + i % 16'000}, .payload = as_bytes("x")});
  }
  EXPECT_EQ(host.end_code(), Errc::limit_exceeded);
  EXPECT_EQ(host.stats().totals.waiting, 0U);
}

TEST(SessionLimits, CountWindowsInBytesForEarlyPacketsToo) {
  SessionBench host{Role::host};
  host.ready();
  const ByteBuffer block(16'384);
  host.receive(wire::Data{.socket = {1}, .sequence = {2}, .payload = block});
  EXPECT_EQ(host.stats().totals.held, 16_KiB);
  host.receive(wire::Data{.socket = {1}, .sequence = {3}, .payload = as_bytes("x")});
  EXPECT_EQ(host.end_code(), Errc::protocol_violation);
}

TEST(SessionLimits, ForgetSocketsWhoseConnectNeverComes) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Data{.socket = {1}, .sequence = {1}, .payload = as_bytes("early")});
  EXPECT_EQ(host.session.streams(), 1U);
  host.pass(limits::kOpenTimeout);
  EXPECT_EQ(host.session.streams(), 0U);
  EXPECT_EQ(host.stats().totals.ignored_for(Ignored::never_opened), 1U);
  EXPECT_EQ(host.stats().totals.discarded, 5_B);
  EXPECT_TRUE(host.link.take().empty());
}

TEST(SessionLimits, GiveUpAClientsSocketThatIsNeverAnswered) {
  SessionBench client{Role::client};
  client.ready();
  PlayedSocket socket;
  (void)client.open(socket);
  (void)client.link.take();
  client.pass(limits::kOpenTimeout);
  EXPECT_EQ(std::get<wire::Close>(client.link.take().at(0)).reason, wire::CloseReason::dial_timed_out);
  EXPECT_EQ(socket.closed, PlayedSocket::Closed::reset);
}

// --- who sends ------------------------------------------------------------------------------------------

/// With the default marks: 17 packets of 16 KiB are what a gate lets through at once.
SessionBench& fast_peer(SessionBench& bench) {
  return bench.ready({.first_window = 1'000'000, .largest_payload = 65'536});
}

TEST(SessionSending, GivesStreamsTurnsOfEqualSize) {
  SessionBench client{Role::client};
  fast_peer(client);
  client.link.buffered = 256_KiB;
  PlayedSocket greedy{.incoming = std::string(200'000, 'g')};
  PlayedSocket modest{.incoming = std::string(20'000, 'm')};
  const SocketId g = client.open(greedy);
  const SocketId m = client.open(modest);
  client.link_drains();
  std::vector<SocketId> order;
  for (const auto& packet : client.link.take()) {
    if (is<wire::Data>(packet)) order.push_back(wire::socket_of(packet));
  }
  ASSERT_GE(order.size(), 5U);
  EXPECT_EQ((std::vector<SocketId>{order.begin(), order.begin() + 5}),
            (std::vector<SocketId>{g, m, g, m, g}));
}

TEST(SessionSending, PutsOwedPacketsBeforeData) {
  SessionBench client{Role::client};
  fast_peer(client);
  client.link.buffered = 256_KiB;
  PlayedSocket first{.incoming = std::string(100'000, 'x')};
  PlayedSocket second;
  (void)client.open(first);
  (void)client.open(second);
  client.link_drains();
  const auto sent = client.link.take();
  EXPECT_TRUE(is<wire::Connect>(sent.at(0)));
  EXPECT_TRUE(is<wire::Connect>(sent.at(1)));
  EXPECT_TRUE(is<wire::Data>(sent.at(2)));
}

TEST(SessionSending, StopsAtTheHighMarkAndGoesOnAtTheLowOne) {
  SessionBench client{Role::client};
  fast_peer(client);
  EXPECT_EQ(client.link.low, limits::kLowWaterMark);
  PlayedSocket socket{.incoming = std::string(600'000, 'x')};
  (void)client.open(socket);
  while (client.session.wants_turn()) client.session.go_on(client.now);
  EXPECT_GE(client.link.buffered, 256_KiB);
  EXPECT_LE(client.link.buffered, 256_KiB + 16_KiB + 9_B);
  const int reads = socket.reads;
  client.link.buffered = 100_KiB;
  client.session.on_readable(client.session.choose_id(7), client.now);
  client.session.on_link_low(client.now);
  EXPECT_EQ(socket.reads, reads) << "not low enough: hysteresis";
  client.link.buffered = 64_KiB;
  client.session.on_link_low(client.now);
  EXPECT_GT(socket.reads, reads);
  EXPECT_EQ(client.stats().gate.mark.times_closed, 2U);
}

TEST(SessionSending, HoldsAllSocketsBackAtOnceWithoutReadingThem) {
  SessionBench client{Role::client};
  fast_peer(client);
  client.link.buffered = 256_KiB;
  std::vector<PlayedSocket> sockets(20);
  for (PlayedSocket& socket : sockets) {
    socket.incoming = std::string(50'000, 'x');
    (void)client.open(socket);
  }
  for (const PlayedSocket& socket : sockets)
    EXPECT_EQ(socket.incoming.size(), 50'000U) << "stays in its kernel";
  EXPECT_EQ(client.stats().totals.held, 0_B);
  EXPECT_EQ(client.stats().gate.waiting, 1U) << "the session waits, once for all";
  client.link_drains();
  EXPECT_GT(client.stats().totals.sent, 0_B);
}

TEST(SessionSending, LetsOtherWorkHaveItsTurn) {
  SessionBench client{Role::client, {.gate = {.marks = {.low = 1_MiB, .high = 8_MiB}}}};
  fast_peer(client);
  PlayedSocket socket{.incoming = std::string(900'000, 'x')};
  (void)client.open(socket);
  EXPECT_TRUE(client.session.wants_turn());
  EXPECT_LE(client.stats().totals.sent, limits::kTurnBytes);
  while (client.session.wants_turn()) client.session.go_on(client.now);
  EXPECT_EQ(client.stats().totals.sent, Bytes{900'000});
}

TEST(SessionSending, EndsWithAStallWhenTheLinkTakesNothingForTooLong) {
  SessionBench client{Role::client};
  fast_peer(client);
  PlayedSocket socket{.incoming = std::string(600'000, 'x')};
  (void)client.open(socket);
  while (client.session.wants_turn()) client.session.go_on(client.now);
  client.pass(29s);
  EXPECT_EQ(client.session.ended(), nullptr);
  client.pass(1s);
  EXPECT_EQ(client.end_code(), Errc::stalled);
  EXPECT_EQ(socket.closed, PlayedSocket::Closed::reset);
  EXPECT_EQ(client.session.next_deadline(), std::nullopt);
}

TEST(SessionSending, CountsTheStallFromWhenTheGateClosed) {
  SessionBench client{Role::client, {.gate = {.marks = {.low = 8_KiB, .high = 32_KiB}}}};
  fast_peer(client);
  PlayedSocket socket{.incoming = std::string(100'000, 'x')};
  (void)client.open(socket);
  EXPECT_FALSE(client.session.wants_turn()) << "the gate ended its turn";
  EXPECT_EQ(client.session.next_deadline(), client.now + limits::kGateStall);
}

TEST(SessionSending, DoesNotStallWhileItHasNothingToSend) {
  SessionBench client{Role::client};
  client.ready();
  client.link.buffered = 1_MiB;
  PlayedSocket socket;
  const SocketId id = client.open(socket);
  client.receive(
      wire::Close{.socket = id, .reason = wire::CloseReason::dial_failed});  // before our CONNECT went
  client.pass(60s);
  EXPECT_EQ(client.session.ended(), nullptr);
}

TEST(SessionSending, EndsWhenTheLinkRefuses) {
  SessionBench client{Role::client};
  client.ready();
  client.link.broken = true;
  PlayedSocket socket;
  (void)client.open(socket);
  EXPECT_EQ(client.end_code(), Errc::link_lost);
  EXPECT_EQ(socket.closed, PlayedSocket::Closed::reset);
}

// --- the end --------------------------------------------------------------------------------------------

TEST(SessionEnd, ResetsEverySocketWhenTheLinkIsLostWhileTheyWaitForTheGate) {
  SessionBench client{Role::client};
  fast_peer(client);
  client.link.buffered = 256_KiB;
  PlayedSocket first{.incoming = std::string(50'000, 'x')};
  PlayedSocket second{.incoming = std::string(50'000, 'x')};
  (void)client.open(first);
  (void)client.open(second);
  client.session.on_link_closed({.code = Errc::link_lost, .message = "gone"}, client.now);
  EXPECT_EQ(client.end_code(), Errc::link_lost);
  EXPECT_EQ(first.closed, PlayedSocket::Closed::reset);
  EXPECT_EQ(second.closed, PlayedSocket::Closed::reset);
  EXPECT_EQ(client.stats().gate.waiting, 0U);
  EXPECT_EQ(client.shell.ends.at(0).end.by, StreamEnd::By::session);
  PlayedSocket late;
  EXPECT_EQ(client.open(late), wire::kSession);
}

TEST(SessionEnd, ForgetsItsDials) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Connect{.socket = {5}, .target = ""});
  host.session.on_link_closed({.code = Errc::link_lost, .message = "gone"}, host.now);
  EXPECT_EQ(host.shell.forgotten, std::vector{SocketId{5}});
  PlayedSocket socket;
  host.session.dialed({5}, socket.attach(), host.now);
  EXPECT_EQ(socket.closed, PlayedSocket::Closed::reset) << "it came too late";
}

TEST(SessionDrain, EndsAtOnceWhenNothingIsOpen) {
  SessionBench host{Role::host};
  host.ready();
  host.session.drain(host.now + 5s, host.now);
  EXPECT_EQ(host.end_code(), Errc::closed);
}

TEST(SessionDrain, LetsOpenStreamsFinishAndRefusesNewOnes) {
  SessionBench host{Role::host};
  host.ready();
  PlayedSocket socket;
  host.serve({5}, socket);
  host.session.drain(host.now + 5s, host.now);
  host.receive(wire::Connect{.socket = {6}, .target = ""});
  EXPECT_EQ(std::get<wire::Close>(host.link.take().at(0)).reason, wire::CloseReason::shutting_down);
  host.receive(wire::Data{.socket = {5}, .sequence = {1}, .payload = as_bytes("still")});
  host.receive(wire::Fin{.socket = {5}, .sequence = {2}});
  EXPECT_EQ(host.session.ended(), nullptr);
  socket.ending = PlayedSocket::End::fin;
  host.session.on_readable({5}, host.now);
  EXPECT_EQ(socket.outgoing, "still");
  EXPECT_EQ(host.end_code(), Errc::closed);
}

TEST(SessionDrain, ClosesWhatOutstaysTheLimitEvenWhenTheGateIsClosed) {
  SessionBench host{Role::host};
  host.ready();
  PlayedSocket socket;
  host.serve({5}, socket);
  host.receive(wire::Connect{.socket = {6}, .target = ""});  // dialling
  host.session.drain(host.now + 5s, host.now);
  host.link.buffered = 1_MiB;
  EXPECT_EQ(host.session.next_deadline(), host.now + 5s);
  host.pass(5s);
  EXPECT_EQ(host.end_code(), Errc::closed);
  EXPECT_EQ(socket.closed, PlayedSocket::Closed::reset);
  EXPECT_EQ(host.shell.forgotten.size(), 1U);
  int closes = 0;
  for (const auto& packet : host.link.take()) {
    if (!is<wire::Close>(packet)) continue;
    ++closes;
    EXPECT_EQ(std::get<wire::Close>(packet).reason, wire::CloseReason::shutting_down);
  }
  EXPECT_EQ(closes, 2);
}

}  // namespace
}  // namespace sluice::tunnel
