#include "transport/webrtc/ticker.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"

namespace sluice::webrtc {

namespace asio = boost::asio;

asio::execution_context::id Ticker::id;

Ticker& Ticker::of(const asio::any_io_executor& executor) {
  return asio::use_service<Ticker>(asio::query(executor, asio::execution::context));
}

Ticker::Ticker(asio::execution_context& context) : asio::execution_context::service(context) {}

void Ticker::shutdown() noexcept {
  timer_.reset();
}

void Ticker::add(Member& member, const asio::any_io_executor& executor) {
  if (std::ranges::find(members_, &member) != members_.end()) return;
  members_.push_back(&member);
  if (!timer_) timer_ = std::make_unique<asio::steady_timer>(executor);
  if (!armed_) {
    timer_->expires_after(limits::kSctpTick);
    arm();
  }
}

void Ticker::remove(Member& member) {
  std::erase(members_, &member);
  std::ranges::replace(round_, &member, nullptr);
}

void Ticker::arm() {
  armed_ = true;
  timer_->async_wait([this](boost::system::error_code error) {
    if (!error) tick();
  });
}

void Ticker::tick() {
  armed_ = false;
  round_ = members_;
  for (std::size_t i = 0; i < round_.size(); ++i) {
    if (Member* const member = std::exchange(round_[i], nullptr)) member->on_tick(Clock::now());
  }
  round_.clear();
  if (members_.empty() || armed_) return;
  timer_->expires_at(std::max(timer_->expiry() + limits::kSctpTick, Clock::now()));
  arm();
}

}  // namespace sluice::webrtc
