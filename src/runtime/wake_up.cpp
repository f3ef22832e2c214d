#include "runtime/wake_up.hpp"

#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/ensure.hpp"

namespace sluice::runtime {

namespace asio = boost::asio;

WakeUp::~WakeUp() {
  ENSURE(!waiter_);
}

void WakeUp::notify() {
  if (waiter_) {
    complete({});
  } else {
    raised_ = true;
  }
}

void WakeUp::complete(boost::system::error_code error) {
  auto waiter = std::exchange(waiter_, nullptr);
  asio::post(executor_, [waiter = std::move(waiter), error]() mutable { std::move(waiter)(error); });
}

asio::awaitable<void> WakeUp::wait() {
  if (std::exchange(raised_, false)) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(boost::system::error_code)>(
      [this](auto handler) {
        ENSURE(!waiter_);
        waiter_ = std::move(handler);
        if (auto slot = asio::get_associated_cancellation_slot(waiter_); slot.is_connected()) {
          slot.assign([this](asio::cancellation_type) {
            if (waiter_) complete(asio::error::operation_aborted);
          });
        }
      },
      asio::use_awaitable);
}

}  // namespace sluice::runtime
