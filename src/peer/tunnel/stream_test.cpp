// The life of a stream, case by case, as its session plays it: docs/tunnel.md has the same table.
#include "peer/tunnel/stream.hpp"

#include <chrono>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "peer/tunnel/recording_ends.hpp"

namespace sluice::tunnel {
namespace {

using namespace literals;
using namespace std::chrono_literals;
using wire::SocketId;
using Closed = PlayedSocket::Closed;

constexpr SocketId kId{5};

wire::Data data(std::uint32_t sequence, std::string_view payload) {
  return {.socket = kId, .sequence = {sequence}, .payload = as_bytes(payload)};
}

/// The host's end, with `kId` open and served by `socket`.
struct Served : SessionBench {
  explicit Served(SessionOptions options = {}) : SessionBench(Role::host, options) {
    ready();
    serve(kId, socket);
  }
  PlayedSocket socket;
};

/// The client's end, with one connection that the host has accepted.
struct Forwarded : SessionBench {
  explicit Forwarded(PlayedSocket played = {}) : SessionBench(Role::client), socket(std::move(played)) {
    ready();
    id = open(socket);
    receive(wire::Accept{.socket = id});
    (void)link.take();
  }
  PlayedSocket socket;
  SocketId id;
};

// --- opening --------------------------------------------------------------------------------------------

TEST(StreamOpening, SendsConnectThenDataWithoutWaitingForTheAnswer) {
  SessionBench client{Role::client};
  client.ready();
  PlayedSocket socket{.incoming = "GET"};
  const SocketId id = client.open(socket, "web");
  const auto sent = client.link.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(std::get<wire::Connect>(sent[0]), (wire::Connect{.socket = id, .target = "web"}));
  EXPECT_EQ(std::get<wire::Data>(sent[1]),
            (wire::Data{.socket = id, .sequence = {1}, .payload = as_bytes("GET")}));
}

TEST(StreamOpening, HoldsDataThatComesBeforeConnectAndBeforeTheTargetAnswers) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(data(2, "world"));
  host.receive(data(1, "hello "));
  EXPECT_TRUE(host.shell.dials.empty());
  host.receive(wire::Connect{.socket = kId, .target = "ssh"});
  ASSERT_EQ(host.shell.dials.size(), 1U);
  EXPECT_EQ(host.stats().totals.held, 11_B);
  PlayedSocket socket;
  host.session.dialed(kId, socket.attach(), host.now);
  EXPECT_EQ(socket.outgoing, "hello world");
  EXPECT_EQ(std::get<wire::Accept>(host.link.take().at(0)), (wire::Accept{.socket = kId, .sequence = {0}}));
}

TEST(StreamOpening, AnswersAFailedDialWithItsReason) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Connect{.socket = kId, .target = "ssh"});
  host.receive(data(1, "for nobody"));
  host.session.dial_failed(kId, wire::CloseReason::dial_timed_out, host.now);
  const auto sent = host.link.take();
  EXPECT_EQ(std::get<wire::Close>(sent.at(0)), (wire::Close{.socket = kId,
                                                            .sequence = {0},
                                                            .reason = wire::CloseReason::dial_timed_out,
                                                            .text = "ssh: no answer"}));
  EXPECT_EQ(host.session.streams(), 0U);
  EXPECT_EQ(host.stats().totals.discarded, 10_B);
}

TEST(StreamOpening, ResetsTheClientsSocketWhenTheTargetCannotBeReached) {
  SessionBench client{Role::client};
  client.ready();
  PlayedSocket socket;
  const SocketId id = client.open(socket);
  client.receive(wire::Close{.socket = id, .reason = wire::CloseReason::dial_failed, .text = "refused"});
  EXPECT_EQ(socket.closed, Closed::reset);
  ASSERT_EQ(client.shell.ends.size(), 1U);
  EXPECT_EQ(client.shell.ends[0].end.by, StreamEnd::By::remote);
  EXPECT_EQ(client.shell.ends[0].end.text, "refused");
}

