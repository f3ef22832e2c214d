#pragma once

#include <map>
#include <memory>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "flow/gate.hpp"

namespace sluice::runtime {

/// A flow::Gate that coroutines can wait at: writers to one link go through one at a time, first come first
/// served.
///
/// @code
///   auto pass = co_await gate.pass();
///   if (!pass) co_return pass.error();     // link lost, closed, stalled
///   link.send(message);
///   gate.set(link.buffered_amount());      // before the pass ends: the next one looks at this
/// @endcode
///
/// One shard. Owned by whoever owns the link; outlives every wait and every pass. Real time (Clock::now), one
/// timer. Costs no allocation while the gate is open and nobody is inside.
class AsyncGate {
 public:
  /// The right to write once. While it lives nobody else goes through; its end lets the next one look. Not to
  /// be kept across a wait for anything but the write itself.
  class Pass {
   public:
    Pass(Pass&& other) noexcept;
    Pass& operator=(Pass&&) = delete;
    ~Pass() { done(); }
    void done();  ///< Ends it early; more calls change nothing.

   private:
    friend class AsyncGate;
    Pass(AsyncGate& gate, flow::Ticket ticket) : gate_(&gate), ticket_(ticket) {}
    AsyncGate* gate_;
    flow::Ticket ticket_;
  };

  explicit AsyncGate(boost::asio::any_io_executor executor, flow::GateOptions options = {});
  AsyncGate(const AsyncGate&) = delete;
  AsyncGate& operator=(const AsyncGate&) = delete;
  ~AsyncGate();  ///< Nobody may be waiting.

  /// Waits for its turn and an open gate. Errors: `stalled` after the gate's limit, `limit_exceeded` (too
  /// many wait), and what `close` was told. Cancellation: the place in the queue is given up and
  /// `operation_aborted` thrown.
  boost::asio::awaitable<Result<Pass>> pass();

  /// What the link holds now: after each send, and when the link says that it has drained
  /// (`on_buffered_amount_low` with its threshold at the low mark).
  void set(Bytes held);

  /// The link has ended: every wait ends with this error, in order, and later ones fail with it at once.
  void close(Error reason);

  [[nodiscard]] bool is_open() const { return gate_.is_open(); }
  [[nodiscard]] flow::GateStats stats() const;

 private:
  struct Waiter {
    boost::asio::any_completion_handler<void(boost::system::error_code)> handler;
    bool stalled = false;
  };
  boost::asio::awaitable<void> wait(flow::Ticket ticket, Waiter& waiter);
  void leave(flow::Ticket ticket);
  void let_through();
  void end(const std::vector<flow::Ticket>& tickets);
  void resume(flow::Ticket ticket, boost::system::error_code error);
  void withdraw(flow::Ticket ticket);
  void watch_for_stalls();
  void on_deadline();

  boost::asio::any_io_executor executor_;
  flow::Gate gate_;
  std::map<flow::Ticket, Waiter*> waiters_;  // on their coroutines' frames; as bounded as the gate's queue
  boost::asio::steady_timer timer_;
  bool timer_armed_ = false;
  std::shared_ptr<AsyncGate*>
      self_;  // a timer's handler that is queued already finds out that the gate has gone
};

}  // namespace sluice::runtime
