#include "hub/gateway/turnstile.hpp"

#include <algorithm>

namespace sluice::hub {

bool Turnstile::is_busy(const std::string& block) const {
  const auto busy = std::max(kNeverBusy, limits_.rate.tokens / kBusyShare);
  return std::ranges::any_of(visits_, [&](const Visits& second) {
    const auto known = second.find(block);
    return known != second.end() && known->second >= busy;
  });
}

void Turnstile::begin_second(TimePoint now) {
  if (now - second_ < std::chrono::seconds{1}) return;
  visits_[1] = now - second_ < std::chrono::seconds{2} ? std::move(visits_[0]) : Visits{};
  visits_[0].clear();
  second_ = now;
}

bool Turnstile::has_room(const Visitor& visitor, TimePoint now) {
  const std::uint64_t burst = limits_.rate.burst;
  const std::uint64_t for_resumes = burst / limits::kAdmissionResumeShare;
  // For blocks that come seldom there is always something left, whichever of the two they are. So a busy one
  // has no advantage from resuming: a proof can be replayed, and with it one block would hold the bucket
  // below what newcomers need.
  if (is_busy(visitor.block)) return bucket_.available(now) > for_resumes + burst / 6;
  return bucket_.available(now) > (visitor.standing == Standing::resumes ? 0 : for_resumes);
}

std::optional<std::chrono::seconds> Turnstile::ask(const Visitor& visitor, TimePoint now) {
  begin_second(now);
  const bool may_come = !limits_.enabled || has_room(visitor, now);
  if (visits_[0].size() < kBlocks || visits_[0].contains(visitor.block)) ++visits_[0][visitor.block];
  if (may_come) {
    (void)bucket_.take(1, now);
    ++counts_.admitted;
    return std::nullopt;
  }
  ++counts_.sent_away;
  if (visitor.standing == Standing::resumes) ++counts_.resumes_sent_away;
  const auto least = std::chrono::ceil<std::chrono::seconds>(limits_.retry_after_min);
  const auto most = std::chrono::ceil<std::chrono::seconds>(limits_.retry_after_max);
  const auto spread = static_cast<std::uint64_t>((most - least).count()) + 1;
  return least + std::chrono::seconds{random_(spread)};
}

void Turnstile::set_limits(TurnstileLimits limits, TimePoint now) {
  limits_ = limits;
  bucket_.set_rate(limits.rate, now);
}

}  // namespace sluice::hub
