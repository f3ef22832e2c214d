#include "runtime/async_gate.hpp"

#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/ensure.hpp"
#include "core/time.hpp"

namespace sluice::runtime {

namespace asio = boost::asio;

AsyncGate::Pass::Pass(Pass&& other) noexcept
    : gate_(std::exchange(other.gate_, nullptr)), ticket_(other.ticket_) {}

void AsyncGate::Pass::done() {
  if (gate_ != nullptr) std::exchange(gate_, nullptr)->leave(ticket_);
}

AsyncGate::AsyncGate(asio::any_io_executor executor, flow::GateOptions options)
    : executor_(std::move(executor)),
      gate_(options),
      timer_(executor_),
      self_(std::make_shared<AsyncGate*>(this)) {}

AsyncGate::~AsyncGate() {
  ENSURE(waiters_.empty());
}

asio::awaitable<Result<AsyncGate::Pass>> AsyncGate::pass() {
  const TimePoint now = Clock::now();
  const auto ticket = gate_.enter(now);
  if (!ticket) co_return fail(ticket.error());

  // From here on whatever ends this coroutine gives the place back.
  Pass pass{*this, *ticket};
  if (const auto first = gate_.next(now)) {
    ENSURE(*first == *ticket);  // whoever came before it was let through as soon as it could be
    co_return std::move(pass);
  }
  Waiter waiter;
  co_await wait(*ticket, waiter);
  // Look again: the turn came with a post, and much may have happened since.
  if (waiter.stalled) co_return fail(gate_.stall_error());
  if (const Error* reason = gate_.closed()) co_return fail(*reason);
  co_return std::move(pass);
}

asio::awaitable<void> AsyncGate::wait(flow::Ticket ticket, Waiter& waiter) {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(boost::system::error_code)>(
      [this, ticket, &waiter](auto handler) {
        waiter.handler = std::move(handler);
        waiters_.emplace(ticket, &waiter);
        watch_for_stalls();
        if (auto slot = asio::get_associated_cancellation_slot(waiter.handler); slot.is_connected()) {
          slot.assign([this, ticket](asio::cancellation_type) { withdraw(ticket); });
        }
      },
      asio::use_awaitable);
}

void AsyncGate::set(Bytes held) {
  gate_.set(held, Clock::now());
  let_through();
}

void AsyncGate::leave(flow::Ticket ticket) {
  gate_.cancel(ticket, Clock::now());
  let_through();
}

void AsyncGate::let_through() {
  if (const auto ticket = gate_.next(Clock::now())) resume(*ticket, {});
}

void AsyncGate::close(Error reason) {
  end(gate_.close(std::move(reason), Clock::now()));
}

void AsyncGate::end(const std::vector<flow::Ticket>& tickets) {
  for (const flow::Ticket ticket : tickets) resume(ticket, {});
}

void AsyncGate::resume(flow::Ticket ticket, boost::system::error_code error) {
  const auto found = waiters_.find(ticket);
  ENSURE(found != waiters_.end());
  auto handler = std::move(found->second->handler);
  waiters_.erase(found);
  if (waiters_.empty() && std::exchange(timer_armed_, false)) timer_.cancel();
  asio::post(executor_, [handler = std::move(handler), error]() mutable { std::move(handler)(error); });
}

void AsyncGate::withdraw(flow::Ticket ticket) {
  if (!waiters_.contains(ticket)) return;  // its turn, or its end, is on its way already
  gate_.cancel(ticket, Clock::now());
  resume(ticket, asio::error::operation_aborted);
}

void AsyncGate::watch_for_stalls() {
  const auto deadline = gate_.next_deadline();
  if (timer_armed_ || !deadline) return;  // deadlines only move back: the one that is armed comes first
  timer_armed_ = true;
  timer_.expires_at(*deadline);
  timer_.async_wait([self = std::weak_ptr{self_}](boost::system::error_code error) {
    const auto gate = self.lock();
    if (!error && gate) (*gate)->on_deadline();
  });
}

void AsyncGate::on_deadline() {
  timer_armed_ = false;
  const auto late = gate_.expire(Clock::now());
  for (const flow::Ticket ticket : late) waiters_.at(ticket)->stalled = true;
  end(late);
  watch_for_stalls();
}

flow::GateStats AsyncGate::stats() const {
  return gate_.stats(Clock::now());
}

}  // namespace sluice::runtime
