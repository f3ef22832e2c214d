#include <algorithm>
#include <utility>
#include <variant>

#include "client/messaging/session.hpp"

/// What a session makes of what the hub says.
namespace sluice::messaging {

using wire::hub::Conversation;
using wire::hub::Level;
using wire::hub::Position;
using wire::hub::Reason;

void Session::heard(wire::hub::FromHub message, Bytes size, TimePoint now) {
  const bool may_come = state_ == State::open || std::holds_alternative<wire::hub::Welcome>(message) ||
                        std::holds_alternative<wire::hub::Kick>(message);
  if (state_ == State::waiting || state_ == State::over || !may_come) return;
  heard_since_ack_ += size;
  hearing_ = size;
  std::visit([&](auto&& one) { on(std::forward<decltype(one)>(one), now); }, std::move(message));
  hearing_ = {};
  note_processed(now);
}

void Session::on(wire::hub::Welcome&& welcome, TimePoint now) {
  if (state_ != State::greeting) return;
  state_ = State::open;
  open_since_ = now;
  welcome_by_.reset();
  const Resumption resumption = welcome.resumed                  ? Resumption::done
                                : options_.session_token.empty() ? Resumption::not_asked
                                                                 : Resumption::refused;
  options_.session_token = welcome.session_token;
  if (welcome.limits.window > Bytes{}) window_ = welcome.limits.window;
  rejoin(welcome.resumed);
  tell(Connected{.welcome = welcome});
  check_histories(welcome, resumption);
  for (Unanswered& unanswered : unanswered_) send_publish(unanswered);
  pull_next(now);
}

namespace {

/// What has come further than the last that the hub has is not of its history.
bool is_beyond(Position reached, Position head) {
  return reached > head || reached.offset > head.offset;
}

}  // namespace

/// A hub that tells histories apart says so by a gap for each position that it is told. What a hub is not
/// told, and what earlier versions do not say, the client finds out by itself. Session tokens are as old as
/// their store: a hub that does not know this one, and is in another epoch, has another store.
void Session::check_histories(const wire::hub::Welcome& welcome, Resumption resumption) {
  const Conversation inbox{.kind = Conversation::Kind::user, .name = welcome.user};
  for (auto& [conversation, progress] : progress_) {
    const auto reached = progress.reached();
    if (!reached) continue;
    const bool is_inbox = conversation == inbox;
    const bool other_store = resumption == Resumption::refused && reached->epoch != welcome.epoch &&
                             welcome.epoch >= limits::kFirstUniqueEpoch;
    if (is_inbox && other_store) {
      tell_history_changed(conversation, std::nullopt);  // the hub goes on from where it sees fit
      progress = Progress{};
      continue;
    }
    const bool beyond_inbox = is_inbox && welcome.inbox != Position{} && is_beyond(*reached, welcome.inbox);
    if (other_store || reached->epoch > welcome.epoch || beyond_inbox) progress.doubt();
  }
}

/// Before a message is taken: after it nothing would be left to tell it by.
void Session::check_history(const Conversation& of, Position position) {
  const auto known = progress_.find(of);
  if (known == progress_.end() || !known->second.is_refuted_by(position)) return;
  const Position from{.epoch = position.epoch, .offset = position.offset == 0 ? 0 : position.offset - 1};
  tell_history_changed(of, from);
  known->second.go_on_from(from);
}

/// As a hub would tell it. It is none of what the hub counts.
void Session::tell_history_changed(const Conversation& of, std::optional<Position> from) {
  Place before = place_in(of);
  const Position reached = progress_.at(of).reached().value_or(Position{});
  wire::hub::Gap gap{.conversation = of,
                     .epoch = reached.epoch,
                     .first = from ? std::min(from->offset + 1, reached.offset) : reached.offset,
                     .last = reached.offset,
                     .reason = Reason::history_changed,
                     .gone = true,
                     .from = from};
  tell(std::move(gap), std::move(before));
}

/// The next event is one of those that the hub counts.
void Session::count() {
  ++counted_;
  events_.back().counted = true;
  ++counted_in_queue_;
}

void Session::on(wire::hub::Delivery&& delivery, TimePoint now) {
  std::optional<Place> before;
  if (delivery.request.empty()) {
    check_history(delivery.to, delivery.position);
    before = place_in(delivery.to);
    const auto source = delivery.replayed ? Progress::Source::log : Progress::Source::live;
    Progress* const progress = progress_in(delivery.to);
    if (progress == nullptr) return;
    if (!progress->take(delivery.position, source) || recent_.is_repeated(delivery, now)) {
      ++repeated_;
      ++counted_;
      return;
    }
  }
  tell(Message{.delivery = std::move(delivery)}, std::move(before));
  count();
}

void Session::on(wire::hub::Gap&& gap, TimePoint now) {
  Progress* const progress = progress_in(gap.conversation);
  if (progress == nullptr) return;
  if (gap.reason == Reason::history_changed) {
    Place before = place_in(gap.conversation);
    if (gap.from) progress->go_on_from(*gap.from);  // otherwise it answers a pull
    tell(std::move(gap), std::move(before));
    return count();
  }
  const bool exact = gap.last >= gap.first && gap.count == gap.last - gap.first + 1;
  const bool worth =
      exact && !gap.gone && gap.reason != Reason::conflated && pulls_.size() < limits::kClientHoles;
  if (options_.gaps == SessionOptions::Gaps::tell || !worth) {
    Place before = place_in(gap.conversation);
    progress->tell(gap);
    tell(std::move(gap), std::move(before));
    return count();
  }
  ++counted_;
  progress->fill(gap);
  wire::hub::Pull pull{
      .conversation = gap.conversation, .epoch = gap.epoch, .first = gap.first, .last = gap.last};
  pulls_.push_back({.pull = std::move(pull), .gap = std::move(gap)});
  pull_next(now);
}

void Session::on(wire::hub::Receipt&& receipt, TimePoint /*now*/) {
  const auto which =
      std::ranges::find(unanswered_, receipt.seq, [](const Unanswered& one) { return one.publish.seq; });
  if (receipt.seq != 0 && which != unanswered_.end()) finish(which, std::move(receipt));
}

void Session::finish(std::deque<Unanswered>::iterator which, wire::hub::Receipt receipt) {
  unanswered_bytes_ -= which->size;
  const std::uint64_t number = which->number;
  unanswered_.erase(which);
  tell(Answered{.number = number, .receipt = std::move(receipt)});
}

void Session::on(wire::hub::Ack&& ack, TimePoint /*now*/) {
  // Who asked for more than `accepted` is told by a receipt.
  for (auto one = unanswered_.begin(); one != unanswered_.end();) {
    const auto& publish = one->publish;
    if (publish.seq == 0 || publish.seq > ack.seq) break;  // they are in the order of their numbers
    if (publish.level != Level::accepted) {
      ++one;
      continue;
    }
    wire::hub::Receipt receipt{.seq = publish.seq, .id = publish.id};
    const auto index = one - unanswered_.begin();
    finish(one, std::move(receipt));
    one = unanswered_.begin() + index;
  }
}

void Session::on(wire::hub::Joined&& joined, TimePoint /*now*/) {
  const auto wanted = groups_.find(joined.group);
  if (wanted == groups_.end()) return;  // left again meanwhile
  Progress* const progress = progress_in({.kind = Conversation::Kind::group, .name = joined.group});
  if (progress == nullptr) return;
  // With `from` the first message that comes is the first there is.
  if (!wanted->second.from) progress->begin_at(joined.position);
  if (const auto reached = progress->reached(); reached && is_beyond(*reached, joined.position))
    progress->doubt();
  tell(std::move(joined));
}

void Session::on(wire::hub::Left&& left, TimePoint /*now*/) {
  if (left.reason != Reason::none) {
    groups_.erase(left.group);
    progress_.erase({.kind = Conversation::Kind::group, .name = left.group});
  }
  tell(std::move(left));
}

void Session::on(wire::hub::Pulled&& pulled, TimePoint now) {
  if (pulls_.empty() || !pulls_.front().sent || pulls_.front().pull.conversation != pulled.conversation)
    return;
  Pulling& pulling = pulls_.front();
  const std::uint64_t last = pulling.pull.last;
  const bool goes_on = pulled.more && (last == 0 || pulled.last.offset < last);
  Progress& progress = progress_[pulled.conversation];
  if (pulling.gap && goes_on) {
    progress.filled_to(pulled.last);
    pulling.pull.first = pulled.last.offset + 1;
    pulling.sent = false;
    pulling.not_before = {};
    return pull_next(now);
  }
  const bool is_ours = pulling.gap.has_value();
  if (!pulled.more || last != 0)
    progress.forget_wanted({.first = pulling.pull.first, .last = last == 0 ? limits::kMaxPosition : last});
  if (is_ours) progress.filled({.first = pulling.gap->first, .last = pulling.gap->last});
  pulls_.pop_front();
  if (!is_ours) tell(std::move(pulled));
  pull_next(now);
}

void Session::on(wire::hub::Refusal&& refusal, TimePoint now) {
  // It names what it is about; about everyone's messages, which have no name, nothing else is asked.
  const bool of_pull = !pulls_.empty() && pulls_.front().sent && refusal.seq == 0 &&
                       pulls_.front().pull.conversation.name == refusal.group;
  if (of_pull && refusal.reason == Reason::rate_limited) {
    // The hub wants what it sent to be taken first.
    pulls_.front().sent = false;
    pulls_.front().not_before =
        now + std::max<Duration>(limits::kClientPullPause, std::chrono::milliseconds{refusal.retry_after_ms});
    return;
  }
  const bool is_malformed = refusal.reason == Reason::malformed || refusal.reason == Reason::too_large;
  if (of_pull &&
      (refusal.reason == Reason::store_failed || refusal.reason == Reason::not_member || is_malformed)) {
    Pulling failed = std::move(pulls_.front());
    pulls_.pop_front();
    if (failed.gap) {
      Place before = place_in(failed.gap->conversation);
      progress_[failed.gap->conversation].filled({.first = failed.gap->first, .last = failed.gap->last});
      failed.gap->first = failed.pull.first;
      failed.gap->count = failed.gap->last - failed.gap->first + 1;
      progress_[failed.gap->conversation].forget_wanted(
          {.first = failed.gap->first, .last = failed.gap->last});
      tell(std::move(*failed.gap), std::move(before));
    }
    pull_next(now);
  } else if (!refusal.group.empty() && (refusal.reason == Reason::forbidden ||
                                        refusal.reason == Reason::too_many_groups || is_malformed)) {
    groups_.erase(refusal.group);
  }
  tell(std::move(refusal));
}

void Session::on(wire::hub::Reply&& reply, TimePoint /*now*/) {
  if (requests_.erase(reply.request) > 0) tell(std::move(reply));
}

void Session::on(wire::hub::Kick&& kick, TimePoint /*now*/) {
  kick_ = std::move(kick);
}

void Session::on(wire::hub::Ping&& ping, TimePoint /*now*/) {
  say(wire::hub::Pong{.nonce = ping.nonce});
}

void Session::on(wire::hub::Pong&& pong, TimePoint now) {
  if (!pinged_at_ || pong.nonce != nonce_) return;
  tell(RoundTrip{.took = now - *pinged_at_});
  pinged_at_.reset();
}

}  // namespace sluice::messaging
