#include "flow/credit_window.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/ensure.hpp"

namespace sluice::flow {

namespace {

using namespace literals;

/// Below this a window grows fourfold, so that a page or a file is not held up for many round trips.
constexpr Bytes kFastGrowth = 256_KiB;

}  // namespace

// --- sending --------------------------------------------------------------------------------------------

void SendWindow::spend(Bytes sent, TimePoint now) {
  ENSURE(sent <= available());
  stats_.spent += sent;
  if (available() == 0_B && !out_since_) {
    out_since_ = now;
    ++stats_.times_out;
  }
}

Status SendWindow::on_window(std::uint64_t total, TimePoint now) {
  const Bytes announced{total};
  if (announced <= total_) {
    ++stats_.stale;
    return {};
  }
  // Subtraction first: the sum of total and first window might not fit.
  const Bytes ahead = announced - stats_.spent;
  if (ahead > limits::kMaxWindow - first_) {
    return fail(Errc::protocol_violation, "a WINDOW promises " + std::to_string(ahead.count()) +
                                              " bytes beyond what was sent, more than any window may have");
  }
  total_ = announced;
  ++stats_.updates;
  if (out_since_ && available() > 0_B) stats_.time_out += now - *std::exchange(out_since_, std::nullopt);
  return {};
}

SendWindowStats SendWindow::stats(TimePoint now) const {
  SendWindowStats all = stats_;
  if (out_since_) all.time_out += now - *out_since_;
  return all;
}

// --- receiving ------------------------------------------------------------------------------------------

Result<ReceiveWindow> ReceiveWindow::open(SessionBudget& budget, ReceiveWindowOptions options,
                                          TimePoint now) {
  ENSURE(options.first > 0_B && options.first <= options.largest && options.largest <= limits::kMaxWindow);
  if (auto reserved = budget.reserve(options.first); !reserved) return fail(std::move(reserved.error()));
  return ReceiveWindow{budget, options, now};
}

ReceiveWindow::ReceiveWindow(SessionBudget& budget, ReceiveWindowOptions options, TimePoint now)
    : budget_(&budget), options_(options), epoch_start_(now), last_receive_(now) {}

ReceiveWindow::ReceiveWindow(ReceiveWindow&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)),
      options_(other.options_),
      growth_(other.growth_),
      announced_total_(other.announced_total_),
      announced_consumed_(other.announced_consumed_),
      epoch_start_(other.epoch_start_),
      epoch_consumed_(other.epoch_consumed_),
      last_receive_(other.last_receive_),
      round_trip_(other.round_trip_),
      stats_(other.stats_) {}

ReceiveWindow::~ReceiveWindow() {
  if (budget_ == nullptr) return;
  budget_->give_back_growth(growth_);
  budget_->give_back_first(options_.first);
}

Status ReceiveWindow::receive(Bytes payload, TimePoint now) {
  const Bytes allowed = announced_total_ + options_.first - stats_.received;
  if (payload > allowed) {
    return fail(Errc::protocol_violation, "the peer sent " + std::to_string(payload.count()) +
                                              " bytes where its window had room for " +
                                              std::to_string(allowed.count()));
  }
  // A burst after silence is measured from its start, not from the end of the last one.
  if (held() == 0_B && now - last_receive_ > round_trip_) {
    epoch_start_ = now;
    epoch_consumed_ = stats_.consumed;
  }
  last_receive_ = now;
  stats_.received += payload;
  stats_.peak_held = std::max(stats_.peak_held, held());
  return {};
}

bool ReceiveWindow::consume(Bytes payload) {
  ENSURE(payload <= held());
  stats_.consumed += payload;
  return update_due();
}

bool ReceiveWindow::update_due() const {
  return stats_.consumed - announced_consumed_ >= std::max(window() / 4, 1_B);
}

std::uint64_t ReceiveWindow::update(TimePoint now, std::optional<Duration> round_trip) {
  round_trip_ =
      std::max<Duration>(round_trip.value_or(limits::kAssumedRoundTrip), limits::kShortestRoundTrip);
  resize(now, stats_.consumed - announced_consumed_);
  const Bytes total = stats_.consumed + growth_;
  ENSURE(total >= announced_total_);
  announced_total_ = total;
  announced_consumed_ = stats_.consumed;
  ++stats_.updates;
  return total.count();
}

void ReceiveWindow::resize(TimePoint now, Bytes consumed_since) {
  // Half of what was consumed at the most, so that the total rises all the same: promises are never taken
  // back.
  if (const Bytes surplus = std::min(budget_->surplus(growth_), consumed_since / 2); surplus > 0_B) {
    growth_ -= surplus;
    budget_->give_back_growth(surplus);
    ++stats_.shrunk;
    return;
  }
  if (stats_.consumed - epoch_consumed_ < window() / 2) return;
  if (now - epoch_start_ <= round_trip_ && window() < options_.largest) {
    const Bytes goal = std::min(window() * (window() < kFastGrowth ? 4 : 2), options_.largest);
    const Bytes granted = budget_->grow({.held = growth_, .wanted = goal - window()});
    growth_ += granted;
    if (granted > 0_B) ++stats_.grown;
  }
  epoch_start_ = now;
  epoch_consumed_ = stats_.consumed;
}

ReceiveWindowStats ReceiveWindow::stats() const {
  ReceiveWindowStats all = stats_;
  all.window = window();
  return all;
}

}  // namespace sluice::flow