TEST(StreamOpening, ForgetsTheDialWhenTheClientCloses) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Connect{.socket = kId, .target = ""});
  host.receive(wire::Close{.socket = kId, .sequence = {1}, .reason = wire::CloseReason::reset});
  EXPECT_EQ(host.shell.forgotten, std::vector{kId});
  EXPECT_EQ(host.session.streams(), 0U);
  EXPECT_TRUE(host.link.take().empty());
}

TEST(StreamOpening, PassesAFinThatCameBeforeTheTargetAnswered) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Connect{.socket = kId, .target = ""});
  host.receive(data(1, "all"));
  host.receive(wire::Fin{.socket = kId, .sequence = {2}});
  PlayedSocket socket;
  host.session.dialed(kId, socket.attach(), host.now);
  EXPECT_EQ(socket.outgoing, "all");
  EXPECT_TRUE(socket.shut);
}

TEST(StreamOpening, SaysNothingOfAConnectionThatBrokeBeforeItsConnectWent) {
  SessionBench client{Role::client};
  client.ready();
  client.link.buffered = 1_MiB;
  PlayedSocket socket;
  const SocketId id = client.open(socket);
  client.receive(wire::Window{.socket = id, .total = 1});
  client.session.drain(client.now, client.now);
  EXPECT_TRUE(client.link.take().empty()) << "the host never heard of it";
}

TEST(StreamOpening, MustBeginWithAccept) {
  SessionBench client{Role::client};
  client.ready();
  PlayedSocket socket;
  const SocketId id = client.open(socket);
  client.receive(wire::Data{.socket = id, .sequence = {0}, .payload = as_bytes("x")});
  EXPECT_EQ(client.end_code(), Errc::protocol_violation);
}

// --- channel -> socket ----------------------------------------------------------------------------------

TEST(StreamReceiving, DeliversInOrderWhateverOrderPacketsComeIn) {
  Served host;
  host.receive(data(3, "c"));
  host.receive(data(2, "b"));
  EXPECT_EQ(host.socket.outgoing, "");
  host.receive(data(1, "a"));
  EXPECT_EQ(host.socket.outgoing, "abc");
  EXPECT_EQ(host.stats().totals.early, 2U);
}

TEST(StreamReceiving, DropsDuplicatesAndCountsThem) {
  Served host;
  host.receive(data(2, "b"));
  host.receive(data(2, "b"));
  host.receive(data(1, "a"));
  host.receive(data(1, "a"));
  host.receive(data(2, "b"));
  EXPECT_EQ(host.socket.outgoing, "ab");
  EXPECT_EQ(host.stats().totals.ignored_for(Ignored::duplicate), 3U);
  EXPECT_EQ(host.stats().totals.received, 2_B);
}

TEST(StreamReceiving, HoldsWhatTheSocketDoesNotTakeAndNeverOvertakesIt) {
  Served host;
  host.socket.takes = 2;
  host.receive(data(1, "abcd"));
  EXPECT_EQ(host.socket.outgoing, "ab");
  EXPECT_EQ(host.stats().totals.held, 2_B);
  host.socket.takes = 100;
  host.receive(data(2, "ef"));
  EXPECT_EQ(host.socket.outgoing, "ab") << "cd goes first, once the socket reports";
  host.session.on_writable(kId, host.now);
  EXPECT_EQ(host.socket.outgoing, "abcdef");
  EXPECT_EQ(host.stats().totals.held, 0_B);
}

TEST(StreamReceiving, GivesCreditForWhatWasWrittenAndNotForWhatCame) {
  Served host;
  host.socket.takes = 0;
  const std::string block(8192, 'x');
  host.receive(data(1, block));
  host.receive(data(2, block));
  EXPECT_TRUE(host.link.take().empty()) << "nothing is consumed";
  host.socket.takes = 4095;
  host.session.on_writable(kId, host.now);
  EXPECT_TRUE(host.link.take().empty()) << "less than a quarter";
  host.socket.takes = 1;
  host.session.on_writable(kId, host.now);
  const auto sent = host.link.take();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_GE(std::get<wire::Window>(sent[0]).total, 4096U);
}

