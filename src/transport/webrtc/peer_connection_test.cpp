#include "transport/webrtc/peer_connection.hpp"

#include <deque>
#include <functional>
#include <set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "transport/webrtc/sdp.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;
using namespace std::chrono_literals;
namespace asio = boost::asio;

constexpr auto kPatience = 20s;  // for what takes well under a second

/// Both ends run in one process on loopback, each on candidates of 127.0.0.1 alone.
Options loopback(Options::DataPath data_path = Options::DataPath::fast) {
  Options options;
  options.data_path = data_path;
  options.local_addresses = {"127.0.0.1"};
  return options;
}

/// One end: keeps what it is told, passes its candidates to the other end through the event loop.
class End final : public transport::PeerConnectionListener, public transport::LinkListener {
 public:
  explicit End(asio::io_context& shard) : shard_(shard) {}

  void make(const Options& options) {
    connection = make_peer_connection(shard_.get_executor(), options, *this);
  }

  void on_local_candidate(const std::string& candidate) override {
    ++candidates;
    if (trickle_to == nullptr) return;
    asio::post(shard_, [this, candidate] {
      if (!trickle_to->connection) return;
      EXPECT_TRUE(trickle_to->connection->add_remote_candidate(candidate).has_value());
    });
  }
  void on_local_candidates_done() override {
    asio::post(shard_, [this] {
      if (trickle_to != nullptr && trickle_to->connection) trickle_to->connection->end_of_remote_candidates();
    });
  }
  void on_open(std::unique_ptr<transport::Link> channel) override {
    link = std::move(channel);
    link->listen(*this);
  }
  void on_failed(const Error& reason) override { failed = reason; }
  void on_message(ByteView message) override {
    received.emplace_back(to_buffer(message));
    if (when_message) when_message(message);
  }
  void on_buffered_amount_low() override { ++lows; }
  void on_closed(const Error& reason) override { closed = reason; }

  std::unique_ptr<transport::PeerConnection> connection;
  std::unique_ptr<transport::Link> link;
  End* trickle_to = nullptr;
  std::optional<Error> failed;
  std::optional<Error> closed;
  std::deque<ByteBuffer> received;
  std::function<void(ByteView)> when_message;
  int candidates = 0;
  int lows = 0;

 private:
  asio::io_context& shard_;
};

class PeerConnectionTest : public testing::Test {
 protected:
  void negotiate(const Options& client, const Options& host) {
    client_.make(client);
    host_.make(host);
    client_.trickle_to = &host_;
    host_.trickle_to = &client_;
    const auto offer = client_.connection->create_offer();
    ASSERT_TRUE(offer.has_value()) << describe(offer.error());
    const auto answer = host_.connection->accept_offer(tamper_offer ? tamper_offer(*offer) : *offer);
    ASSERT_TRUE(answer.has_value()) << describe(answer.error());
    const auto set = client_.connection->set_answer(*answer);
    ASSERT_TRUE(set.has_value()) << describe(set.error());
  }
  void connect(const Options& client, const Options& host) {
    negotiate(client, host);
    run_until([this] { return client_.link && host_.link; });
    ASSERT_TRUE(client_.link && host_.link)
        << (client_.failed ? describe(*client_.failed) : "no failure told");
  }
  /// Runs the shard until the condition holds; a limit far beyond what is expected ends a hopeless wait.
  void run_until(const std::function<bool()>& condition, Duration limit = kPatience) {
    const auto end = Clock::now() + limit;
    shard_.restart();
    while (!condition() && Clock::now() < end) shard_.run_one_for(100ms);
  }

  asio::io_context shard_;
  End client_{shard_};
  End host_{shard_};
  std::function<std::string(std::string)> tamper_offer;
};

ByteBuffer message_of(Bytes size, int index) {
  ByteBuffer out(size.count());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(i * 31 + static_cast<unsigned>(index));
  return out;
}

/// The data path, and how many bytes a message has.
struct Exchange {
  const char* name;
  Options::DataPath path;
  Bytes size;
};

class PeerConnectionExchange : public PeerConnectionTest, public testing::WithParamInterface<Exchange> {};

TEST_P(PeerConnectionExchange, CarriesMessagesBothWays) {
  const auto [name, path, size] = GetParam();
  connect(loopback(path), loopback(path));
  EXPECT_EQ(client_.link->path().kind, transport::Path::Kind::direct);
  EXPECT_EQ(client_.link->path().fast, path == Options::DataPath::fast);
  EXPECT_TRUE(client_.link->path().local.starts_with("127.0.0.1:"));
  constexpr int kMessages = 50;
  std::multiset<ByteBuffer> expected;
  for (int i = 0; i < kMessages; ++i) {
    expected.insert(message_of(size, i));
    ASSERT_TRUE(client_.link->send(message_of(size, i)).has_value());
    ASSERT_TRUE(host_.link->send(message_of(size, i)).has_value());
  }
  run_until([&] { return client_.received.size() == kMessages && host_.received.size() == kMessages; });
  EXPECT_EQ((std::multiset<ByteBuffer>{client_.received.begin(), client_.received.end()}), expected);
  EXPECT_EQ((std::multiset<ByteBuffer>{host_.received.begin(), host_.received.end()}), expected);
  EXPECT_EQ(client_.link->stats().messages_received, kMessages);
}

