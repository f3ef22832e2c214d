#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "wire/hub/message.hpp"

namespace sluice::hub::testing {

/// What one client's program knows of the conversations that it listens to, over all its connections, going
/// by `docs/wire/hub.md` alone: the last that it heard of each is where it goes on from, and what it was told
/// as missing is pulled. Writes down whatever a hub must not do. For tests.
class Listener {
 public:
  using Conversation = wire::hub::Conversation;
  using Position = wire::hub::Position;

  struct Known {
    explicit Known(Position from) : begin(from.offset), position(from), complete(from.offset) {}

    std::uint64_t begin;     ///< Nothing up to there is of interest.
    Position position;       ///< What was heard last, which it goes on from.
    std::uint64_t complete;  ///< Something is known of each up to there, and perhaps further.
    std::map<std::uint64_t, std::string> received{};  ///< By offset: their ids.
    std::set<std::uint64_t> gone{};
    std::set<std::uint64_t> missing{};  ///< Told, and to be pulled.
    /// The next connection begins somewhere else: with everyone's messages later, as none are replayed; with
    /// an inbox that goes on behind what was acknowledged earlier.
    bool begins_elsewhere = false;

    [[nodiscard]] bool knows(std::uint64_t offset) const {
      return received.contains(offset) || gone.contains(offset) || missing.contains(offset);
    }
    /// The history is another one behind a position.
    void go_on_from(Position from) {
      received.erase(received.upper_bound(from.offset), received.end());
      for (auto* const offsets : {&gone, &missing})
        offsets->erase(offsets->upper_bound(from.offset), offsets->end());
      begin = std::min(begin, from.offset);
      complete = std::min(complete, from.offset);
      position = from;
      begins_elsewhere = false;
    }
  };

  /// Another connection; which conversations its Hello does not name a position of, and yet are heard.
  void reconnect(const std::set<Conversation>& unnamed) {
    pull_.reset();
    outdated_.reset();
    for (auto& [conversation, known] : known_) {
      const bool is_all_that_is_kept = known.position == Position{};
      known.begins_elsewhere = unnamed.contains(conversation) || is_all_that_is_kept;
    }
  }
  void forget(const Conversation& conversation) {
    known_.erase(conversation);
    if (pull_ && pull_->conversation == conversation) pull_.reset();
  }
  [[nodiscard]] const std::map<Conversation, Known>& known() const { return known_; }
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  [[nodiscard]] bool pulls() const { return pull_.has_value(); }
  [[nodiscard]] std::uint64_t pulled() const { return pulled_; }
  /// How often it was told that the history is another one.
  [[nodiscard]] std::uint64_t histories() const { return histories_; }

  /// To be said, one at a time.
  [[nodiscard]] std::optional<wire::hub::Pull> next_pull() {
    if (pull_ || outdated_) return std::nullopt;
    for (const auto& [conversation, known] : known_) {
      if (known.missing.empty() || known.begins_elsewhere) continue;
      const std::uint64_t first = *known.missing.begin();
      if (first > known.position.offset) continue;  // it may still come by itself
      std::uint64_t last = first;
      while (last < known.position.offset && known.missing.contains(last + 1)) ++last;
      pull_ = {.conversation = conversation, .epoch = known.position.epoch, .first = first, .last = last};
      return pull_;
    }
    return std::nullopt;
  }

  void hear(const wire::hub::FromHub& message) {
    std::visit([this](const auto& what) { on(what); }, message);
  }

 private:
  template <typename Other>
  void on(const Other&) {}

  void on(const wire::hub::Welcome& welcome) {
    const Conversation inbox{.kind = Conversation::Kind::user, .name = welcome.user};
    const auto known = known_.find(inbox);
    if (known == known_.end()) {
      known_.emplace(inbox, welcome.inbox);
    } else if (!welcome.resumed) {
      // A hub that does not know the session goes on from where it sees fit.
      known->second = Known{{}};
      known->second.begins_elsewhere = true;
    }
  }
  void on(const wire::hub::Joined& joined) {
    known_.try_emplace(Conversation{.kind = Conversation::Kind::group, .name = joined.group},
                       joined.position);
  }

  void on(const wire::hub::Delivery& delivery) {
    const std::uint64_t offset = delivery.position.offset;
    Known* const known = find(delivery.to, offset);
    if (known == nullptr) return;
    if (is_pulled(delivery.to, *known, offset)) {
      if (!delivery.replayed || !known->missing.erase(offset))
        complain(delivery.to, offset, "came twice, or out of order");
      ++pulled_;
    } else {
      catch_up(delivery.to, *known, offset);
      known->position = delivery.position;
      known->missing.erase(offset);
    }
    known->received.insert_or_assign(offset, delivery.id);
  }

