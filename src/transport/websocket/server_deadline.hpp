#pragma once

#include <functional>
#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "transport/websocket/native_stream.hpp"

/// For the room itself: waits of the server's that end.
namespace sluice::websocket {

/// Ends the waits for a socket when the time is over.
class Deadline {
 public:
  Deadline(asio::ip::tcp::socket& socket, Duration after);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { met(); }

  /// What it was for is done; nothing waits for the socket through this from now on.
  void met();
  [[nodiscard]] bool passed() const { return state_->passed; }
  /// Lets it pass now, when called before `met`; may outlive this.
  [[nodiscard]] std::function<void()> stopper() const;
  /// Waits for what a stream wants. False: in vain.
  asio::awaitable<bool> wait(NativeStream::State wanted) const;
  /// Lets others have their turn, so that a client that never pauses does not hold the shard.
  asio::awaitable<void> pause() const;

 private:
  struct State {
    explicit State(asio::ip::tcp::socket* waited_for) : socket(waited_for) {}
    void pass();
    asio::ip::tcp::socket* socket;
    bool passed = false;
  };
  std::shared_ptr<State> state_;
  asio::steady_timer timer_;
};

/// Sends all of it. False: it cannot be sent, or not in time.
asio::awaitable<bool> send(NativeStream& stream, ByteView bytes, const Deadline& deadline);

}  // namespace sluice::websocket
