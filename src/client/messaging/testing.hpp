#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "wire/hub/message.hpp"

/// A hub as docs/wire/hub.md has it, for one client, without sockets and shards: what it numbers, drops,
/// repeats and forgets is written down, so that a test can hold the client's view against it.
namespace sluice::messaging::testing {

using namespace wire::hub;

inline Conversation inbox() {
  return {.kind = Conversation::Kind::user, .name = "me"};
}
inline Conversation group(std::string name) {
  return {.kind = Conversation::Kind::group, .name = std::move(name)};
}

class ModelHub {
 public:
  explicit ModelHub(std::uint64_t seed) : random_(seed) {}

  std::size_t most_waiting = 1'000;  ///< Deliveries that wait for the client; then they are dropped.
  unsigned refuse_one_in = 0;        ///< Publishes; 0: none.

  [[nodiscard]] bool connected() const { return connected_; }
  void connect() {
    connected_ = true;
    welcomed_ = false;
    said_.clear();
    normal_.clear();
    drops_.clear();
    listens_.clear();
    sent_ = acked_ = last_seq_ = answered_ = 0;
    counted_.clear();
  }
  /// Whatever was on its way is gone.
  void hang_up() { connected_ = false; }
  void forget_session() { session_known_ = false; }
  /// It starts again: sessions are forgotten, ids too; what is stored stays.
  void begin_epoch() {
    hang_up();
    forget_session();
    ++epoch_;
  }

  /// Somebody publishes.
  void others_say(const Conversation& to) { append(to, "other", "o" + std::to_string(++others_)); }

  void hear(FromClient message) {
    if (!connected_) return;
    std::visit([this](auto& one) { on(one); }, message);
  }

  /// The next envelope on its way to the client.
  std::optional<FromHub> next() {
    if (!connected_) return std::nullopt;
    tell_gaps();
    auto& from = said_.empty() ? normal_ : said_;
    if (from.empty()) return std::nullopt;
    FromHub first = std::move(from.front());
    from.pop_front();
    if (const auto* delivery = std::get_if<Delivery>(&first)) {
      counted_.push_back({++sent_, delivery->to, delivery->position});
    } else if (std::holds_alternative<Gap>(first)) {
      ++sent_;
    }
    return first;
  }

