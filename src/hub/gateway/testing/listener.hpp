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
    std::set<std::uint64_t> received{};
    std::set<std::uint64_t> gone{};
    std::set<std::uint64_t> missing{};  ///< Told, and to be pulled.
    /// The next connection begins somewhere else: with everyone's messages later, as none are replayed; with
    /// an inbox that goes on behind what was acknowledged earlier.
    bool begins_elsewhere = false;

    [[nodiscard]] bool knows(std::uint64_t offset) const {
      return received.contains(offset) || gone.contains(offset) || missing.contains(offset);
    }
  };

  /// Another connection; which conversations its Hello does not name a position of, and yet are heard.
  void reconnect(const std::set<Conversation>& unnamed) {
    pull_.reset();
    for (auto& [conversation, known] : known_) known.begins_elsewhere = unnamed.contains(conversation);
  }
  void forget(const Conversation& conversation) {
    known_.erase(conversation);
    if (pull_ && pull_->conversation == conversation) pull_.reset();
  }
  [[nodiscard]] const std::map<Conversation, Known>& known() const { return known_; }
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  [[nodiscard]] bool pulls() const { return pull_.has_value(); }
  [[nodiscard]] std::uint64_t pulled() const { return pulled_; }

  /// To be said, one at a time.
  [[nodiscard]] std::optional<wire::hub::Pull> next_pull() {
    if (pull_) return std::nullopt;
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
    known_.try_emplace(inbox, welcome.inbox);
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
    known->received.insert(offset);
  }

  void on(const wire::hub::Gap& gap) {
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

  void on(const wire::hub::Pulled& pulled) {
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
  std::uint64_t pulled_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace sluice::hub::testing