INSTANTIATE_TEST_SUITE_P(Paths, PeerConnectionExchange,
                         testing::Values(Exchange{"Fast16KiB", Options::DataPath::fast, 16_KiB},
                                         Exchange{"Fast64KiB", Options::DataPath::fast, 64_KiB},
                                         Exchange{"PlainIce16KiB", Options::DataPath::plain_ice, 16_KiB},
                                         Exchange{"PlainIce64KiB", Options::DataPath::plain_ice, 64_KiB}),
                         [](const auto& test) { return std::string{test.param.name}; });

TEST_F(PeerConnectionTest, FastAndPlainPathsUnderstandEachOther) {
  connect(loopback(Options::DataPath::fast), loopback(Options::DataPath::plain_ice));
  ASSERT_TRUE(client_.link->send(as_bytes("to host")).has_value());
  ASSERT_TRUE(host_.link->send(as_bytes("to client")).has_value());
  run_until([&] { return !client_.received.empty() && !host_.received.empty(); });
  ASSERT_EQ(host_.received.size(), 1U);
  EXPECT_EQ(as_text(host_.received.front()), "to host");
}

TEST_F(PeerConnectionTest, WorksOverIPv6) {
  Options options = loopback();
  options.local_addresses = {"::1"};
  connect(options, options);
  EXPECT_TRUE(client_.link->path().local.starts_with("[::1]:")) << client_.link->path().local;
  EXPECT_TRUE(client_.link->path().fast);
  ASSERT_TRUE(client_.link->send(as_bytes("six")).has_value());
  run_until([&] { return !host_.received.empty(); });
  EXPECT_EQ(host_.received.size(), 1U);
}

TEST_F(PeerConnectionTest, LinkOutlivesTheConnectionThatMadeIt) {
  connect(loopback(), loopback());
  client_.connection.reset();
  host_.connection.reset();
  host_.when_message = [this](ByteView message) { EXPECT_TRUE(host_.link->send(message).has_value()); };
  ASSERT_TRUE(client_.link->send(as_bytes("echo")).has_value());
  run_until([&] { return !client_.received.empty(); });
  EXPECT_EQ(client_.received.size(), 1U);
}

TEST_F(PeerConnectionTest, CloseFromEitherSideReachesBothInGoodOrder) {
  for (const bool by_client : {true, false}) {
    connect(loopback(), loopback());
    ASSERT_TRUE(client_.link->send(as_bytes("last words")).has_value());
    (by_client ? client_ : host_).link->close();
    run_until([&] { return client_.closed && host_.closed; });
    ASSERT_TRUE(client_.closed && host_.closed);
    EXPECT_EQ(client_.closed->code, Errc::closed);
    EXPECT_EQ(host_.closed->code, Errc::closed);
    if (by_client) {
      EXPECT_EQ(host_.received.size(), 1U);  // what was accepted before the close still arrives
    }
    for (End* end : {&client_, &host_}) {
      end->link.reset();
      end->connection.reset();
      end->closed.reset();
      end->received.clear();
    }
  }
}

TEST_F(PeerConnectionTest, DestroyingTheLinkTellsTheOtherSideAtOnce) {
  connect(loopback(), loopback());
  client_.connection.reset();
  client_.link.reset();
  run_until([&] { return host_.closed.has_value(); }, 5s);
  EXPECT_TRUE(host_.closed.has_value());
}

TEST_F(PeerConnectionTest, WrongFingerprintFailsAndNothingOpens) {
  tamper_offer = [](const std::string& sdp) {
    auto offer = parse_sdp(sdp);
    Fingerprint::Digest digest = offer->fingerprint.digest();
    digest[0] ^= std::byte{1};
    offer->fingerprint = Fingerprint{digest};
    return write_sdp(*offer);
  };
  negotiate(loopback(), loopback());
  run_until([&] { return host_.failed.has_value(); });
  ASSERT_TRUE(host_.failed.has_value());
  EXPECT_EQ(host_.failed->code, Errc::wrong_code) << describe(*host_.failed);
  EXPECT_FALSE(client_.link || host_.link);
}

