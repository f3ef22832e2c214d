#include "simulated_app.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::sim {

using tunnel::Transfer;

namespace {

/// What every direction carries, each from a place of its own: no run repeats for 64 KiB, and any two
/// directions differ.
constexpr std::size_t kPeriod = 65'521;
/// The longest that a report takes.
constexpr Duration kReport = std::chrono::milliseconds{3};

/// The bytes from a place of a direction on, as far as they lie in one piece.
ByteView bytes_at(std::uint32_t direction, std::uint64_t offset) {
  static const ByteBuffer all = [] {
    Dice dice{2024};
    ByteBuffer made(kPeriod);
    for (std::byte& byte : made) byte = static_cast<std::byte>(dice.roll({0, 255}));
    return made;
  }();
  return ByteView{all}.subspan((offset + direction * 977ULL) % kPeriod);
}

void fill(ByteSpan into, std::uint32_t direction, std::uint64_t offset) {
  while (!into.empty()) {
    const ByteView run = bytes_at(direction, offset);
    const std::size_t size = std::min(run.size(), into.size());
    std::ranges::copy(run.first(size), into.begin());
    into = into.subspan(size);
    offset += size;
  }
}

bool matches(ByteView bytes, std::uint32_t direction, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ByteView run = bytes_at(direction, offset);
    const std::size_t size = std::min(run.size(), bytes.size());
    if (std::memcmp(run.data(), bytes.data(), size) != 0) return false;
    bytes = bytes.subspan(size);
    offset += size;
  }
  return true;
}

}  // namespace

/// The socket itself; the application outlives it.
class SimulatedApp::End final : public tunnel::Socket {
 public:
  explicit End(std::shared_ptr<SimulatedApp> app) : app_(std::move(app)) {}
  ~End() override { app_->end(TunnelEnd::reset); }
  Transfer read_some(ByteSpan into) override { return app_->read_some(into); }
  Transfer write_some(ByteView from) override { return app_->write_some(from); }
  void shutdown_send() override { app_->shutdown_send(); }
  void close() override { app_->end(TunnelEnd::closed); }
  void reset() override { app_->end(TunnelEnd::reset); }

 private:
  std::shared_ptr<SimulatedApp> app_;
};

std::unique_ptr<tunnel::Socket> SimulatedApp::connect() {
  connected_ = true;
  return std::make_unique<End>(shared_from_this());
}

void SimulatedApp::start() {
  if (plan_.breaks_off) {
    timeline_.after(*plan_.breaks_off, [self = shared_from_this()] { self->break_off(); });
  }
  act_later();
}

void SimulatedApp::act_later() {
  if (std::exchange(acting_, true)) return;
  timeline_.after(dice_.between({}, plan_.pause), [self = shared_from_this()] {
    self->acting_ = false;
    self->act();
  });
}

/// Writes some, reads some, and comes again while there is anything to do that the tunnel does not report.
void SimulatedApp::act() {
  if (broken_ || tunnel_end_ == TunnelEnd::reset) return;
  bool again = false;
  if (!ended_sending_ && tunnel_end_ == TunnelEnd::none) {
    const std::uint64_t room = plan_.kernel_buffer - (sent_ - taken_);
    const std::uint64_t most = std::min<std::uint64_t>({room, plan_.chunk, plan_.sends - sent_});
    if (most > 0) {
      sent_ += dice_.roll({1, most});
      again = true;
      tell_readable();
    } else if (sent_ == plan_.sends) {
      if (plan_.ending == AppPlan::Ending::reset) return break_off();
      if (plan_.ending == AppPlan::Ending::fin) {
        ended_sending_ = true;
        tell_readable();
      }
    }
  }
  if (read_ >= plan_.stalls_after && stalled_until_ == TimePoint{}) {
    stalled_until_ = plan_.stall == Duration::max() ? TimePoint::max() : timeline_.now() + plan_.stall;
    if (plan_.stall != Duration::max()) {
      timeline_.after(plan_.stall, [self = shared_from_this()] { self->act_later(); });
    }
  }
  if (given_ > read_ && timeline_.now() >= stalled_until_) {
    read_ += dice_.roll({1, std::min<std::uint64_t>(plan_.chunk, given_ - read_)});
    again = true;
    tell_writable();
  }
  if (again) act_later();
}

void SimulatedApp::break_off() {
  if (broken_ || tunnel_end_ != TunnelEnd::none) return;
  broken_ = true;
  tell_readable();
  tell_writable();
}

/// A report takes its time, as a turn of an event loop does: until then the tunnel may come by for other
/// reasons.
void SimulatedApp::tell_readable() {
  if (!std::exchange(readable_armed_, false)) return;
  timeline_.after(dice_.between({}, kReport), [self = shared_from_this()] { self->reports_.readable(); });
}
void SimulatedApp::tell_writable() {
  if (!std::exchange(writable_armed_, false)) return;
  timeline_.after(dice_.between({}, kReport), [self = shared_from_this()] { self->reports_.writable(); });
}

// --- as the tunnel sees it ------------------------------------------------------------------------------

Transfer SimulatedApp::read_some(ByteSpan into) {
  if (tunnel_end_ != TunnelEnd::none) misused_ = true;
  if (broken_) return {.status = Transfer::Status::reset};
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), sent_ - taken_));
  fill(into.first(size), directions_.sends, taken_);
  taken_ += size;
  if (size == 0 && ended_sending_) return {.status = Transfer::Status::end};
  readable_armed_ = size < into.size();
  if (readable_armed_ && ended_sending_) tell_readable();
  if (size == 0) return {.status = Transfer::Status::would_block};
  act_later();
  return {.status = Transfer::Status::ok, .count = size};
}

Transfer SimulatedApp::write_some(ByteView from) {
  if (tunnel_end_ != TunnelEnd::none || shut_) misused_ = true;
  if (broken_) return {.status = Transfer::Status::reset};
  const auto room = static_cast<std::size_t>(plan_.kernel_buffer - (given_ - read_));
  const std::size_t size = std::min(room, from.size());
  if (!matches(from.first(size), directions_.receives, given_)) corrupt_ = true;
  given_ += size;
  writable_armed_ = size < from.size();
  if (size == 0) return {.status = Transfer::Status::would_block};
  act_later();
  return {.status = Transfer::Status::ok, .count = size};
}

void SimulatedApp::shutdown_send() {
  if (tunnel_end_ != TunnelEnd::none || std::exchange(shut_, true)) misused_ = true;
}

void SimulatedApp::end(TunnelEnd how) {
  if (tunnel_end_ != TunnelEnd::none) return;
  tunnel_end_ = how;
  readable_armed_ = writable_armed_ = false;
}

}  // namespace sluice::sim
