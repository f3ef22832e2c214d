#include "client/messaging/progress.hpp"

#include <algorithm>

#include "core/hub_limits.hpp"

namespace sluice::messaging {

using wire::hub::Position;

Progress::Progress()
    : holes_(limits::kClientHoles), told_(limits::kClientHoles), wanted_(2 * limits::kClientHoles) {}

void Progress::begin_at(Position position) {
  if (known_) return;
  known_ = true;
  top_ = position;
  absorb();
}

void Progress::go_on_from(Position from) {
  known_ = true;
  doubted_ = false;
  top_ = from;
  holes_.clear();
  told_.clear();
  wanted_.remove({.first = from.offset + 1, .last = limits::kMaxPosition});
}

/// An epoch that begins with the time is begun once, so what goes on in it belongs to what was given of it.
bool Progress::is_refuted_by(Position position) {
  if (!doubted_ || wanted_.contains(position.offset)) return false;
  const bool same_epoch = position.epoch == top_.epoch && position.epoch >= limits::kFirstUniqueEpoch;
  if (same_epoch && position > top_) doubted_ = false;
  return !same_epoch;
}

bool Progress::take(Position position, Source source) {
  if (wanted_.contains(position.offset)) {
    advance_filling(position);
    wanted_.remove({.first = position.offset, .last = position.offset});
    holes_.remove({.first = position.offset, .last = position.offset});
    if (known_ && position > top_) move_to(position);
    return true;
  }
  if (!known_ || position > top_) {
    const bool fresh = position.epoch != told_epoch_ || !told_.contains(position.offset);
    // The log tells what it has not, and is silent only of what has expired.
    if (known_ && source == Source::live && position.offset > top_.offset + 1)
      note_skipped({.first = top_.offset + 1, .last = position.offset - 1});
    known_ = true;
    move_to(position);
    return fresh;
  }
  if (!holes_.contains(position.offset) || position <= before_hole_) return false;
  holes_.remove({.first = position.offset, .last = position.offset});
  return true;
}

/// What was told of them is no hole.
void Progress::note_skipped(Range skipped) {
  if (holes_.empty()) before_hole_ = top_;
  (void)holes_.add(skipped);
  for (auto told = told_.front(); told && told->first <= skipped.last; told = told_.front()) {
    const Range part{.first = told->first, .last = std::min(told->last, skipped.last)};
    holes_.remove(part);
    told_.remove(part);
  }
}

void Progress::tell(const wire::hub::Gap& gap) {
  const Range range{.first = gap.first, .last = gap.last};
  if (gap.last < gap.first || gap.count != gap.last - gap.first + 1) return;
  holes_.remove(range);
  if (gap.epoch != told_epoch_) told_.clear();  // an offset of another epoch is another message
  told_epoch_ = gap.epoch;
  if (!known_) return (void)told_.add(range);
  if (gap.last <= top_.offset) return;
  const std::uint64_t first = std::max(gap.first, top_.offset + 1);
  if (first == top_.offset + 1)
    return move_to({.epoch = std::max(gap.epoch, top_.epoch), .offset = gap.last});
  (void)told_.add({.first = first, .last = gap.last});
}

void Progress::want(Range range) {
  if (range.last == 0) range.last = top_.offset;
  if (range.first <= range.last) (void)wanted_.add(range);
}

void Progress::fill(const wire::hub::Gap& gap) {
  const auto known = reached();
  // Where it comes ahead of others, its own epoch is the best guess.
  const Position before = known && known->offset + 1 >= gap.first
                              ? Position{.epoch = known->epoch, .offset = gap.first - 1}
                              : Position{.epoch = gap.epoch, .offset = gap.first - 1};
  tell(gap);
  want({.first = gap.first, .last = gap.last});
  filling_.push_back({.rest = {.first = gap.first, .last = gap.last}, .before = before});
}

void Progress::filled_to(Position position) {
  advance_filling(position);
}

/// A pull brings what it brings in order.
void Progress::advance_filling(Position to) {
  for (Filling& one : filling_) {
    if (to.offset < one.rest.first || to.offset > one.rest.last) continue;
    one.rest.first = to.offset + 1;
    one.before = to;
  }
  std::erase_if(filling_, [](const Filling& one) { return one.rest.first > one.rest.last; });
}

void Progress::filled(Range gap) {
  std::erase_if(filling_, [gap](const Filling& one) {
    return one.rest.first >= gap.first && one.rest.last <= gap.last;
  });
}

void Progress::move_to(Position position) {
  // Offsets may begin anew, lower, with an epoch.
  if (position.epoch != top_.epoch && position.offset <= top_.offset) {
    holes_.clear();
    told_.clear();
  }
  top_ = position;
  told_.remove({.first = 0, .last = position.offset});
  absorb();
}

void Progress::absorb() {
  if (const auto next = told_.front(); next && next->first == top_.offset + 1) {
    top_ = {.epoch = std::max(top_.epoch, told_epoch_), .offset = next->last};
    told_.remove(*next);
  }
}

std::optional<Position> Progress::reached() const {
  if (!known_) return std::nullopt;
  return holes_.empty() ? top_ : before_hole_;
}

std::optional<Position> Progress::done() const {
  auto done = reached();
  for (const Filling& one : filling_) {
    if (done) done = std::min(*done, one.before);
  }
  return done;
}

}  // namespace sluice::messaging