  void on(const wire::hub::Gap& gap) {
    if (gap.reason == wire::hub::Reason::history_changed) return on_history_changed(gap);
    Known* const known = find(gap.conversation, gap.first);
    if (known == nullptr) return;
    const bool exact = gap.count == gap.last - gap.first + 1;
    if (gap.gone && !exact) complain(gap.conversation, gap.first, "is gone, and yet it is not clear what");
    const bool pulled = gap.gone && is_pulled(gap.conversation, *known, gap.last);
    if (!pulled) catch_up(gap.conversation, *known, gap.first);
    for (std::uint64_t offset = gap.first; offset <= gap.last; ++offset) {
      if (known->received.contains(offset)) continue;
      known->missing.erase(offset);
      (gap.gone ? known->gone : known->missing).insert(offset);
    }
    if (!pulled && exact) known->position = {.epoch = gap.epoch, .offset = gap.last};
  }

  void on_history_changed(const wire::hub::Gap& gap) {
    const auto found = known_.find(gap.conversation);
    if (!gap.from && histories_ > 0) return;  // it was pulled before it was known to be of another history
    if (found == known_.end() || !gap.from)
      return complain(gap.conversation, gap.last,
                      "is of another history, though it was heard of in this one");
    Known& known = found->second;
    if (gap.from->offset > known.position.offset)
      complain(gap.conversation, gap.from->offset, "is further than one has come");
    known.go_on_from(*gap.from);
    ++histories_;
    if (!pull_ || pull_->conversation != gap.conversation) return;
    if (pull_->first > gap.from->offset) {
      outdated_ = std::exchange(pull_, std::nullopt);
    } else {
      pull_->last = std::min(pull_->last, gap.from->offset);
    }
  }

  void on(const wire::hub::Pulled& pulled) {
    if (outdated_ && outdated_->conversation == pulled.conversation) return outdated_.reset();
    if (!pull_ || pull_->conversation != pulled.conversation)
      return complain(pulled.conversation, 0, "was not pulled");
    const Known& known = known_.at(pulled.conversation);
    const std::uint64_t last = pulled.more ? pulled.last.offset : pull_->last;
    for (std::uint64_t offset = pull_->first; offset <= last; ++offset) {
      if (known.missing.contains(offset))
        complain(pulled.conversation, offset, "was pulled, and neither came nor is gone");
    }
    pull_.reset();
  }
  void on(const wire::hub::Refusal& refusal) {
    if (pull_ && pull_->conversation.name == refusal.group) pull_.reset();
    if (outdated_ && outdated_->conversation.name == refusal.group) outdated_.reset();
  }

  Known* find(const Conversation& conversation, std::uint64_t offset) {
    const auto found = known_.find(conversation);
    if (found != known_.end()) return &found->second;
    // Whoever is welcome listens to everyone: from the first that is heard of it.
    if (conversation.kind == Conversation::Kind::all)
      return &known_.try_emplace(conversation, Position{.epoch = 0, .offset = offset - 1}).first->second;
    complain(conversation, offset, "came without being asked for");
    return nullptr;
  }

  [[nodiscard]] bool is_pulled(const Conversation& conversation, const Known& known,
                               std::uint64_t offset) const {
    return pull_ && pull_->conversation == conversation && offset >= pull_->first && offset <= pull_->last &&
           offset <= known.position.offset;
  }

  /// Everything before it is known, and it is behind what was heard last.
  void catch_up(const Conversation& conversation, Known& known, std::uint64_t offset) {
    if (std::exchange(known.begins_elsewhere, false)) {
      if (conversation.kind == Conversation::Kind::all) {
        for (std::uint64_t missed = known.position.offset + 1; missed < offset; ++missed)
          known.missing.insert(missed);
      } else if (known.received.empty()) {
        known = Known{{.epoch = known.position.epoch, .offset = offset - 1}};  // the first that is kept
      } else {
        known.position.offset = std::min(known.position.offset, offset - 1);
      }
    }
    if (offset <= known.position.offset) complain(conversation, offset, "came twice, or out of order");
    while (known.knows(known.complete + 1)) ++known.complete;
    if (known.complete + 1 < offset) {
      complain(conversation, known.complete + 1, "was passed over without a word");
      known.complete = offset - 1;
    }
  }

  void complain(const Conversation& conversation, std::uint64_t offset, std::string_view what) {
    complaints_.push_back(fmt::format("{} {} of '{}' {}", static_cast<int>(conversation.kind), offset,
                                      conversation.name, what));
  }

  std::map<Conversation, Known> known_;
  std::optional<wire::hub::Pull> pull_;
  std::optional<wire::hub::Pull> outdated_;  ///< It is under way, and of a history that is no more.
  std::uint64_t pulled_ = 0;
  std::uint64_t histories_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace sluice::hub::testing
