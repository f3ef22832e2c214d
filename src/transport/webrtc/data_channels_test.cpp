#include "transport/webrtc/data_channels.hpp"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

/// Takes everything down, and answers as it is told to.
class FakeAssociation final : public SctpAssociation {
 public:
  struct Sent {
    StreamId stream;
    PayloadProtocol ppid;
    SctpOrder order;
    std::string payload;
  };

  Status start() override { return {}; }
  void receive(ByteView /*packet*/) override {}
  void process(TimePoint /*now*/) override {}
  SctpSend send(const SctpMessage& message) override {
    if (answer == SctpSend::accepted) {
      sent.push_back({message.stream, message.ppid, message.order, std::string{as_text(message.payload)}});
    }
    return answer;
  }
  Status reset_stream(StreamId stream) override {
    if (!reset_answer) return reset_answer;
    resets.push_back(stream);
    return {};
  }
  void set_reading(Reading to) override { reading = to; }
  void abort() override {}
  SctpStats stats() const override { return {}; }

  SctpSend answer = SctpSend::accepted;
  Status reset_answer;
  std::vector<Sent> sent;
  std::vector<StreamId> resets;
  Reading reading = Reading::flowing;
};

class Log final : public transport::LinkListener {
 public:
  void on_message(ByteView message) override { messages.emplace_back(as_text(message)); }
  void on_buffered_amount_low() override { ++lows; }
  void on_closed(const Error& reason) override { closed.push_back(reason.code); }

  std::vector<std::string> messages;
  int lows = 0;
  std::vector<Errc> closed;
};

class DataChannelsTest : public testing::Test, protected DataChannelsListener {
 protected:
  void on_channel(std::unique_ptr<DataChannel> channel) override { opened_.push_back(std::move(channel)); }
  void on_channel_work() override { work_ = true; }

  DataChannel& open(const ChannelOptions& options = {.label = "l"}) {
    EXPECT_TRUE(channels_.open(options).has_value());
    return *opened_.back();
  }
  void receive(StreamId stream, PayloadProtocol ppid, ByteView payload) {
    channels_.on_message({.stream = stream, .ppid = ppid, .payload = payload});
  }
  void transmit(Bytes payload, PayloadProtocol ppid = ppid::kBinary) {
    channels_.on_transmitted({.stream = 0, .ppid = ppid, .payload = payload});
  }
  void acknowledge() { receive(0, ppid::kDcep, write_dcep(DcepAck{})); }

  FakeAssociation association_;
  DataChannels channels_{association_, *this, {.role = DtlsRole::client, .max_message_size = 64_KiB}};
  std::vector<std::unique_ptr<DataChannel>> opened_;
  TimePoint now_{};
  Log log_;
  bool work_ = false;
};

TEST_F(DataChannelsTest, OpensOnTheLowestEvenStreamAsDtlsClient) {
  EXPECT_EQ(open().stream(), 0);
  EXPECT_EQ(open().stream(), 2);
  ASSERT_THAT(association_.sent, SizeIs(2));
  EXPECT_EQ(association_.sent[0].ppid, ppid::kDcep);
  EXPECT_EQ(association_.sent[0].order, SctpOrder::ordered);
  const auto first = parse_dcep(as_bytes(association_.sent[0].payload));
  EXPECT_EQ(std::get<DcepOpen>(*first).label, "l");
  EXPECT_EQ(std::get<DcepOpen>(*first).order, SctpOrder::unordered);
}

TEST_F(DataChannelsTest, SendsInOrderUntilThePeerHasAnswered) {
  DataChannel& channel = open();
  ASSERT_TRUE(channel.send(as_bytes("before")).has_value());
  acknowledge();
  ASSERT_TRUE(channel.send(as_bytes("after")).has_value());
  EXPECT_EQ(association_.sent[1].order, SctpOrder::ordered);
  EXPECT_EQ(association_.sent[2].order, SctpOrder::unordered);
}

TEST_F(DataChannelsTest, AcceptsThePeersChannelAndAnswers) {
  receive(1, ppid::kDcep, write_dcep(DcepOpen{.label = "theirs", .protocol = "p"}));
  ASSERT_THAT(opened_, SizeIs(1));
  EXPECT_EQ(opened_[0]->options().label, "theirs");
  EXPECT_EQ(opened_[0]->options().order, SctpOrder::ordered);
  EXPECT_EQ(opened_[0]->stream(), 1);
  EXPECT_EQ(association_.sent.back().payload, "\x02");
}

