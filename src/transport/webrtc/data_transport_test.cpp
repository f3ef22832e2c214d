#include "transport/webrtc/data_transport.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/webrtc/simulated_peers.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;
using namespace std::chrono_literals;
using simulated::numbered_message;
using simulated::World;
using testing::ElementsAre;
using testing::IsEmpty;

Errc code_of(const std::vector<Error>& told) {
  return told.size() == 1 ? told.front().code : Errc::invalid_argument;
}

const std::size_t kSizes[] = {1, 2, 1000, 1150, 1191, 1200, 16384, 65535, 65536, 262144};

World::Setup with(SctpOrder order, const simulated::NetworkRules& network = {}, std::uint64_t seed = 1) {
  return {
      .seed = seed, .network = network, .channel = {.label = "sluice/1", .protocol = "p", .order = order}};
}

TEST(DataTransport, OpensAChannelWithItsLabelAndProtocol) {
  World world{with(SctpOrder::ordered)};
  ASSERT_TRUE(world.connect());
  EXPECT_EQ(world.client.secured, 1);
  EXPECT_EQ(world.server.secured, 1);
  EXPECT_EQ(world.server.channel->options().label, "sluice/1");
  EXPECT_EQ(world.server.channel->options().protocol, "p");
  EXPECT_EQ(world.server.channel->options().order, SctpOrder::ordered);
  EXPECT_EQ(world.client.channel->stream(), 0);  // The DTLS client has the even streams.
}

TEST(DataTransport, CarriesMessagesOfEverySizeInOrder) {
  World world{with(SctpOrder::ordered)};
  ASSERT_TRUE(world.connect());
  world.server.listen();
  std::vector<std::string> sent;
  for (const std::size_t size : kSizes) sent.push_back(numbered_message(0, size));
  sent.emplace_back();
  for (const std::string& message : sent)
    ASSERT_TRUE(world.client.channel->send(as_bytes(message)).has_value());
  ASSERT_TRUE(world.run_until([&] { return world.server.log.messages.size() >= sent.size(); }));
  EXPECT_EQ(world.server.log.messages, sent);
  EXPECT_EQ(world.client.channel->buffered_amount(), 0_B);
  EXPECT_LE(world.to_server.largest(), Bytes{1225});  // 1188 of SCTP and 37 of DTLS.
  EXPECT_GE(world.to_server.largest(), Bytes{1220});
}

class OverBadNetwork : public testing::TestWithParam<std::uint64_t> {};

TEST_P(OverBadNetwork, AllMessagesArriveIntactBothWays) {
  const SctpOrder order = GetParam() % 2 == 0 ? SctpOrder::ordered : SctpOrder::unordered;
  World world{with(order, {.loss = 0.02, .duplication = 0.02, .delay = 10ms, .jitter = 5ms}, GetParam())};
  ASSERT_TRUE(world.connect());
  world.server.listen();
  world.client.listen();
  std::vector<std::string> sent;
  for (int i = 0; i < 40; ++i) sent.push_back(numbered_message(i, kSizes[static_cast<std::size_t>(i) % 8]));
  for (const std::string& message : sent) {
    ASSERT_TRUE(world.client.channel->send(as_bytes(message)).has_value());
    ASSERT_TRUE(world.server.channel->send(as_bytes(message)).has_value());
  }
  ASSERT_TRUE(world.run_until(
      [&] {
        return world.server.log.messages.size() >= sent.size() &&
               world.client.log.messages.size() >= sent.size();
      },
      5min));
  if (order == SctpOrder::ordered) {
    EXPECT_EQ(world.server.log.messages, sent);
    EXPECT_EQ(world.client.log.messages, sent);
  } else {
    EXPECT_THAT(world.server.log.messages, testing::UnorderedElementsAreArray(sent));
    EXPECT_THAT(world.client.log.messages, testing::UnorderedElementsAreArray(sent));
  }
  EXPECT_TRUE(world.run_until([&] { return world.client.channel->buffered_amount() == 0_B; }));
}

