#include "transport/webrtc/usrsctp_association.hpp"

#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/webrtc/simulated_peers.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;
using namespace std::chrono_literals;
using simulated::numbered_message;
using testing::ElementsAre;
using testing::IsEmpty;

class Side final : public SctpListener {
 public:
  void on_sctp_packet(ByteView packet) override {
    EXPECT_TRUE(has_valid_checksum(packet));
    out.push_back(to_buffer(packet));
  }
  void on_sctp_probe(ByteView packet) override { on_sctp_packet(packet); }
  void on_sctp_transmitted(const SctpTransmission& sent) override { transmitted += sent.payload; }
  void on_sctp_established() override { ++established; }
  void on_sctp_message(const SctpMessage& message) override {
    messages.emplace_back(as_text(message.payload));
    last_stream = message.stream;
    last_ppid = message.ppid;
    if (pause_at != 0 && messages.size() == pause_at) {
      association.set_reading(SctpAssociation::Reading::paused);
    }
  }
  void on_sctp_writable() override { ++writable; }
  void on_sctp_incoming_reset(StreamId stream) override { incoming_resets.push_back(stream); }
  void on_sctp_outgoing_reset(StreamId stream, ResetResult result) override {
    EXPECT_EQ(result, ResetResult::performed);
    outgoing_resets.push_back(stream);
  }
  void on_sctp_ended(const Error& reason) override { ended.push_back(reason.code); }

  SctpSend send(const std::string& text, StreamId stream = 0) {
    return association.send({.stream = stream, .ppid = 53, .payload = as_bytes(text)});
  }

  explicit Side(const SctpOptions& options) : association(*this, options) {}

  std::deque<ByteBuffer> out;
  UsrsctpAssociation association;
  int established = 0;
  int writable = 0;
  std::size_t pause_at = 0;
  Bytes transmitted;
  StreamId last_stream = 0;
  PayloadProtocol last_ppid = 0;
  std::vector<std::string> messages;
  std::vector<StreamId> incoming_resets;
  std::vector<StreamId> outgoing_resets;
  std::vector<Errc> ended;
};

/// Two associations that hand each other their packets, every simulated millisecond.
class Association : public testing::Test {
 protected:
  explicit Association(const SctpOptions& options = {}) : a_(options), b_(options) {}

  void connect() {
    ASSERT_TRUE(a_.association.start().has_value());
    ASSERT_TRUE(b_.association.start().has_value());
    ASSERT_TRUE(run_until([&] { return a_.established == 1 && b_.established == 1; }));
  }
  void step() {
    clock_.advance(1ms);
    carry(a_, b_);
    carry(b_, a_);
    stack_->handle_timers(clock_.now());
  }
  bool run_until(const std::function<bool()>& done, int steps = 60'000) {
    for (; !done() && steps > 0; --steps) step();
    return done();
  }
  void run(int steps) {
    run_until([] { return false; }, steps);
  }
  void carry(Side& from, Side& to) {
    for (ByteBuffer& packet : std::exchange(from.out, {})) {
      if (meddle) meddle(packet);
      to.association.receive(packet);
    }
    to.association.process(clock_.now());
  }

  std::function<void(ByteBuffer&)> meddle;
  simulated::ClockInstead clock_;
  std::shared_ptr<UsrsctpStack> stack_ = UsrsctpStack::acquire();
  Side a_;
  Side b_;
};

TEST_F(Association, CarriesStreamAndProtocolWithAMessage) {
  connect();
  EXPECT_EQ(a_.association.send({.stream = 7, .ppid = 51, .payload = as_bytes("hello")}), SctpSend::accepted);
  ASSERT_TRUE(run_until([&] { return !b_.messages.empty(); }));
  EXPECT_THAT(b_.messages, ElementsAre("hello"));
  EXPECT_EQ(b_.last_stream, 7);
  EXPECT_EQ(b_.last_ppid, 51U);
}

TEST_F(Association, RefusesToSendBeforeItIsEstablished) {
  EXPECT_EQ(a_.send("early"), SctpSend::refused);
}