TEST_F(PeerConnectionTest, NoCandidatesIsUnreachableWithinTheTimeAllowed) {
  Options options = loopback();
  options.ice_timeout = 500ms;
  client_.make(options);
  host_.make(options);
  const auto offer = client_.connection->create_offer();
  const auto answer = host_.connection->accept_offer(*offer);
  ASSERT_TRUE(client_.connection->set_answer(*answer).has_value());
  client_.connection->end_of_remote_candidates();
  const auto begun = Clock::now();
  run_until([&] { return client_.failed && host_.failed; });
  ASSERT_TRUE(client_.failed && host_.failed);
  EXPECT_EQ(client_.failed->code, Errc::unreachable);
  EXPECT_NE(client_.failed->message.find("--turn"), std::string::npos) << client_.failed->message;
  EXPECT_LT(Clock::now() - begun, 5s);
}

TEST_F(PeerConnectionTest, SilentSignallingTimesOut) {
  Options options = loopback();
  options.setup_timeout = 200ms;
  client_.make(options);
  ASSERT_TRUE(client_.connection->create_offer().has_value());
  run_until([&] { return client_.failed.has_value(); });
  ASSERT_TRUE(client_.failed.has_value());
  EXPECT_EQ(client_.failed->code, Errc::timed_out);
}

TEST_F(PeerConnectionTest, MayBeDestroyedAtAnyStage) {
  // Each round lets one more turn of the event loop pass before both ends go; one goes while the other is in
  // the middle.
  for (int turns = 0; turns < 60; ++turns) {
    negotiate(loopback(), loopback());
    shard_.restart();
    for (int i = 0; i < turns; ++i) shard_.run_one_for(5ms);
    host_.connection.reset();
    host_.link.reset();
    for (int i = 0; i < 3; ++i) shard_.run_one_for(5ms);
    client_.connection.reset();
    client_.link.reset();
  }
  shard_.restart();
  shard_.poll();
}

TEST_F(PeerConnectionTest, MayBeDestroyedFromTheNewsOfItsFailure) {
  struct Destroyer final : transport::PeerConnectionListener {
    void on_local_candidate(const std::string&) override {}
    void on_local_candidates_done() override {}
    void on_open(std::unique_ptr<transport::Link>) override {}
    void on_failed(const Error&) override { connection.reset(); }
    std::unique_ptr<transport::PeerConnection> connection;
  } owner;
  Options options = loopback();
  options.setup_timeout = 1ms;
  owner.connection = make_peer_connection(shard_.get_executor(), options, owner);
  ASSERT_TRUE(owner.connection->create_offer().has_value());
  run_until([&] { return owner.connection == nullptr; });
  EXPECT_EQ(owner.connection, nullptr);
}

TEST_F(PeerConnectionTest, CandidatesThatCannotBeUsedAreIgnored) {
  negotiate(loopback(), loopback());
  const auto& connection = client_.connection;
  EXPECT_TRUE(connection->add_remote_candidate("candidate:1 1 udp 1 6f1d1f2e.local 5 typ host").has_value());
  EXPECT_TRUE(connection->add_remote_candidate("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active")
                  .has_value());
  const auto refused = connection->add_remote_candidate("candidate:nonsense");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::malformed);
  run_until([&] { return client_.link && host_.link; });
  EXPECT_TRUE(client_.link && host_.link);
}

TEST_F(PeerConnectionTest, TooManyCandidatesAreRefused) {
  client_.make(loopback());
  ASSERT_TRUE(client_.connection->create_offer().has_value());
  Status last;
  for (std::size_t i = 0; i <= limits::kMaxCandidates; ++i) {
    last = client_.connection->add_remote_candidate("candidate:1 1 udp 1 127.0.0.1 9 typ host");
  }
  ASSERT_FALSE(last.has_value());
  EXPECT_EQ(last.error().code, Errc::limit_exceeded);
}

TEST_F(PeerConnectionTest, RefusesCallsOutOfOrderAndOptionsThatMakeNoSense) {
  client_.make(loopback());
  EXPECT_EQ(client_.connection->set_answer("").error().code, Errc::invalid_argument);
  const auto offer = client_.connection->create_offer();
  ASSERT_TRUE(offer.has_value());
  EXPECT_EQ(client_.connection->create_offer().error().code, Errc::invalid_argument);
  EXPECT_EQ(client_.connection->set_answer(*offer).error().code,
            Errc::malformed);  // a=setup:actpass in an answer
  Options options = loopback();
  options.policy = Options::IcePolicy::relay_only;
  host_.make(options);
  EXPECT_EQ(host_.connection->create_offer().error().code, Errc::invalid_argument);
  host_.make({});
  EXPECT_EQ(host_.connection->accept_offer("nonsense").error().code, Errc::malformed);
  options = {};
  options.local_addresses = {"localhost"};
  host_.make(options);
  EXPECT_EQ(host_.connection->create_offer().error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace sluice::webrtc