  [[nodiscard]] const std::vector<Delivery>& log(const Conversation& of) { return logs_[of]; }
  [[nodiscard]] bool has(const std::string& id) const { return ids_.contains(id); }
  [[nodiscard]] const std::set<std::string>& refused() const { return refused_; }
  [[nodiscard]] std::uint64_t acked() const { return acked_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  struct Counted {
    std::uint64_t seq;
    Conversation of;
    Position position;
  };

  bool one_in(unsigned n) { return n != 0 && random_() % n == 0; }
  void say(FromHub message) { said_.push_back(std::move(message)); }

  Position append(const Conversation& to, std::string from, std::string id) {
    auto& log = logs_[to];
    const Position position{.epoch = epoch_, .offset = log.empty() ? 1 : log.back().position.offset + 1};
    Delivery delivery{.from = std::move(from),
                      .to = to,
                      .id = std::move(id),
                      .position = position,
                      .content = {.kind = Content::Kind::text, .bytes = "x"}};
    log.push_back(delivery);
    if (connected_ && listens_.contains(to)) {
      if (normal_.size() >= most_waiting) {
        drops_[to].push_back(position);
      } else {
        normal_.emplace_back(std::move(delivery));
      }
    }
    return position;
  }

  /// Ahead of what waits, and at some time: as the hub's critical class does it.
  void tell_gaps() {
    if (drops_.empty() || !one_in(3)) return;
    for (auto& [of, positions] : drops_) {
      for (std::size_t i = 0; i < positions.size();) {
        std::size_t end = i + 1;
        while (end < positions.size() && positions[end].offset == positions[end - 1].offset + 1) ++end;
        say(Gap{.conversation = of,
                .epoch = positions[end - 1].epoch,
                .first = positions[i].offset,
                .last = positions[end - 1].offset,
                .count = end - i,
                .reason = Reason::dropped_newest});
        i = end;
      }
    }
    drops_.clear();
  }

  void replay(const Conversation& of, Position after) {
    for (Delivery delivery : logs_[of]) {
      if (delivery.position <= after) continue;
      delivery.replayed = true;
      normal_.emplace_back(std::move(delivery));
    }
  }
  void listen(const Conversation& to, std::optional<Position> after) {
    listens_.insert(to);
    if (after) replay(to, *after);
  }

  void on(Hello& hello) {
    EXPECT_FALSE(welcomed_) << "a second hello";
    welcomed_ = true;
    const bool resumed = hello.resume && session_known_ && hello.resume->session_token == "secret";
    session_known_ = true;
    say(Welcome{
        .user = "me", .session = "s", .session_token = "secret", .epoch = epoch_, .resumed = resumed});
    std::optional<Position> after;
    if (resumed) {
      for (const PositionIn& place : hello.resume->positions) {
        if (place.conversation == inbox()) after = place.position;
        if (place.conversation.kind == Conversation::Kind::group) join(place.conversation, place.position);
      }
    }
    listen(inbox(), after.value_or(inbox_done_));
  }
  void join(const Conversation& to, std::optional<Position> from) {
    EXPECT_FALSE(listens_.contains(to)) << "joined twice";
    const auto& log = logs_[to];
    say(Joined{.group = to.name, .position = log.empty() ? Position{.epoch = epoch_} : log.back().position});
    listen(to, from);
  }
  void on(Join& wanted) { join(group(wanted.group), wanted.from); }
  void on(Publish& publish) {
    EXPECT_TRUE(welcomed_);
    EXPECT_GT(publish.seq, last_seq_);
    last_seq_ = publish.seq;
    Receipt receipt{.seq = publish.seq, .id = publish.id, .level = publish.level};
    if (const auto known = ids_.find(publish.id); known != ids_.end()) {
      receipt.duplicate = true;
      receipt.position = known->second;
      say(receipt);
    } else if (one_in(refuse_one_in)) {
      receipt.reason = Reason::rate_limited;
      refused_.insert(publish.id);
      say(receipt);
    } else {
      receipt.position = append(publish.to, "me", publish.id);
      ids_[publish.id] = receipt.position;
      if (publish.level != Level::accepted) say(receipt);
    }
    if (!one_in(3)) say(Ack{.seq = last_seq_});
    unacked_publishes_ = true;
  }
  void on(Ack& ack) {
    EXPECT_LE(ack.seq, sent_) << "it acknowledges what it was never sent";
    EXPECT_GE(ack.seq, acked_);
    acked_ = ack.seq;
    for (; !counted_.empty() && counted_.front().seq <= ack.seq; counted_.pop_front()) {
      if (counted_.front().of == inbox()) inbox_done_ = std::max(inbox_done_, counted_.front().position);
    }
  }
  void on(Pull& pull) {
    Pulled pulled{.conversation = pull.conversation, .last = {.epoch = pull.epoch, .offset = pull.first - 1}};
    std::size_t count = 0;
    for (Delivery delivery : logs_[pull.conversation]) {
      if (delivery.position.offset < pull.first || delivery.position.offset > pull.last) continue;
      if (++count > 3) {
        pulled.more = true;
        break;
      }
      pulled.last = delivery.position;
      delivery.replayed = true;
      normal_.emplace_back(std::move(delivery));
    }
    normal_.emplace_back(pulled);
  }
  template <typename Other>
  void on(Other& /*other*/) {}

 public:
  /// As the hub does after each turn: what is accepted is acknowledged.
  void acknowledge_publishes() {
    if (connected_ && std::exchange(unacked_publishes_, false)) say(Ack{.seq = last_seq_});
  }

 private:
  std::mt19937_64 random_;
  std::uint64_t epoch_ = 3;
  std::map<Conversation, std::vector<Delivery>> logs_;
  std::map<std::string, Position> ids_;
  std::set<std::string> refused_;
  Position inbox_done_{};
  bool session_known_ = false;
  std::uint64_t others_ = 0;
  bool connected_ = false;
  bool welcomed_ = false;
  bool unacked_publishes_ = false;
  std::deque<FromHub> said_;  ///< Critical: goes first.
  std::deque<FromHub> normal_;
  std::map<Conversation, std::vector<Position>> drops_;
  std::set<Conversation> listens_;
  std::deque<Counted> counted_;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t last_seq_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace sluice::messaging::testing
