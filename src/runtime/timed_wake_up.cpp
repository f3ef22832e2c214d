#include "runtime/timed_wake_up.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace sluice::runtime {

namespace asio = boost::asio;

void TimedWakeUp::notify() {
  raised_ = true;
  timer_.cancel();
}

asio::awaitable<void> TimedWakeUp::wait_until(TimePoint until) {
  if (!raised_) {
    timer_.expires_at(until);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    // The timer ends with the same error whether the flag went up or the coroutine is to end: look which.
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error{asio::error::operation_aborted};
    }
  }
  raised_ = false;
}

}  // namespace sluice::runtime
