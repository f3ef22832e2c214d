#include "hub/gateway/turnstile.hpp"

namespace sluice::hub {

bool Turnstile::has_room(Visitor visitor, TimePoint now) {
  const bool resumes = visitor == Visitor::resumes;
  const std::uint64_t reserve = resumes ? 0 : limits_.rate.burst / limits::kAdmissionResumeShare;
  return bucket_.available(now) > reserve;
}

std::optional<std::chrono::seconds> Turnstile::ask(Visitor visitor, TimePoint now) {
  if (!limits_.enabled || has_room(visitor, now)) {
    (void)bucket_.take(1, now);
    ++counts_.admitted;
    return std::nullopt;
  }
  ++counts_.sent_away;
  if (visitor == Visitor::resumes) ++counts_.resumes_sent_away;
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
