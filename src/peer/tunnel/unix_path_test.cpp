#include "peer/tunnel/unix_path.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "core/testing.hpp"
#include "peer/tunnel/entrances.hpp"
#include "peer/tunnel/forward_session.hpp"
#include "peer/tunnel/host_session.hpp"
#include "peer/tunnel/memory_link.hpp"
#include "runtime/task_scope.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using UnixStream = asio::local::stream_protocol;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class UnixPath : public ::testing::Test {
 protected:
  using Outcome = std::expected<StreamSocket, DialFailure>;

  ~UnixPath() override {
    scope_.cancel();
    EXPECT_TRUE(run_until([this] { return scope_.size() == 0; }));
  }
  /// A listener whose backlog is full.
  void fill() {
    acceptor_.open();
    acceptor_.bind(path_);
    acceptor_.listen(0);
    while (true) {
      UnixStream::socket socket{shard_};
      socket.open();
      socket.native_non_blocking(true);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path_.copy(address.sun_path, sizeof address.sun_path - 1);
      if (::connect(socket.native_handle(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return;
      fillers_.push_back(std::move(socket));
    }
  }
  void dial(Duration limit = 1h) {
    scope_.spawn([](UnixPath& self, Duration within) -> asio::awaitable<void> {
      self.outcome_ = co_await connect_unix(self.dial_, self.path_, within);
    }(*this, limit));
  }
  template <typename Done>
  [[nodiscard]] bool run_until(Done done) {
    const TimePoint patience = Clock::now() + 30s;
    while (!done() && Clock::now() < patience) {
      shard_.restart();
      shard_.run_one_for(10ms);
    }
    return done();
  }
  void run_for(Duration time) {
    shard_.restart();
    shard_.run_for(time);
  }

  sluice::testing::TemporaryFolder folder_;
  std::string path_ = (folder_.path() / "target.sock").string();
  asio::io_context shard_{1};
  UnixStream::acceptor acceptor_{shard_};
  std::vector<UnixStream::socket> fillers_;
  runtime::TaskScope scope_{shard_.get_executor()};
  Dial dial_{shard_.get_executor()};
  std::optional<Outcome> outcome_;
  std::unique_ptr<Entrances> entrances_;  ///< Of a test that has some: their task ends with the scope.
};

TEST_F(UnixPath, IsReachedOnceItsBacklogHasRoomAndHoldsNoDescriptorBefore) {
  fill();
  const std::size_t before = open_descriptors();
  dial();
  run_for(50ms);
  ASSERT_FALSE(outcome_);
  EXPECT_EQ(open_descriptors(), before);
  const UnixStream::socket taken = acceptor_.accept();
  ASSERT_TRUE(run_until([&] { return outcome_.has_value(); }));
  EXPECT_TRUE(outcome_->has_value());
}

TEST_F(UnixPath, IsGivenUpAtOnce) {
  fill();
  dial();
  run_for(30ms);
  ASSERT_FALSE(outcome_);
  dial_.give_up();
  ASSERT_TRUE(run_until([&] { return outcome_.has_value(); }));
  EXPECT_FALSE(outcome_->has_value());
  EXPECT_TRUE(run_until([&] { return scope_.size() == 0; }));
}

TEST_F(UnixPath, IsNotReachedWithinTheLimitAndNobodyListens) {
  fill();
  dial(30ms);
  ASSERT_TRUE(run_until([&] { return outcome_.has_value(); }));
  EXPECT_EQ(outcome_->error().reason, wire::CloseReason::dial_timed_out);
  acceptor_.close();
  outcome_.reset();
  dial();
  ASSERT_TRUE(run_until([&] { return outcome_.has_value(); }));
  EXPECT_EQ(outcome_->error().reason, wire::CloseReason::dial_failed);
}

TEST_F(UnixPath, TellsThatThereAreNoDescriptors) {
  if (!sluice::testing::NoDescriptors::kCanBeBorne) GTEST_SKIP();
  acceptor_ = UnixStream::acceptor{shard_, path_};
  const sluice::testing::NoDescriptors none;
  dial();
  ASSERT_TRUE(run_until([&] { return outcome_.has_value(); }));
  ASSERT_FALSE(outcome_->has_value());
  EXPECT_EQ(outcome_->error().reason, wire::CloseReason::limit_reached);
}

/// The other end of a tunnel, played by hand.
struct Peer final : transport::LinkListener {
  explicit Peer(std::unique_ptr<MemoryLink> with) : link(std::move(with)) { link->listen(*this); }
  void on_message(ByteView message) override {
    const auto packet = wire::decode(message);
    if (const auto* connect = std::get_if<wire::Connect>(&*packet)) asked = connect->socket;
  }
  void on_buffered_amount_low() override {}
  void on_closed(const Error&) override {}
  void say(const wire::Packet& packet) {
    ByteBuffer message;
    wire::encode(packet, message);
    EXPECT_TRUE(link->send(message));
  }
  std::unique_ptr<MemoryLink> link;
  std::optional<wire::SocketId> asked;  ///< By CONNECT.
};

constexpr wire::Hello kHello{.version = wire::kVersion, .first_window = 16'384, .largest_payload = 16'384};

class UnixTunnel : public UnixPath {
 protected:
  void start(Endpoint& endpoint) {
    scope_.spawn([](Endpoint& session, std::optional<Error>& why) -> asio::awaitable<void> {
      why = co_await session.run();
    }(endpoint, end_));
    peer_.say(kHello);
  }
  void stop(Endpoint& endpoint) {
    endpoint.stop();
    peer_.link->close();
    EXPECT_TRUE(run_until([&] { return end_.has_value(); }));
  }
  HostSession host() {
    return {shard_.get_executor(), std::move(links_.first),
            *Targets::make({{.name = "unix", .host = "", .path = path_}})};
  }

  MemoryLink::Pair links_ = MemoryLink::make(shard_.get_executor());
  Peer peer_{std::move(links_.second)};
  std::optional<Error> end_;
};

TEST_F(UnixTunnel, HoldsNoDescriptorsForDialsThatWereGivenUp) {
  fill();
  HostSession session{host()};
  const std::size_t before = open_descriptors();
  start(session);
  constexpr std::uint32_t kDials = 300;
  for (std::uint32_t id = 1; id <= kDials; ++id) {
    peer_.say(wire::Connect{.socket = {id}, .target = "unix"});
    peer_.say(wire::Close{.socket = {id}, .sequence = {1}, .reason = wire::CloseReason::reset});
  }
  ASSERT_TRUE(run_until([&] { return session.stats().totals.finished == kDials; }));
  EXPECT_EQ(open_descriptors(), before);
  stop(session);
}

TEST_F(UnixTunnel, WarnsOfAnEarlyEndThatItsTargetCannotSee) {
  acceptor_ = UnixStream::acceptor{shard_, path_};
  HostSession session{host()};
  start(session);
  peer_.say(wire::Connect{.socket = {1}, .target = "unix"});
  UnixStream::socket target{shard_};
  acceptor_.async_accept(target, [](const boost::system::error_code&) {});
  ASSERT_TRUE(run_until([&] { return target.is_open() && session.stats().streams == 1; }));
  target.native_non_blocking(true);
  ::testing::internal::CaptureStderr();
  peer_.say(wire::Close{.socket = {1}, .sequence = {1}, .reason = wire::CloseReason::reset});
  EXPECT_TRUE(run_until([&] { return session.stats().streams == 0; }));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("over a Unix socket ended early (reset)"),
            std::string::npos);
  char byte = 0;
  EXPECT_EQ(::recv(target.native_handle(), &byte, 1, 0), 0);  // an ordinary end
  stop(session);
}

TEST_F(UnixTunnel, WarnsOfAnEarlyEndThatItsClientCannotSee) {
  entrances_ = *Entrances::open(shard_.get_executor(), {{.path = path_, .target = "db"}});
  scope_.spawn(entrances_->run());
  ForwardSession session{shard_.get_executor(), std::move(links_.first),
                         ForwardSession::Ways{.entrances = entrances_.get()}};
  start(session);
  UnixStream::socket application{shard_};
  application.connect(path_);
  ASSERT_TRUE(run_until([&] { return peer_.asked.has_value(); }));
  ::testing::internal::CaptureStderr();
  peer_.say(wire::Accept{.socket = *peer_.asked});
  peer_.say(wire::Close{.socket = *peer_.asked, .sequence = {1}, .reason = wire::CloseReason::reset});
  EXPECT_TRUE(run_until([&] { return session.stats().totals.finished == 1; }));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("over a Unix socket ended early (reset)"),
            std::string::npos);
  stop(session);
  entrances_->close();
}

}  // namespace
}  // namespace sluice::tunnel