INSTANTIATE_TEST_SUITE_P(Seeds, OverBadNetwork, testing::Range<std::uint64_t>(1, 7));

TEST(DataTransport, ConnectsWhateverIsLost) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world{
        with(SctpOrder::unordered, {.loss = 0.25, .duplication = 0.1, .delay = 20ms, .jitter = 30ms}, seed)};
    EXPECT_TRUE(world.connect()) << "seed " << seed;
  }
}

TEST(DataTransport, KeepsWhatComesBeforeItsStart) {
  World world;
  ASSERT_TRUE(world.client.transport.create_channel({.label = "early"}).has_value());
  world.client.transport.start(
      {.role = DtlsRole::client, .remote_fingerprint = world.server.certificate.fingerprint()},
      world.clock.now());
  world.run_for(100ms);  // Less than the first retransmission.
  const std::uint64_t sent_before = world.to_server.sent();
  world.server.transport.start(
      {.role = DtlsRole::server, .remote_fingerprint = world.client.certificate.fingerprint()},
      world.clock.now());
  EXPECT_GT(world.server.transport.dtls_stats().early_kept, 0U);
  ASSERT_TRUE(world.run_until([&] { return world.server.channel != nullptr; }, 90ms));
  EXPECT_GT(world.to_server.sent(), sent_before);
}

TEST(DataTransport, EndsBeforeAnyMessageWhenTheFingerprintIsAnother) {
  World world;
  const Certificate other = Certificate::generate();
  ASSERT_TRUE(world.client.transport.create_channel({.label = "x"}).has_value());
  world.server.transport.start({.role = DtlsRole::server, .remote_fingerprint = other.fingerprint()},
                               world.clock.now());
  world.client.transport.start(
      {.role = DtlsRole::client, .remote_fingerprint = world.server.certificate.fingerprint()},
      world.clock.now());
  ASSERT_TRUE(world.run_until([&] { return !world.server.ended.empty() && !world.client.ended.empty(); }));
  EXPECT_EQ(code_of(world.server.ended), Errc::wrong_code);
  EXPECT_EQ(code_of(world.client.ended), Errc::protocol_violation);  // It was told so with an alert.
  EXPECT_EQ(world.server.secured, 0);
  EXPECT_EQ(world.server.channel, nullptr);
  EXPECT_EQ(world.client.channel, nullptr);
}

TEST(DataTransport, GivesUpWhenNobodyAnswersTheHandshake) {
  World world;
  world.cut();
  world.start();
  ASSERT_TRUE(world.run_until([&] { return !world.client.ended.empty(); }, 2min));
  EXPECT_EQ(code_of(world.client.ended), Errc::timed_out);
}

