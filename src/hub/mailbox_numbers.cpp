#include "hub/mailbox_numbers.hpp"

#include "core/ensure.hpp"

namespace sluice::hub {

MailboxNumber MailboxNumbers::take(TimePoint now) {
  wake(now);
  const std::uint64_t taken = used_.size() + resting_.size();
  std::uint64_t range = 9;  // 1 to 9, to 99, to 999, ...
  while (taken * 2 > range) range = range * 10 + 9;
  const auto last = static_cast<MailboxNumber>(range);
  MailboxNumber number = 1 + random_(last);
  // Half of the range is free: two looks on average, and a poor source of randomness only makes it a walk.
  for (int looks = 0; !is_free(number); ++looks) number = looks < 32 ? 1 + random_(last) : number % last + 1;
  used_.insert(number);
  return number;
}

void MailboxNumbers::give_back(MailboxNumber number, NumberEnd end, TimePoint now) {
  const auto erased = used_.erase(number);
  ENSURE(erased == 1);
  resting_.emplace(number, end);
  queue_.push_back({.number = number, .until = now + rest_.time});
  wake(now);
}

std::optional<NumberEnd> MailboxNumbers::ended(MailboxNumber number) const {
  const auto found = resting_.find(number);
  if (found == resting_.end()) return std::nullopt;
  return found->second;
}

bool MailboxNumbers::is_free(MailboxNumber number) const {
  return !used_.contains(number) && !resting_.contains(number);
}

void MailboxNumbers::wake(TimePoint now) {
  while (!queue_.empty() && (queue_.front().until <= now || queue_.size() > rest_.max_resting)) {
    resting_.erase(queue_.front().number);
    queue_.pop_front();
  }
}

}  // namespace sluice::hub
