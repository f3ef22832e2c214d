#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "api/load_client.hpp"
#include "api/load_options.hpp"
#include "runtime/task_scope.hpp"
#include "transport/websocket/socket_client.hpp"

namespace sluice::api {

/// How things stand in one thread of a load run.
struct LoadSnapshot {
  struct Receiver {
    std::uint32_t conversation = 0;
    bool over = false;
    bool ready = false;
    std::uint64_t unanswered = 0;
    std::uint64_t delivered = 0;
    std::uint64_t gapped = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t untold = 0;
  };
  LoadCounts counts{};
  Latencies latencies{};
  std::vector<ConversationBook> sent_to{};
  std::vector<Receiver> receivers{};
  std::uint64_t failed_attempts = 0;
  std::optional<Error> last_failure{};
};

/// The clients of one thread, and that thread.
///
/// Built, ended and destroyed by the run's own thread, which says what is to be done through the functions
/// below; they take effect in the other one.
class LoadShard final : private LoadClient::Shared {
 public:
  struct Part {
    std::size_t first = 0;  ///< The clients with these numbers are its own: first, first + step, ...
    std::size_t step = 1;
  };
  LoadShard(const LoadOptions& options, Part part);
  LoadShard(const LoadShard&) = delete;
  LoadShard& operator=(const LoadShard&) = delete;
  ~LoadShard() override;  ///< Ends all that is left, and the thread.

  /// Opens all connections, so many at a time.
  void connect(std::size_t at_once);
  void begin_sending(TimePoint at);
  void stop_sending();
  /// Cuts every connection, and opens them anew all at once.
  void storm();
  /// The slow ones read like all others from now on.
  void hurry();
  void close();
  /// Calls back in the other thread.
  void look(std::function<void(LoadSnapshot)> done);

 private:
  void on_ready(LoadClient& client) override;
  void on_ended(LoadClient& client) override;

  boost::asio::awaitable<void> open_next();
  boost::asio::awaitable<void> open(LoadClient& client);
  void spawn_openers(std::size_t count);
  void tick();
  void schedule_tick();
  void send_due(TimePoint now);
  [[nodiscard]] std::uint32_t target_of(const LoadClient& client);
  [[nodiscard]] LoadSnapshot snapshot() const;

  LoadOptions options_;
  boost::asio::io_context shard_{1};
  websocket::SocketClient sockets_;
  runtime::TaskScope tasks_;
  boost::asio::steady_timer timer_;
  std::mt19937_64 random_;
  std::vector<wire::hub::Conversation> conversations_;
  std::vector<std::unique_ptr<LoadClient>> clients_;
  std::deque<LoadClient*> to_open_;
  std::optional<TimePoint> sending_since_;
  bool ticking_ = false;
  std::uint64_t turns_ = 0;  ///< Sends that were due, so far.
  TimePoint acknowledged_at_{};
  bool closing_ = false;
  std::uint64_t failed_attempts_ = 0;
  std::optional<Error> last_failure_;
  std::thread thread_;
};

}  // namespace sluice::api
