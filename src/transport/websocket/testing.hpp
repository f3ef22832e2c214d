#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "core/testing.hpp"
#include "runtime/wake_up.hpp"
#include "transport/link.hpp"
#include "transport/message_socket.hpp"

/// For tests of links over real sockets.
namespace sluice::websocket::testing {

/// Long enough for a loaded machine; a test that works never waits so long.
inline constexpr std::chrono::seconds kPatience{60};

/// Runs one coroutine on a shard of its own until nothing is left to do there. What it leaves open fails the
/// test.
template <typename Body>
void on_shard(Body body) {
  boost::asio::io_context shard;
  bool done = false;
  boost::asio::co_spawn(shard, body(shard), [&](const std::exception_ptr& error) {
    done = true;
    if (error) std::rethrow_exception(error);
  });
  shard.run_for(kPatience);
  EXPECT_TRUE(done) << "the test hangs";
  EXPECT_TRUE(shard.stopped()) << "something still runs";
}

/// Keeps what a link says, for a test to wait for.
class Recorder final : public transport::LinkListener {
 public:
  explicit Recorder(const boost::asio::any_io_executor& executor) : news_(executor) {}

  void on_message(ByteView message) override {
    messages_.emplace_back(as_text(message));
    news_.notify();
  }
  void on_buffered_amount_low() override {
    ++low_;
    news_.notify();
  }
  void on_closed(const Error& reason) override {
    EXPECT_FALSE(closed_) << "closed twice";
    closed_ = reason;
    news_.notify();
  }

  /// The next message, or an empty text once the link has ended.
  boost::asio::awaitable<std::string> message() {
    while (messages_.empty() && !closed_) co_await news_.wait();
    if (messages_.empty()) co_return std::string{};
    std::string first = std::move(messages_.front());
    messages_.pop_front();
    co_return first;
  }
  boost::asio::awaitable<Error> closed() {
    while (!closed_) co_await news_.wait();
    co_return *closed_;
  }
  boost::asio::awaitable<void> low() {
    while (low_ == 0) co_await news_.wait();
  }
  [[nodiscard]] int low_count() const { return low_; }

 private:
  std::deque<std::string> messages_;
  int low_ = 0;
  std::optional<Error> closed_;
  runtime::WakeUp news_;
};

using sluice::testing::TemporaryFolder;

/// Keeps what a socket says, for a test to wait for.
class Heard final : public transport::MessageSocketListener {
 public:
  explicit Heard(const boost::asio::any_io_executor& executor) : news_(executor) {}
  void on_message(transport::MessageKind kind, ByteView message) override {
    EXPECT_FALSE(closed_);
    kinds.push_back(kind);
    messages.emplace_back(as_text(message));
    if (acting) acting(message);
    news_.notify();
  }
  void on_writable() override {
    ++writable;
    if (writing) writing();
    news_.notify();
  }
  void on_closed(const Error& reason) override {
    EXPECT_FALSE(closed_) << "closed twice";
    closed_ = reason;
    news_.notify();
  }
  boost::asio::awaitable<std::string> message() {
    while (messages.empty() && !closed_) co_await news_.wait();
    if (messages.empty()) co_return std::string{"<closed>"};
    std::string first = std::move(messages.front());
    messages.pop_front();
    co_return first;
  }
  boost::asio::awaitable<Error> closed() {
    while (!closed_) co_await news_.wait();
    co_return *closed_;
  }
  boost::asio::awaitable<void> becomes_writable() {
    while (writable == 0 && !closed_) co_await news_.wait();
  }
  [[nodiscard]] bool is_closed() const { return closed_.has_value(); }

  std::function<void(ByteView)> acting;
  std::function<void()> writing;
  std::deque<std::string> messages;
  std::vector<transport::MessageKind> kinds;  ///< Of all that came.
  int writable = 0;

 private:
  std::optional<Error> closed_;
  runtime::WakeUp news_;
};

}  // namespace sluice::websocket::testing
