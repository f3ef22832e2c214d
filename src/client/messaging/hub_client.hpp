#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "client/messaging/session.hpp"
#include "core/error.hpp"
#include "runtime/timed_wake_up.hpp"
#include "runtime/wake_up.hpp"
#include "transport/connected_socket.hpp"
#include "wire/hub/encoding.hpp"

namespace sluice::messaging {

/// Which session a connection is to go on with: a busy hub lets such in first, when it is proved in the
/// request.
struct Visit {
  std::string session_token{};  ///< A secret; empty: it is the first one.

  bool operator==(const Visit&) const = default;
};

/// Opens one connection to the hub's `/v1/hub` each time that it is called; bounded in time by itself.
using Connector = std::function<boost::asio::awaitable<transport::SocketAttempt>(Visit)>;

/// A client of the hub: a `Session` with its connections, which it opens anew as often as it must.
///
/// @code
///   HubClient client{executor, connector, {.user = "ann"}};
///   scope.spawn(client.run());
///   (void)client.join({.group = "ops"});
///   while (auto event = co_await client.next()) handle(*event);
/// @endcode
///
/// One shard. One task runs `run`, one takes the events, one publishes; they may be the same but for `run`.
/// Memory is bounded: while its owner takes no events nothing is read, and so the hub learns that this client
/// is slow.
class HubClient final : private transport::MessageSocketListener {
 public:
  /// An `id_prefix` that is empty is made up.
  HubClient(boost::asio::any_io_executor executor, Connector connector, SessionOptions options);
  HubClient(const HubClient&) = delete;
  HubClient& operator=(const HubClient&) = delete;
  ~HubClient() override;

  /// Until `stop`, or until the session is over. Cancellation: the connection ends at once.
  boost::asio::awaitable<void> run();
  /// Closes in good order, within `limits::kLinkCloseTimeout`; then `run` returns. What was published and not
  /// answered is forgotten.
  void stop();

  /// The next thing that happened. Coming back for it says that the one before is done with. Nothing once it
  /// is all over. Throws when cancelled.
  boost::asio::awaitable<std::optional<Event>> next();
  /// As `next`, but does not wait; `wait` returns when there may be more, or after `wake`, which is for other
  /// things that the same task waits for.
  [[nodiscard]] std::optional<Event> poll();
  boost::asio::awaitable<void> wait() { return news_.wait(); }
  void wake() { news_.notify(); }
  /// What was taken is done with, and nothing more will be: the hub is told at once. Goes before a `stop`.
  void settle();

  /// Waits for room, then publishes as `Session::publish` does. Throws when cancelled.
  boost::asio::awaitable<Result<std::uint64_t>> publish(Draft draft);

  // As the session's own.
  [[nodiscard]] Status join(wire::hub::Join join);
  void leave(const std::string& group);
  [[nodiscard]] Status pull(wire::hub::Pull pull);
  [[nodiscard]] Status who(std::string group);
  [[nodiscard]] Result<std::string> ask(Session::Question question);
  void reply(wire::hub::Reply reply);
  void refresh(std::string token);
  void ping();
  [[nodiscard]] const Session& session() const { return session_; }

 private:
  void on_message(transport::MessageKind kind, ByteView message) override;
  void on_writable() override;
  void on_closed(const Error& reason) override;

  void open(transport::ConnectedSocket connected);
  boost::asio::awaitable<void> serve();
  void lose(Error why, std::optional<Duration> retry_after);
  void flush();
  void write();
  [[nodiscard]] double random();
  [[nodiscard]] bool done() const { return stopped_ || session_.is_over(); }

  Connector connector_;
  std::mt19937_64 random_;
  Session session_;
  runtime::TimedWakeUp turn_;  ///< For `run`.
  runtime::WakeUp news_;       ///< For `next`.
  runtime::WakeUp room_;       ///< For `publish`.
  TimePoint turn_at_ = TimePoint::max();
  transport::ConnectedSocket connection_;  ///< Its socket is null while there is none.
  wire::hub::Encoding encoding_ = wire::hub::Encoding::proto;
  std::optional<Error> ended_;  ///< How the socket did.
  ByteBuffer scratch_;
  ByteBuffer out_;  ///< Frames, from `sent_` on to be written.
  std::size_t sent_ = 0;
  bool blocked_ = false;  ///< Until `on_writable`.
  bool paused_ = false;
  bool stopped_ = false;
};

}  // namespace sluice::messaging