TEST(StreamReceiving, PutsWindowsThatWaitForTheLinkTogether) {
  Served host;
  host.link.buffered = 1_MiB;
  const std::string block(4096, 'x');
  for (std::uint32_t i = 1; i <= 4; ++i) host.receive(data(i, block));
  host.link_drains();
  const auto sent = host.link.take();
  ASSERT_EQ(sent.size(), 1U) << "the last one says all";
  EXPECT_GE(std::get<wire::Window>(sent[0]).total, 16'384U);
}

TEST(StreamReceiving, SendsNoCreditAfterFin) {
  Served host;
  host.socket.takes = 0;
  host.receive(data(1, std::string(8192, 'x')));
  host.receive(wire::Fin{.socket = kId, .sequence = {2}});
  host.socket.takes = SIZE_MAX;
  host.session.on_writable(kId, host.now);
  EXPECT_TRUE(host.socket.shut);
  EXPECT_TRUE(host.link.take().empty());
}

TEST(StreamReceiving, GoesOnWhileTheLinkTakesNothing) {
  Served host;
  host.link.buffered = 1_MiB;
  host.socket.incoming = "waits for the link";
  host.session.on_readable(kId, host.now);
  EXPECT_EQ(host.socket.incoming.size(), 18U) << "the other direction is held back";
  host.receive(data(1, "comes through all the same"));
  EXPECT_EQ(host.socket.outgoing, "comes through all the same");
}

TEST(StreamReceiving, EndsTheSessionOverDataAfterFinAndASecondFin) {
  for (const wire::Packet& wrong :
       {wire::Packet{data(2, "x")}, wire::Packet{wire::Fin{.socket = kId, .sequence = {2}}}}) {
    Served host;
    host.receive(wire::Fin{.socket = kId, .sequence = {1}});
    host.receive(wrong);
    EXPECT_EQ(host.end_code(), Errc::protocol_violation);
  }
}

TEST(StreamReceiving, EndsTheSessionOverAnythingAfterClose) {
  Served host;
  host.socket.takes = 0;
  host.receive(data(1, "held"));
  host.receive(wire::Close{.socket = kId, .sequence = {2}});
  host.receive(data(3, "x"));
  EXPECT_EQ(host.end_code(), Errc::protocol_violation);
}

// --- socket -> channel ----------------------------------------------------------------------------------

TEST(StreamSending, StopsReadingWhenCreditIsSpentAndGoesOnWithMore) {
  Forwarded client{{.incoming = std::string(20'000, 'x')}};
  EXPECT_EQ(client.stats().totals.sent, 16_KiB);
  const int reads = client.socket.reads;
  client.session.on_readable(client.id, client.now);
  EXPECT_EQ(client.socket.reads, reads)
      << "its bytes stay in its kernel: that is what holds the application back";
  client.receive(wire::Window{.socket = client.id, .total = 1000});
  EXPECT_EQ(client.stats().totals.sent, Bytes{17'384});
  client.receive(wire::Window{.socket = client.id, .total = 500});
  EXPECT_EQ(client.stats().totals.ignored_for(Ignored::stale_window), 1U);
  client.receive(wire::Window{.socket = client.id, .total = 16'384});
  EXPECT_EQ(client.stats().totals.sent, Bytes{20'000});
}

TEST(StreamSending, GoesOnWhileItsSocketTakesNothing) {
  Served host;
  host.socket.takes = 0;
  host.receive(data(1, "cannot be written"));
  host.socket.incoming = "is read";
  host.session.on_readable(kId, host.now);
  EXPECT_EQ(as_text(std::get<wire::Data>(host.link.take().at(0)).payload), "is read");
}

TEST(StreamSending, IsNotHeldUpByAnotherThatHasNoCredit) {
  Forwarded client{{.incoming = std::string(100'000, 'x')}};
  PlayedSocket other{.incoming = "quick"};
  const SocketId id = client.open(other);
  const auto sent = client.link.take();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(wire::socket_of(sent[1]), id);
}

TEST(StreamSending, EndsTheSessionOverAnImpossibleWindow) {
  Forwarded client;
  client.receive(wire::Window{.socket = client.id, .total = std::uint64_t{1} << 40});
  EXPECT_EQ(client.end_code(), Errc::protocol_violation);
}

// --- FIN ------------------------------------------------------------------------------------------------

TEST(StreamFin, HalfClosesTowardsTheSocketAfterAllBytesWhileTheOtherDirectionGoesOn) {
  Served host;
  host.socket.takes = 3;
  host.receive(wire::Fin{.socket = kId, .sequence = {2}});
  host.receive(data(1, "request"));
  EXPECT_FALSE(host.socket.shut) << "four bytes are still held";
  host.socket.takes = 100;
  host.session.on_writable(kId, host.now);
  EXPECT_EQ(host.socket.outgoing, "request");
  EXPECT_TRUE(host.socket.shut);
  EXPECT_EQ(host.socket.closed, Closed::no);
  host.socket.incoming = "answer";
  host.socket.ending = PlayedSocket::End::fin;
  host.session.on_readable(kId, host.now);
  const auto sent = host.link.take();
  EXPECT_EQ(std::get<wire::Data>(sent.at(0)).sequence, wire::Sequence{1});
  EXPECT_TRUE(sent.size() == 1 && host.session.streams() == 1)
      << "a short read waits for the socket's next report";
  host.session.on_readable(kId, host.now);
  EXPECT_EQ(std::get<wire::Fin>(host.link.take().at(0)).sequence, wire::Sequence{2});
  EXPECT_EQ(host.socket.closed, Closed::closed) << "both directions are over: no CLOSE is needed";
  EXPECT_EQ(host.session.streams(), 0U);
  EXPECT_EQ(host.shell.ends.at(0).end.by, StreamEnd::By::both);
}

TEST(StreamFin, HalfClosesTowardsTheChannelWhileTheOtherDirectionGoesOn) {
  Forwarded client;
  client.socket.ending = PlayedSocket::End::fin;
  client.session.on_readable(client.id, client.now);
  EXPECT_TRUE(std::holds_alternative<wire::Fin>(client.link.take().at(0)));
  client.receive(wire::Data{.socket = client.id, .sequence = {1}, .payload = as_bytes("answer")});
  EXPECT_EQ(client.socket.outgoing, "answer");
  client.receive(wire::Fin{.socket = client.id, .sequence = {2}});
  EXPECT_EQ(client.socket.closed, Closed::closed);
  EXPECT_EQ(client.session.streams(), 0U);
}

// --- CLOSE and resets -----------------------------------------------------------------------------------

TEST(StreamClose, WaitsForItsTurn) {
  Served host;
  host.receive(wire::Close{.socket = kId, .sequence = {3}, .reason = wire::CloseReason::reset});
  host.receive(data(2, "b"));
  EXPECT_EQ(host.socket.closed, Closed::no);
  host.receive(data(1, "a"));
  EXPECT_EQ(host.socket.outgoing, "ab");
  EXPECT_EQ(host.socket.closed, Closed::reset);
  EXPECT_EQ(host.session.streams(), 0U);
  EXPECT_TRUE(host.link.take().empty()) << "a CLOSE is not answered";
}

TEST(StreamClose, AheadOfConnectWaitsForItToo) {
  SessionBench host{Role::host};
  host.ready();
  host.receive(wire::Close{.socket = kId, .sequence = {1}, .reason = wire::CloseReason::reset});
  EXPECT_EQ(host.session.streams(), 1U);
  host.receive(wire::Connect{.socket = kId, .target = ""});
  EXPECT_EQ(host.session.streams(), 0U);
  EXPECT_TRUE(host.shell.dials.empty()) << "there is nobody to dial for";
}

TEST(StreamClose, LetsTheSocketTakeWhatCameBefore) {
  Served host;
  host.socket.takes = 1;
  host.receive(data(1, "abc"));
  host.receive(wire::Close{.socket = kId, .sequence = {2}, .reason = wire::CloseReason::normal});
  EXPECT_EQ(host.socket.closed, Closed::no);
  host.socket.takes = 100;
  host.session.on_writable(kId, host.now);
  EXPECT_EQ(host.socket.outgoing, "abc");
  EXPECT_EQ(host.socket.closed, Closed::closed) << "normal: in good order";
}

TEST(StreamClose, GivesASocketThatTakesNothingALimit) {
  Served host;
  host.socket.takes = 0;
  host.receive(data(1, "abc"));
  host.receive(wire::Close{.socket = kId, .sequence = {2}});
  host.pass(limits::kCloseFlush - 1ms);
  EXPECT_EQ(host.session.streams(), 1U);
  host.pass(1ms);
  EXPECT_EQ(host.session.streams(), 0U);
  EXPECT_EQ(host.socket.closed, Closed::reset);
  EXPECT_EQ(host.stats().totals.discarded, 3_B);
  EXPECT_TRUE(host.link.take().empty()) << "the peer has forgotten it";
}

TEST(StreamClose, ArrivesWhileItsStreamWaitsForTheGate) {
  Served host;
  host.link.buffered = 1_MiB;
  host.socket.incoming = "never sent";
  host.session.on_readable(kId, host.now);
  EXPECT_EQ(host.stats().gate.waiting, 1U);
  host.receive(wire::Close{.socket = kId, .sequence = {1}, .reason = wire::CloseReason::reset});
  EXPECT_EQ(host.socket.closed, Closed::reset);
  EXPECT_EQ(host.stats().gate.waiting, 0U) << "nobody is left to wait";
  host.link_drains();
  EXPECT_TRUE(host.link.take().empty());
}

TEST(StreamClose, CrossingAnotherOnTheWayIsIgnored) {
  Served host;
  host.socket.ending = PlayedSocket::End::reset;
  host.session.on_readable(kId, host.now);
  host.receive(wire::Close{.socket = kId, .sequence = {1}, .reason = wire::CloseReason::reset});
  EXPECT_EQ(host.stats().totals.ignored_for(Ignored::closed_socket), 1U);
  EXPECT_EQ(host.link.take().size(), 1U);
}

TEST(StreamReset, OfTheSocketIsPassedOnWhenReadingFindsIt) {
  Served host;
  host.socket.ending = PlayedSocket::End::reset;
  host.session.on_readable(kId, host.now);
  EXPECT_EQ(std::get<wire::Close>(host.link.take().at(0)).reason, wire::CloseReason::reset);
  EXPECT_EQ(host.session.streams(), 0U);
}

TEST(StreamReset, OfTheSocketIsPassedOnWhenWritingFindsIt) {
  Served host;
  host.socket.write_resets = true;
  host.receive(data(1, "into the void"));
  EXPECT_EQ(std::get<wire::Close>(host.link.take().at(0)).reason, wire::CloseReason::reset);
  EXPECT_EQ(host.stats().totals.discarded, 13_B);
  EXPECT_EQ(host.stats().totals.held, 0_B);
}

TEST(StreamReset, WhileWritingHeldBytesDiscardsThem) {
  Served host;
  host.socket.takes = 0;
  host.receive(data(1, "held"));
  host.receive(data(3, "early"));
  host.socket.write_resets = true;
  host.session.on_writable(kId, host.now);
  EXPECT_EQ(host.stats().totals.discarded, 9_B);
  EXPECT_EQ(host.stats().totals.waiting, 0U);
  EXPECT_EQ(host.stats().windows.promised, 0_B);
}

TEST(StreamReset, FollowsTheBytesThatWereSentBeforeIt) {
  Forwarded client{{.incoming = "last words"}};
  client.socket.ending = PlayedSocket::End::reset;
  client.session.on_readable(client.id, client.now);
  const auto sent = client.link.take();
  EXPECT_EQ(std::get<wire::Close>(sent.at(0)).sequence, wire::Sequence{2}) << "after CONNECT and DATA";
}

TEST(StreamReset, BecomesInternalWhenTheSystemFails) {
  Served host;
  host.socket.ending = PlayedSocket::End::failed;
  host.session.on_readable(kId, host.now);
  EXPECT_EQ(std::get<wire::Close>(host.link.take().at(0)).reason, wire::CloseReason::internal);
}

}  // namespace
}  // namespace sluice::tunnel
