#include "hub/service/pulse.hpp"

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sluice::hub::service {

namespace asio = boost::asio;

Pulse::Pulse(asio::any_io_executor home, std::vector<asio::any_io_executor> loops)
    : home_(std::move(home)), loops_(std::move(loops)), beats_(std::make_shared<Beats>()) {
  beats_->asked.resize(loops_.size());
}

asio::awaitable<void> Pulse::run(Duration interval) {
  asio::steady_timer timer{home_};
  for (;;) {
    for (std::size_t i = 0; i < loops_.size(); ++i) ask(i, Clock::now());
    timer.expires_after(interval);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

void Pulse::ask(std::size_t loop, TimePoint now) {
  if (beats_->asked[loop]) return;
  beats_->asked[loop] = now;
  asio::post(loops_[loop], [home = home_, beats = beats_, loop] {
    asio::post(home, [beats, loop] { beats->asked[loop].reset(); });
  });
}

std::vector<std::size_t> Pulse::stuck(TimePoint now) const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < beats_->asked.size(); ++i) {
    const auto& asked = beats_->asked[i];
    if (asked && now - *asked > kStuckLoop) found.push_back(i);
  }
  return found;
}

}  // namespace sluice::hub::service
