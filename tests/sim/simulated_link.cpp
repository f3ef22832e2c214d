#include "simulated_link.hpp"

#include <algorithm>
#include <utility>

namespace sluice::sim {

Status SimulatedLink::send(ByteView message) {
  if (ended_ || closing_) return fail(Errc::closed, "the simulated link is closed");
  queue_.push_back(std::make_shared<const ByteBuffer>(message.begin(), message.end()));
  buffered_ += size_of(message);
  peak_ = std::max(peak_, buffered_);
  stats_.sent += size_of(message);
  ++stats_.messages_sent;
  drain();
  return {};
}

void SimulatedLink::drain() {
  if (draining_ || queue_.empty() || stalled_) return;
  draining_ = true;
  const auto nanoseconds = queue_.front()->size() * 1'000'000'000U / plan_.bytes_per_second;
  timeline_.after(std::chrono::nanoseconds{nanoseconds}, [this] {
    draining_ = false;
    if (ended_ || stalled_) return;
    const auto message = std::move(queue_.front());
    queue_.pop_front();
    const bool was_above = buffered_ > threshold_;
    buffered_ -= Bytes{message->size()};
    travel(message);
    if (dice_.chance(plan_.percent_twice)) travel(message);
    drain();
    if (was_above && buffered_ <= threshold_) listener_->on_buffered_amount_low();
    if (closing_) finish_close();
  });
}

void SimulatedLink::travel(const std::shared_ptr<const ByteBuffer>& message) {
  Duration time = plan_.delay + dice_.between({}, plan_.jitter);
  if (dice_.chance(plan_.percent_late)) time += plan_.delay * 10;
  ++travelling_;
  timeline_.after(time, [this, message] {
    --travelling_;
    if (other_->ended_) return;
    ++other_->stats_.messages_received;
    other_->stats_.received += Bytes{message->size()};
    other_->listener_->on_message(*message);
    if (closing_) finish_close();
  });
}

void SimulatedLink::close() {
  if (ended_ || closing_) return;
  closing_ = true;
  timeline_.after({}, [this] { finish_close(); });
}

void SimulatedLink::finish_close() {
  if (!stalled_ && (!queue_.empty() || travelling_ > 0)) return;
  end({.code = Errc::closed, .message = "closed by this side"});
  other_->end({.code = Errc::closed, .message = "closed by the other side"});
}

void SimulatedLink::die() {
  const Error lost{.code = Errc::link_lost, .message = "the other side is gone"};
  end(lost);
  other_->end(lost);
}

void SimulatedLink::end(const Error& why) {
  if (std::exchange(ended_, true)) return;
  queue_.clear();
  buffered_ = {};
  listener_->on_closed(why);
}

transport::LinkStats SimulatedLink::stats() const {
  transport::LinkStats all = stats_;
  all.round_trip = plan_.delay * 2 + plan_.jitter;
  return all;
}

}  // namespace sluice::sim
