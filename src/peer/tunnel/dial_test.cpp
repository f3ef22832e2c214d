#include "peer/tunnel/dial.hpp"

#include <array>
#include <optional>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "runtime/task_scope.hpp"

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using namespace std::chrono_literals;

/// A port at which connections begin and never come about: its queue is full.
class FullPort {
 public:
  explicit FullPort(asio::io_context& shard)
      : acceptor_(shard), fill_{tcp::socket{shard}, tcp::socket{shard}} {
    const tcp::endpoint any{asio::ip::address_v4::loopback(), 0};
    acceptor_.open(any.protocol());
    acceptor_.bind(any);
    acceptor_.listen(0);
    for (tcp::socket& socket : fill_) socket.async_connect(acceptor_.local_endpoint(), [](auto) {});
    shard.run_for(50ms);
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  tcp::acceptor acceptor_;
  std::array<tcp::socket, 2> fill_;
};

class DialTest : public testing::Test {
 protected:
  void dial(const Target& target, Duration limit) {
    scope_.spawn([](DialTest& self, Target to, Duration within) -> asio::awaitable<void> {
      self.outcome_ = co_await self.dial_.connect(to, within);
    }(*this, target, limit));
  }
  void run_for(Duration time) {
    shard_.restart();
    shard_.run_for(time);
  }

  asio::io_context shard_{1};
  runtime::TaskScope scope_{shard_.get_executor()};
  Dial dial_{shard_.get_executor()};
  std::optional<std::expected<tcp::socket, DialFailure>> outcome_;
};

TEST_F(DialTest, ConnectsToAListener) {
  tcp::acceptor acceptor{shard_, {asio::ip::address_v4::loopback(), 0}};
  dial({.name = "t", .host = "127.0.0.1", .port = acceptor.local_endpoint().port()}, 10s);
  run_for(10s);
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_TRUE(outcome_->has_value());
}

TEST_F(DialTest, SaysThatNobodyAnsweredInTime) {
  const FullPort full{shard_};
  dial({.name = "t", .host = "127.0.0.1", .port = full.port()}, 20ms);
  run_for(500ms);
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->error().reason, wire::CloseReason::dial_timed_out);
}

TEST_F(DialTest, GivesUpAtOnceWhenNobodyWantsItAnyMore) {
  const FullPort full{shard_};
  dial({.name = "t", .host = "127.0.0.1", .port = full.port()}, 1h);
  run_for(50ms);
  ASSERT_FALSE(outcome_.has_value());
  dial_.give_up();
  run_for(50ms);
  EXPECT_TRUE(outcome_.has_value());
  EXPECT_EQ(scope_.size(), 0U);
}

TEST_F(DialTest, DoesNotBeginWhenItWasGivenUpBefore) {
  const FullPort full{shard_};
  dial_.give_up();
  dial({.name = "t", .host = "127.0.0.1", .port = full.port()}, 1h);
  run_for(50ms);
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_FALSE(outcome_->has_value());
}

}  // namespace
}  // namespace sluice::tunnel