TEST_F(DataChannelsTest, RefusesAStreamOfItsOwnParity) {
  receive(4, ppid::kDcep, write_dcep(DcepOpen{.label = "theirs"}));
  EXPECT_THAT(opened_, IsEmpty());
  EXPECT_EQ(channels_.stats().refused_opens, 1U);
  channels_.process(now_);
  EXPECT_THAT(association_.resets, ElementsAre(4));
}

TEST_F(DataChannelsTest, RefusesASecondOpenOnAStream) {
  for (int i = 0; i < 2; ++i) receive(1, ppid::kDcep, write_dcep(DcepOpen{.label = "theirs"}));
  EXPECT_THAT(opened_, SizeIs(1));
  EXPECT_EQ(channels_.stats().refused_opens, 1U);
}

TEST_F(DataChannelsTest, BoundsTheChannelsOfAPeer) {
  for (std::size_t i = 0; i < limits::kMaxChannels + 5; ++i) {
    receive(static_cast<StreamId>(2 * i + 1), ppid::kDcep, write_dcep(DcepOpen{.label = "theirs"}));
  }
  EXPECT_THAT(opened_, SizeIs(limits::kMaxChannels));
  EXPECT_EQ(channels_.stats().refused_opens, 5U);
  EXPECT_EQ(channels_.open({}).error().code, Errc::limit_exceeded);
}

TEST_F(DataChannelsTest, TakesTextAndEmptyMessagesAsMessages) {
  open().listen(log_);
  receive(0, ppid::kBinary, as_bytes("binary"));
  receive(0, ppid::kString, as_bytes("text"));
  receive(0, ppid::kBinaryEmpty, as_bytes("0"));
  receive(0, ppid::kStringEmpty, as_bytes("0"));
  EXPECT_THAT(log_.messages, ElementsAre("binary", "text", "", ""));
}

TEST_F(DataChannelsTest, CountsWhatMeansNothing) {
  open().listen(log_);
  receive(0, 99, as_bytes("x"));
  receive(0, ppid::kDcep, as_bytes("nonsense"));
  receive(7, ppid::kBinary, as_bytes("x"));
  receive(7, ppid::kDcep, write_dcep(DcepAck{}));
  EXPECT_EQ(channels_.stats().unknown_ppid, 1U);
  EXPECT_EQ(channels_.stats().malformed_dcep, 1U);
  EXPECT_EQ(channels_.stats().unknown_stream, 2U);
  EXPECT_THAT(log_.messages, IsEmpty());
}

TEST_F(DataChannelsTest, SendsAnEmptyMessageAsOneByteOfItsOwnKind) {
  DataChannel& channel = open();
  ASSERT_TRUE(channel.send({}).has_value());
  EXPECT_EQ(association_.sent.back().ppid, ppid::kBinaryEmpty);
  EXPECT_THAT(association_.sent.back().payload, SizeIs(1));
  EXPECT_EQ(channel.buffered_amount(), 0_B);
  transmit(1_B, ppid::kBinaryEmpty);
  EXPECT_EQ(channel.stats().sent, 0_B);
}

TEST_F(DataChannelsTest, CountsWhatIsNotTransmittedYet) {
  DataChannel& channel = open();
  ASSERT_TRUE(channel.send(ByteBuffer(1000)).has_value());
  ASSERT_TRUE(channel.send(ByteBuffer(500)).has_value());
  EXPECT_EQ(channel.buffered_amount(), 1500_B);
  transmit(20_B, ppid::kDcep);  // The OPEN does not count.
  transmit(1200_B);
  EXPECT_EQ(channel.buffered_amount(), 300_B);
  EXPECT_EQ(channel.stats().sent, 1200_B);
}

TEST_F(DataChannelsTest, TellsLowWhenCrossingDownwardsOnly) {
  DataChannel& channel = open();
  channel.listen(log_);
  channel.set_buffered_amount_low_threshold(100_B);
  ASSERT_TRUE(channel.send(ByteBuffer(100)).has_value());  // Not above the threshold.
  transmit(100_B);
  channels_.process(now_);
  EXPECT_EQ(log_.lows, 0);
  ASSERT_TRUE(channel.send(ByteBuffer(101)).has_value());
  channels_.process(now_);
  EXPECT_EQ(log_.lows, 0);
  work_ = false;
  transmit(1_B);
  EXPECT_TRUE(work_);
  EXPECT_EQ(log_.lows, 0);  // Never from inside another call.
  channels_.process(now_);
  channels_.process(now_);
  transmit(100_B);
  channels_.process(now_);
  EXPECT_EQ(log_.lows, 1);
}