TEST(DataTransport, HoldsMessagesUntilSomebodyListens) {
  World world{with(SctpOrder::ordered)};
  ASSERT_TRUE(world.connect());
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(i, 100'000))).has_value());
  world.run_for(5s);
  EXPECT_THAT(world.server.log.messages, IsEmpty());
  EXPECT_LE(world.server.channel->stats().received,
            limits::kChannelHeldMessages + 100_KiB);  // The rest waits in SCTP.
  world.server.listen();
  ASSERT_TRUE(world.run_until([&] { return world.server.log.messages.size() == 40; }));
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(world.server.log.messages[static_cast<std::size_t>(i)], numbered_message(i, 100'000));
  }
}

TEST(DataTransport, StopsASenderWhoseReaderDoesNotRead) {
  World world{with(SctpOrder::unordered)};
  ASSERT_TRUE(world.connect());
  const std::string message = numbered_message(0, 200'000);
  Status status;
  int accepted = 0;
  while ((status = world.client.channel->send(as_bytes(message)))) {
    ++accepted;
    world.run_for(20ms);
  }
  EXPECT_EQ(status.error().code, Errc::limit_exceeded);
  EXPECT_LE(world.client.channel->buffered_amount(), limits::kLinkHardBuffer);
  EXPECT_GT(world.client.channel->buffered_amount(), limits::kLinkHardBuffer - 200_KiB);
  world.server.listen();
  ASSERT_TRUE(world.run_until(
      [&] { return world.server.log.messages.size() == static_cast<std::size_t>(accepted); }, 5min));
}

TEST(DataTransport, TellsLowOnceForEachCrossing) {
  World world{with(SctpOrder::unordered, {.delay = 25ms})};
  ASSERT_TRUE(world.connect());
  world.client.listen();
  world.server.listen();
  world.client.channel->set_buffered_amount_low_threshold(64_KiB);
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 20; ++i)
      ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(i, 60'000))).has_value());
    EXPECT_GT(world.client.channel->buffered_amount(), 64_KiB);
    EXPECT_EQ(world.client.log.lows, round - 1);
    ASSERT_TRUE(world.run_until([&] { return world.client.log.lows == round; }));
    EXPECT_LE(world.client.channel->buffered_amount(), 64_KiB);
    ASSERT_TRUE(world.run_until([&] { return world.client.channel->buffered_amount() == 0_B; }));
  }
  world.run_for(1s);
  EXPECT_EQ(world.client.log.lows, 3);
  EXPECT_EQ(world.client.channel->stats().sent, Bytes{3 * 20 * 60'000});
}

TEST(DataTransport, DoesNotCountWhatIsInFlight) {
  World world{with(SctpOrder::unordered, {.delay = 500ms})};
  ASSERT_TRUE(world.connect());
  world.run_for(2s);
  ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(0, 1000))).has_value());
  EXPECT_EQ(world.client.channel->buffered_amount(), 0_B);  // Sent, and not acknowledged for a second yet.
  ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(0, 200'000))).has_value());
  EXPECT_GT(world.client.channel->buffered_amount(), 150'000_B);  // More than the first window.
}

TEST(DataTransport, RefusesWhatThePeerDoesNotTake) {
  World::Setup setup;
  setup.max_message_size = 1000_B;
  World world{setup};
  ASSERT_TRUE(world.connect());
  EXPECT_EQ(world.client.channel->max_message_size(), 1000_B);
  EXPECT_TRUE(world.client.channel->send(as_bytes(numbered_message(0, 1000))).has_value());
  const Status refused = world.client.channel->send(as_bytes(numbered_message(0, 1001)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
}

TEST(DataTransport, EndsWhenAMessageIsLongerThanWasAgreed) {
  World::Setup setup;
  setup.max_message_size = 0_B;  // "No limit": the client believes it, the server does not mean it.
  World world{setup};
  ASSERT_TRUE(world.connect());
  world.server.listen();
  world.client.listen();
  ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(0, 262'145))).has_value());
  ASSERT_TRUE(world.run_until([&] { return !world.server.ended.empty() && !world.client.ended.empty(); }));
  EXPECT_EQ(code_of(world.server.log.closed), Errc::limit_exceeded);
  EXPECT_EQ(code_of(world.client.log.closed), Errc::link_lost);
  EXPECT_THAT(world.server.log.messages, IsEmpty());
}

TEST(DataTransport, ClosesInGoodOrderAfterEverythingWasSent) {
  for (const SctpOrder order : {SctpOrder::ordered, SctpOrder::unordered}) {
    World world{with(order, {.loss = 0.01, .delay = 20ms})};
    ASSERT_TRUE(world.connect());
    world.server.listen();
    world.client.listen();
    for (int i = 0; i < 20; ++i)
      ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(i, 60'000))).has_value());
    world.client.channel->close();
    EXPECT_FALSE(world.client.channel->send(as_bytes("late")).has_value());
    ASSERT_TRUE(world.run_until(
        [&] { return !world.client.log.closed.empty() && !world.server.log.closed.empty(); }));
    EXPECT_EQ(world.server.log.messages.size(), 20U);
    EXPECT_EQ(code_of(world.client.log.closed), Errc::closed);
    EXPECT_EQ(code_of(world.server.log.closed), Errc::closed);
  }
}

TEST(DataTransport, GivesAStreamOutAgainOnceItIsClosed) {
  World world;
  ASSERT_TRUE(world.connect());
  for (int i = 0; i < 40; ++i) {  // More than there may be at once.
    world.client.listen();
    world.server.listen();
    world.client.channel->close();
    ASSERT_TRUE(world.run_until([&] {
      return !world.client.log.closed.empty() && !world.server.log.closed.empty();
    })) << i;
    world.client.channel.reset();
    world.server.channel.reset();
    world.client.log = {};
    world.server.log = {};
    ASSERT_TRUE(world.client.transport.create_channel({.label = "again"}).has_value());
    ASSERT_TRUE(world.run_until([&] {
      return world.client.channel != nullptr && world.server.channel != nullptr;
    })) << i;
  }
}

TEST(DataTransport, ACloseEndsEvenWhenThePeerIsGone) {
  World world;
  ASSERT_TRUE(world.connect());
  world.client.listen();
  world.cut();
  world.client.channel->close();
  ASSERT_TRUE(
      world.run_until([&] { return !world.client.log.closed.empty(); }, limits::kLinkCloseTimeout + 100ms));
  EXPECT_EQ(code_of(world.client.log.closed), Errc::timed_out);
}

TEST(DataTransport, EndingAtOnceReachesThePeer) {
  World world;
  ASSERT_TRUE(world.connect());
  world.server.listen();
  world.client.transport.close();
  ASSERT_TRUE(world.run_until([&] { return !world.server.ended.empty(); }, 1s));
  EXPECT_EQ(code_of(world.server.log.closed), Errc::link_lost);
  EXPECT_THAT(world.client.ended, IsEmpty());
}

TEST(DataTransport, LettingGoOfAChannelClosesItForThePeer) {
  World world;
  ASSERT_TRUE(world.connect());
  world.server.listen();
  world.client.channel.reset();
  ASSERT_TRUE(world.run_until([&] { return !world.server.log.closed.empty(); }, 1s));
  EXPECT_EQ(code_of(world.server.log.closed), Errc::closed);
}

TEST(DataTransport, NoticesADeadPeerWithinFifteenSeconds) {
  for (const bool sending : {true, false}) {
    World world;
    ASSERT_TRUE(world.connect());
    world.client.listen();
    world.run_for(3s);
    world.cut();
    if (sending) {
      ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(0, 200'000))).has_value());
    }
    ASSERT_TRUE(world.run_until([&] { return !world.client.ended.empty(); }, 15s)) << sending;
    EXPECT_EQ(code_of(world.client.log.closed), Errc::link_lost);
  }
}

TEST(DataTransport, OutlivesAnOutageOfFiveSeconds) {
  for (const bool sending : {true, false}) {
    World world{with(SctpOrder::unordered, {.delay = 40ms})};
    ASSERT_TRUE(world.connect());
    world.server.listen();
    world.run_for(3s);
    if (sending) {
      ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(0, 200'000))).has_value());
    }
    world.cut();
    world.run_for(5s);
    world.set_network({.delay = 40ms});
    ASSERT_TRUE(world.client.channel->send(as_bytes("still here")).has_value());
    EXPECT_TRUE(world.run_until([&] { return world.server.log.messages.size() == (sending ? 2U : 1U); }, 10s))
        << sending;
    world.run_for(20s);
    EXPECT_THAT(world.client.ended, IsEmpty());
    EXPECT_THAT(world.server.ended, IsEmpty());
  }
}

TEST(DataTransport, StaysAliveWhileIdle) {
  World world{with(SctpOrder::unordered, {.loss = 0.01, .delay = 40ms})};
  ASSERT_TRUE(world.connect());
  world.run_for(3min);
  EXPECT_THAT(world.client.ended, IsEmpty());
  EXPECT_THAT(world.server.ended, IsEmpty());
}

TEST(DataTransport, MeasuresTheRoundTrip) {
  World world{with(SctpOrder::unordered, {.delay = 40ms})};
  ASSERT_TRUE(world.connect());
  world.server.listen();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(i, 3000))).has_value());
    world.run_for(100ms);
  }
  const auto measured = world.client.channel->stats().round_trip;
  ASSERT_TRUE(measured.has_value());
  EXPECT_GE(*measured, 75ms);
  EXPECT_LE(*measured, 130ms);
}

TEST(DataTransport, AnswersFromInsideOfItsMessages) {
  World world{with(SctpOrder::ordered)};
  ASSERT_TRUE(world.connect());
  world.server.log.also = [&](ByteView message) {
    EXPECT_TRUE(world.server.channel->send(message).has_value());
  };
  world.server.listen();
  world.client.listen();
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(i, 20'000))).has_value());
  ASSERT_TRUE(world.run_until([&] { return world.client.log.messages.size() == 50; }));
  EXPECT_EQ(world.client.log.messages, world.server.log.messages);
}

TEST(DataTransport, CarriesSeveralChannelsBesideEachOther) {
  World world;
  ASSERT_TRUE(world.connect());
  ASSERT_TRUE(world.server.transport.create_channel({.label = "back"}).has_value());
  ASSERT_TRUE(world.run_until([&] { return world.client.more_channels.size() == 1; }));
  EXPECT_EQ(world.client.more_channels[0]->stream(), 1);  // Opened by the DTLS server.
  simulated::LinkLog log;
  world.client.more_channels[0]->listen(log);
  world.client.listen();
  ASSERT_TRUE(world.server.more_channels[0]->send(as_bytes("one")).has_value());
  ASSERT_TRUE(world.server.channel->send(as_bytes("two")).has_value());
  ASSERT_TRUE(world.run_until([&] { return !log.messages.empty() && !world.client.log.messages.empty(); }));
  EXPECT_THAT(log.messages, ElementsAre("one"));
  EXPECT_THAT(world.client.log.messages, ElementsAre("two"));
}

TEST(DataTransport, IgnoresGarbageAndForgedRecords) {
  World world;
  ASSERT_TRUE(world.connect());
  world.server.listen();
  std::mt19937_64 random{7};
  for (int i = 0; i < 2000; ++i) {
    ByteBuffer garbage(random() % 200);
    for (std::byte& byte : garbage) byte = static_cast<std::byte>(random());
    if (garbage.size() > 13 && i % 2 == 0) {  // A header that looks right.
      garbage[0] = static_cast<std::byte>(20 + i % 4);
      garbage[1] = std::byte{254};
      garbage[2] = std::byte{253};
      garbage[3] = std::byte{0};
      garbage[4] = static_cast<std::byte>(i / 2 % 2);
      garbage[11] = std::byte{0};
      garbage[12] = static_cast<std::byte>(garbage.size() - 13);
    }
    world.server.transport.receive(garbage);
  }
  EXPECT_GT(world.server.transport.dtls_stats().garbage, 500U);
  EXPECT_GT(world.server.transport.dtls_stats().undecipherable, 500U);
  ASSERT_TRUE(world.client.channel->send(as_bytes("hello")).has_value());
  ASSERT_TRUE(world.run_until([&] { return !world.server.log.messages.empty(); }));
  EXPECT_THAT(world.server.log.messages, ElementsAre("hello"));
}

TEST(DataTransport, CanBeMadeManyTimesInOneProcess) {
  for (int i = 0; i < 20; ++i) {
    World world;
    ASSERT_TRUE(world.connect()) << i;
    ASSERT_TRUE(world.client.channel->send(as_bytes(numbered_message(i, 100'000))).has_value());
    world.run_for(3ms);  // Ends in the midst of it.
  }
}

}  // namespace
}  // namespace sluice::webrtc
