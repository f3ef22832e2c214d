#include "hub/store/sender_shares.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/sender_limits.hpp"

namespace sluice::hub::store {
namespace {

/// A sender with no more than this part of an equal share is protected.
constexpr std::uint64_t kProtectedPart = 2;

}  // namespace

SenderShares::Sender SenderShares::sender(std::string_view name) const {
  const crypto::ShortHash hash = crypto::short_hash(as_bytes(name), key_);
  Sender sender = 0;
  std::memcpy(&sender, hash.data(), sizeof sender);
  return sender;
}

void SenderShares::Inbox::add(Sender sender, Held more) {
  Held& held = held_[sender];
  held.count += more.count;
  held.bytes += more.bytes;
}

void SenderShares::Inbox::take_off(Sender sender, std::uint64_t bytes) {
  const auto known = held_.find(sender);
  if (known == held_.end()) return;
  known->second.bytes -= std::min(known->second.bytes, bytes);
  if (known->second.count <= 1) {
    held_.erase(known);
  } else {
    --known->second.count;
  }
}

bool SenderShares::Inbox::protects(Sender sender, const Retention& bounds) const {
  const auto known = held_.find(sender);
  if (known == held_.end() || held_.size() < 2) return false;
  const std::uint64_t parts = kProtectedPart * held_.size();
  return known->second.count <= bounds.count / parts && known->second.bytes <= bounds.bytes.count() / parts;
}

SenderShares::Inbox* SenderShares::inbox(std::int64_t conversation) {
  const auto known = inboxes_.find(conversation);
  if (known == inboxes_.end()) return nullptr;
  order_.splice(order_.begin(), order_, known->second.place);
  return &known->second.inbox;
}

SenderShares::Inbox& SenderShares::know(std::int64_t conversation, Inbox inbox) {
  forget(conversation);
  senders_ += inbox.senders();
  order_.push_front(conversation);
  auto& known =
      inboxes_.emplace(conversation, Known{.inbox = std::move(inbox), .place = order_.begin()}).first->second;
  forget_beyond_limits();
  return known.inbox;
}

/// Never the one that was used last.
void SenderShares::forget_beyond_limits() {
  while (order_.size() > 1 && (order_.size() > limits::kTalliedInboxes || senders_ > limits::kTalliedSenders))
    forget(order_.back());
}

void SenderShares::forget(std::int64_t conversation) {
  const auto known = inboxes_.find(conversation);
  if (known == inboxes_.end()) return;
  senders_ -= known->second.inbox.senders();
  order_.erase(known->second.place);
  inboxes_.erase(known);
}

void SenderShares::added(std::int64_t conversation, std::int64_t seq, Sender sender, std::uint64_t bytes) {
  if (const auto known = inboxes_.find(conversation); known != inboxes_.end()) {
    Inbox& inbox = known->second.inbox;
    const std::size_t before = inbox.senders();
    inbox.add(sender, {.count = 1, .bytes = bytes});
    senders_ += inbox.senders() - before;
    forget_beyond_limits();
  }
  if (is_left_to_census(seq)) return;
  changes_.push_back({.sender = sender, .more = bytes, .less = 0, .counted_to = counted_to_});
  add_to_class(sender, bytes);
}

void SenderShares::removed(std::int64_t conversation, std::int64_t seq, Sender sender, std::uint64_t bytes) {
  if (const auto known = inboxes_.find(conversation); known != inboxes_.end()) {
    Inbox& inbox = known->second.inbox;
    const std::size_t before = inbox.senders();
    inbox.take_off(sender, bytes);
    senders_ -= before - inbox.senders();
  }
  if (is_left_to_census(seq)) return;
  const std::uint64_t less = std::min(classes_[sender % classes_.size()], bytes);
  changes_.push_back({.sender = sender, .more = 0, .less = less, .counted_to = counted_to_});
  take_off_class(sender, less);
}

bool SenderShares::is_left_to_census(std::int64_t seq) const {
  return seq > counted_to_ && seq <= census_end_;
}

void SenderShares::begin_census(std::int64_t last) {
  std::ranges::fill(classes_, 0);
  used_classes_ = 0;
  bytes_ = 0;
  changes_.clear();
  census_end_ = last;
  counted_to_ = 0;
}

void SenderShares::count(std::int64_t seq, Sender sender, std::uint64_t bytes) {
  changes_.push_back({.sender = sender, .more = bytes, .less = 0, .counted_to = counted_to_});
  counted_to_ = seq;
  add_to_class(sender, bytes);
}

void SenderShares::end_census() {
  changes_.push_back({.sender = 0, .more = 0, .less = 0, .counted_to = counted_to_});
  counted_to_ = census_end_;
}

void SenderShares::add_to_class(Sender sender, std::uint64_t bytes) {
  std::uint64_t& held = classes_[sender % classes_.size()];
  if (held == 0 && bytes > 0) ++used_classes_;
  held += bytes;
  bytes_ += bytes;
}

/// Requires that the class has so many.
void SenderShares::take_off_class(Sender sender, std::uint64_t bytes) {
  std::uint64_t& held = classes_[sender % classes_.size()];
  if (held > 0 && held == bytes) --used_classes_;
  held -= bytes;
  bytes_ -= bytes;
}

bool SenderShares::protects(Sender sender) const {
  if (!is_complete() || used_classes_ < 2) return false;
  return classes_[sender % classes_.size()] <= bytes_ / (kProtectedPart * used_classes_);
}

void SenderShares::undo(std::size_t down_to) {
  for (; changes_.size() > down_to; changes_.pop_back()) {
    const Change& last = changes_.back();
    take_off_class(last.sender, last.more);
    add_to_class(last.sender, last.less);
    counted_to_ = last.counted_to;
  }
  inboxes_.clear();
  order_.clear();
  senders_ = 0;
}

}  // namespace sluice::hub::store