TEST_F(DataChannelsTest, RaisingTheThresholdIsNoCrossing) {
  DataChannel& channel = open();
  channel.listen(log_);
  ASSERT_TRUE(channel.send(ByteBuffer(1000)).has_value());
  channel.set_buffered_amount_low_threshold(2000_B);
  transmit(1000_B);
  channels_.process(now_);
  EXPECT_EQ(log_.lows, 0);
}

TEST_F(DataChannelsTest, KeepsInOrderWhatTheAssociationDoesNotTake) {
  DataChannel& channel = open();
  association_.answer = SctpSend::would_block;
  ASSERT_TRUE(channel.send(as_bytes("one")).has_value());
  association_.answer = SctpSend::accepted;
  ASSERT_TRUE(channel.send(as_bytes("two")).has_value());  // Not ahead of the first.
  EXPECT_THAT(association_.sent, SizeIs(1));
  EXPECT_EQ(channel.buffered_amount(), 6_B);
  channels_.on_writable();
  ASSERT_THAT(association_.sent, SizeIs(3));
  EXPECT_EQ(association_.sent[1].payload, "one");
  EXPECT_EQ(association_.sent[2].payload, "two");
}

TEST_F(DataChannelsTest, RefusesBeyondItsLimits) {
  DataChannel& channel = open();
  EXPECT_EQ(channel.send(ByteBuffer(64 * 1024 + 1)).error().code, Errc::limit_exceeded);
  association_.answer = SctpSend::would_block;
  const ByteBuffer message(64 * 1024);
  while (channel.buffered_amount() < limits::kLinkHardBuffer) ASSERT_TRUE(channel.send(message).has_value());
  EXPECT_EQ(channel.send(as_bytes("x")).error().code, Errc::limit_exceeded);
}

TEST_F(DataChannelsTest, ResetsOnlyAfterEverythingWasHandedOver) {
  DataChannel& channel = open();
  channel.listen(log_);
  association_.answer = SctpSend::would_block;
  ASSERT_TRUE(channel.send(as_bytes("last")).has_value());
  channel.close();
  channels_.process(now_);
  EXPECT_THAT(association_.resets, IsEmpty());
  association_.answer = SctpSend::accepted;
  channels_.on_writable();
  channels_.process(now_);
  EXPECT_THAT(association_.resets, ElementsAre(0));
  channels_.on_outgoing_reset(0, SctpListener::ResetResult::performed);
  channels_.process(now_);
  EXPECT_THAT(log_.closed, IsEmpty());  // Half of it.
  channels_.on_incoming_reset(0);
  channels_.process(now_);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::closed));
}

TEST_F(DataChannelsTest, AnswersThePeersReset) {
  open().listen(log_);
  channels_.on_incoming_reset(0);
  channels_.process(now_);
  EXPECT_THAT(association_.resets, ElementsAre(0));
  EXPECT_EQ(opened_[0]->send(as_bytes("x")).error().code, Errc::closed);
  channels_.on_outgoing_reset(0, SctpListener::ResetResult::performed);
  channels_.process(now_);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::closed));
}

TEST_F(DataChannelsTest, AsksAgainWhenAResetWasDeniedOrCouldNotBeAsked) {
  open().close();
  association_.reset_answer = fail(Errc::busy, "not now");
  channels_.process(now_);
  EXPECT_THAT(association_.resets, IsEmpty());
  association_.reset_answer = {};
  channels_.process(now_);
  channels_.on_outgoing_reset(0, SctpListener::ResetResult::denied);
  channels_.process(now_);
  EXPECT_THAT(association_.resets, ElementsAre(0, 0));
}

TEST_F(DataChannelsTest, ClosesAtOnceWhenThePeerCannotReset) {
  DataChannel& channel = open();
  channel.listen(log_);
  association_.reset_answer = fail(Errc::io, "not supported");
  channel.close();
  channels_.process(now_);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::closed));
}

TEST_F(DataChannelsTest, AnUnansweredCloseEndsInTime) {
  DataChannel& channel = open();
  channel.listen(log_);
  channel.close();
  channels_.process(now_);
  channels_.process(now_ + limits::kLinkCloseTimeout - 1ms);
  EXPECT_THAT(log_.closed, IsEmpty());
  channels_.process(now_ + limits::kLinkCloseTimeout);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::timed_out));
  EXPECT_EQ(open().stream(), 2);  // The first is not given out again.
}