TEST_F(Association, AccountsForEveryByteExactlyOnceWhateverIsLost) {
  connect();
  std::mt19937 random{3};
  meddle = [&](ByteBuffer& packet) {
    if (random() % 50 == 0) packet.clear();
  };
  Bytes accepted;
  for (int i = 0; i < 30; ++i) {
    const std::string message = numbered_message(i, 10'000 + static_cast<std::size_t>(i) * 1'001);
    ASSERT_EQ(a_.send(message), SctpSend::accepted);
    accepted += Bytes{message.size()};
    EXPECT_EQ(a_.association.stats().unsent + a_.transmitted, accepted);
    step();
  }
  ASSERT_TRUE(run_until([&] { return b_.messages.size() == 30; }));
  EXPECT_EQ(a_.transmitted, accepted);
  EXPECT_EQ(a_.association.stats().unsent, 0_B);
  EXPECT_GT(a_.association.stats().retransmitted, 0_B);
  EXPECT_GT(a_.association.stats().congestion_window, 0_B);
}

TEST_F(Association, SaysWhenThereIsRoomAgain) {
  connect();
  const std::string message = numbered_message(1, 200'000);
  int accepted = 0;
  SctpSend result = SctpSend::accepted;
  while ((result = a_.send(message)) == SctpSend::accepted) ++accepted;
  EXPECT_EQ(result, SctpSend::would_block);
  EXPECT_GE(accepted, 15);  // 4 MiB hold twenty of them.
  EXPECT_EQ(a_.writable, 0);
  ASSERT_TRUE(run_until([&] { return a_.writable > 0; }));
  ASSERT_TRUE(run_until([&] { return b_.messages.size() == static_cast<std::size_t>(accepted); }));
  EXPECT_EQ(a_.send(message), SctpSend::accepted);
}

TEST_F(Association, DeliversNothingWhilePaused) {
  connect();
  b_.pause_at = 2;
  for (int i = 0; i < 5; ++i) ASSERT_EQ(a_.send(std::to_string(i)), SctpSend::accepted);
  run(100);
  EXPECT_THAT(b_.messages, ElementsAre("0", "1"));
  b_.association.set_reading(SctpAssociation::Reading::flowing);
  run(10);
  EXPECT_THAT(b_.messages, ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(Association, ResetsAStreamOnlyAfterItsMessagesHaveArrived) {
  connect();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(a_.send(numbered_message(i, 100'000), 4), SctpSend::accepted);
  ASSERT_TRUE(a_.association.reset_stream(4).has_value());
  ASSERT_TRUE(run_until([&] { return !b_.incoming_resets.empty(); }));
  EXPECT_EQ(b_.messages.size(), 10U);
  ASSERT_TRUE(run_until([&] { return !a_.outgoing_resets.empty(); }));
  EXPECT_THAT(b_.incoming_resets, ElementsAre(4));
  EXPECT_THAT(a_.outgoing_resets, ElementsAre(4));
  EXPECT_EQ(a_.send("again", 4), SctpSend::accepted);
  EXPECT_TRUE(run_until([&] { return b_.messages.size() == 11; }));
}

TEST_F(Association, ResetsOfSeveralStreamsWaitForEachOther) {
  connect();
  std::vector<StreamId> wanted{0, 2, 4, 6};
  for (int i = 0; i < 5000 && !wanted.empty(); ++i, step()) {
    if (a_.association.reset_stream(wanted.front()).has_value()) wanted.erase(wanted.begin());
  }
  EXPECT_THAT(wanted, IsEmpty());
  ASSERT_TRUE(run_until([&] { return a_.outgoing_resets.size() == 4; }));
  EXPECT_THAT(b_.incoming_resets, ElementsAre(0, 2, 4, 6));
}

TEST_F(Association, DropsPacketsWithABadChecksum) {
  connect();
  const std::uint64_t before = b_.association.stats().packets_in;
  ByteBuffer packet(40, std::byte{9});
  b_.association.receive(packet);
  b_.association.receive(ByteView{packet}.first(3));
  EXPECT_EQ(b_.association.stats().packets_in, before + 2);
  EXPECT_EQ(b_.association.stats().bad_checksums, 2U);
}

TEST_F(Association, AnAbortEndsThePeer) {
  connect();
  a_.association.abort();
  run(10);
  EXPECT_THAT(b_.ended, ElementsAre(Errc::link_lost));
  EXPECT_THAT(a_.ended, IsEmpty());
  EXPECT_EQ(a_.send("x"), SctpSend::refused);
  EXPECT_EQ(b_.send("x"), SctpSend::refused);
}

TEST_F(Association, OutlivesPacketsThatMakeNoSense) {
  connect();
  std::mt19937 random{11};
  meddle = [&](ByteBuffer& packet) {
    if (random() % 3 != 0) return;
    for (int i = 0; i < 3; ++i)
      packet[12 + random() % (packet.size() - 12)] = static_cast<std::byte>(random());
    fill_checksum(packet);  // As an authenticated peer could.
  };
  for (int i = 0; i < 300; ++i) {
    (void)a_.send(numbered_message(i, random() % 5000 + 1));
    (void)b_.send(numbered_message(i, random() % 5000 + 1));
    run(5);
  }
  SUCCEED() << "whether the association survived is up to what was hit";
}

/// A path of which more is hoped for than the base.
class WidePath : public Association {
 protected:
  WidePath() : Association({.path_mtu = 1200_B, .path_mtu_candidates = {1352_B, 1432_B, 8932_B}}) {
    meddle = [this](ByteBuffer& packet) {
      if (size_of(packet) > passes_ && (cut_ == Cut::nothing || is_probe(packet))) return packet.clear();
      if (!is_probe(packet)) largest_ = std::max(largest_, size_of(packet));
    };
  }
  static bool is_probe(ByteView packet) {
    return packet.size() > kSctpHeader && packet[kSctpHeader] == std::byte{4};
  }

  void settle() {
    ASSERT_TRUE(run_until([&] { return a_.association.stats().path_mtu == expected_; }));
    run(1000);
    largest_ = {};
  }
  void exchange(int messages) {
    const std::size_t before = b_.messages.size();
    for (int i = 0; i < messages; ++i) ASSERT_EQ(a_.send(numbered_message(i, 16'384)), SctpSend::accepted);
    ASSERT_TRUE(run_until([&] { return b_.messages.size() == before + static_cast<std::size_t>(messages); }));
  }

  enum class Cut : std::uint8_t { nothing, data };
  Cut cut_ =
      Cut::nothing;  ///< Whether the network cuts up what is too large, as it does with all but probes.
  Bytes passes_{65'535};
  Bytes expected_{8932};
  Bytes largest_;
};

TEST_F(WidePath, KeepsToTheBaseUntilMoreWasShownToPass) {
  passes_ = 1200_B;
  connect();
  exchange(50);
  EXPECT_LE(largest_, 1200_B);
  EXPECT_GT(largest_, 1100_B);
  EXPECT_EQ(a_.association.stats().retransmitted, 0_B);
}

TEST_F(WidePath, UsesTheLargestSizeThatPasses) {
  passes_ = expected_ = 1432_B;
  connect();
  settle();
  exchange(50);
  EXPECT_LE(largest_, 1432_B);
  EXPECT_GT(largest_, 1352_B);
  EXPECT_EQ(a_.association.stats().retransmitted, 0_B);
}

TEST_F(WidePath, NeedsTwoPacketsForAMessageWhereJumboFramesPass) {
  connect();
  settle();
  const std::uint64_t before = a_.association.stats().packets_out;
  exchange(50);
  EXPECT_EQ(a_.association.stats().packets_out - before, 100U);
  EXPECT_EQ(largest_, 8932_B);
}

TEST_F(WidePath, GoesBackToTheBaseWhenThePathBecomesNarrower) {
  connect();
  settle();
  passes_ = 1300_B;
  cut_ = Cut::data;
  exchange(10);
  expected_ = 1200_B;
  settle();
  exchange(10);
  EXPECT_LE(largest_, 1200_B);
}

TEST_F(WidePath, StaysWhereItIsAsLongAsProbesAreAnswered) {
  connect();
  settle();
  run(60'000);
  EXPECT_EQ(a_.association.stats().path_mtu, 8932_B);
  EXPECT_THAT(a_.ended, IsEmpty());
}

}  // namespace
}  // namespace sluice::webrtc
