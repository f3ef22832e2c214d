#pragma once

#include <memory>
#include <unordered_set>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/error.hpp"
#include "core/tunnel_limits.hpp"
#include "observe/log_pace.hpp"
#include "peer/tunnel/descriptor_waits.hpp"
#include "peer/tunnel/session.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wake_up.hpp"
#include "transport/link.hpp"

namespace sluice::tunnel {

/// What both ends of a tunnel have in common: owns the link and the session on it, carries events between
/// them, the sockets and the clock, and ends all of it in good order.
///
/// One shard. `run` is called once and outlived by the endpoint; whatever the endpoint spawns ends before
/// `run` returns.
class Endpoint : private transport::LinkListener, private SessionShell, private SocketListener {
 public:
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Carries the tunnel until it ends, and says why: `closed` when either side ended it in good order. When
  /// cancelled it ends at once, with `cancelled`.
  boost::asio::awaitable<Error> run();

  /// Ends it in good order: no new streams; those that are open have `limits::kDrainTimeout` to finish.
  void stop();

  [[nodiscard]] SessionStats stats() const { return session_.stats(Clock::now()); }
  [[nodiscard]] const transport::Link& link() const { return *link_; }

 protected:
  Endpoint(const boost::asio::any_io_executor& executor, std::unique_ptr<transport::Link> link, Role role,
           SessionOptions options);
  Endpoint(const boost::asio::any_io_executor& executor, std::unique_ptr<transport::Link> link,
           Targets targets, SessionOptions options);
  ~Endpoint() override;  ///< `run` must have returned, unless it was never called.

  [[nodiscard]] Session& session() { return session_; }
  [[nodiscard]] runtime::TaskScope& tasks() { return tasks_; }
  [[nodiscard]] Report report_as(wire::SocketId id) { return {.listener = *this, .name = id}; }
  /// To be called after every call of the session's: does what that call made necessary.
  void after_input();

  void on_stream_end(wire::SocketId id, const StreamEnd& end) override;

  /// The stream's socket is a Unix socket. These know no reset, so an early end is in the log at least.
  void mark_unix(wire::SocketId id) { unix_.insert(id); }
  void unmark_unix(wire::SocketId id) { unix_.erase(id); }

 private:
  virtual void on_ready() {}  ///< Both sides have said HELLO.
  virtual void on_stop() {}   ///< Nothing more is to be accepted.

  void on_message(ByteView message) override;
  void on_buffered_amount_low() override;
  void on_closed(const Error& reason) override;
  void on_readable(wire::SocketId id, TimePoint now) override;
  void on_writable(wire::SocketId id, TimePoint now) override;
  void on_ignored(wire::SocketId id, Ignored why) override;

  void go_on_later();
  boost::asio::awaitable<void> keep_time();

  std::unique_ptr<transport::Link> link_;
  Session session_;
  runtime::TaskScope tasks_;
  runtime::WakeUp changed_;
  std::shared_ptr<Endpoint*> alive_;         ///< For posted work that outlives the endpoint.
  std::unordered_set<wire::SocketId> unix_;  ///< No more than streams.
  observe::LogPace unix_pace_{limits::kRejectionLogPause, limits::kRejectionKinds};
  bool ready_ = false;
  bool turn_posted_ = false;
  bool link_closed_ = false;
};

}  // namespace sluice::tunnel