TEST_F(DataChannelsTest, HoldsMessagesAndStopsReading) {
  DataChannel& channel = open();
  const ByteBuffer message(60'000, std::byte{'m'});
  int held = 0;
  for (; held < 100 && association_.reading == SctpAssociation::Reading::flowing; ++held)
    receive(0, ppid::kBinary, message);
  EXPECT_LE(Bytes{60'000} * static_cast<std::uint64_t>(held), limits::kChannelHeldMessages + 60'000_B);
  channel.listen(log_);
  EXPECT_THAT(log_.messages, IsEmpty());  // Not from inside the user's call.
  receive(0, ppid::kBinary, as_bytes("newest"));
  channels_.process(now_);
  ASSERT_THAT(log_.messages, SizeIs(static_cast<std::size_t>(held) + 1));
  EXPECT_EQ(log_.messages.back(), "newest");
  EXPECT_EQ(association_.reading, SctpAssociation::Reading::flowing);
}

TEST_F(DataChannelsTest, TellsTheEndAfterTheHeldMessages) {
  DataChannel& channel = open();
  receive(0, ppid::kBinary, as_bytes("held"));
  channels_.on_ended({.code = Errc::link_lost, .message = "gone"});
  channels_.process(now_);
  channel.listen(log_);
  channels_.process(now_);
  channels_.process(now_);
  EXPECT_THAT(log_.messages, ElementsAre("held"));
  EXPECT_THAT(log_.closed, ElementsAre(Errc::link_lost));
  EXPECT_EQ(channel.send(as_bytes("x")).error().code, Errc::link_lost);
}

TEST_F(DataChannelsTest, ALossAfterAllHasArrivedIsAClose) {
  DataChannel& channel = open();
  channel.listen(log_);
  channel.close();
  channels_.process(now_);
  ASSERT_EQ(association_.resets.size(), 1U);
  channels_.on_outgoing_reset(association_.resets.front(), SctpListener::ResetResult::performed);
  channels_.on_ended({.code = Errc::link_lost, .message = "gone"});
  channels_.process(now_);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::closed));
}

TEST_F(DataChannelsTest, ALossBeforeThePeerHasSaidThatAllArrivedIsALoss) {
  DataChannel& channel = open();
  channel.listen(log_);
  channel.close();
  channels_.process(now_);
  channels_.on_ended({.code = Errc::link_lost, .message = "gone"});
  channels_.process(now_);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::link_lost));
}

TEST_F(DataChannelsTest, ALossBeforeEverythingWasSentIsALoss) {
  DataChannel& channel = open();
  channel.listen(log_);
  ASSERT_TRUE(channel.send(as_bytes("never transmitted")).has_value());
  channel.close();
  channels_.on_ended({.code = Errc::link_lost, .message = "gone"});
  channels_.process(now_);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::link_lost));
}

/// Lets go of another channel from inside a call.
class LettingGo final : public transport::LinkListener {
 public:
  explicit LettingGo(std::unique_ptr<DataChannel>& other) : other_(other) {}
  void on_message(ByteView /*message*/) override { other_.reset(); }
  void on_buffered_amount_low() override { other_.reset(); }
  void on_closed(const Error& /*reason*/) override { other_.reset(); }

 private:
  std::unique_ptr<DataChannel>& other_;
};

TEST_F(DataChannelsTest, AListenerMayLetGoOfAnotherChannel) {
  open();
  open();
  open();
  LettingGo first{opened_[1]};
  opened_[0]->listen(first);
  opened_[1]->listen(log_);
  opened_[2]->listen(log_);
  channels_.on_ended({.code = Errc::link_lost, .message = "gone"});
  channels_.process(now_);
  EXPECT_THAT(log_.closed, ElementsAre(Errc::link_lost));  // The third; the second is no more.
}

TEST(DataChannel, OutlivesItsTransport) {
  struct Owner final : DataChannelsListener {
    void on_channel(std::unique_ptr<DataChannel> opened) override { channel = std::move(opened); }
    void on_channel_work() override {}
    std::unique_ptr<DataChannel> channel;
  } owner;
  FakeAssociation association;
  {
    DataChannels channels{association, owner, {.role = DtlsRole::server, .max_message_size = 1_KiB}};
    ASSERT_TRUE(channels.open({.label = "l"}).has_value());
  }
  EXPECT_EQ(owner.channel->send(as_bytes("x")).error().code, Errc::closed);
  EXPECT_EQ(owner.channel->max_message_size(), 0_B);
  owner.channel->close();
}

}  // namespace
}  // namespace sluice::webrtc
