#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "hub/mailbox.hpp"

namespace sluice::hub {
namespace {

using namespace std::chrono_literals;
using namespace literals;

constexpr MailboxLimits kLimits{.mailboxes = 6,
                                .mailboxes_per_address = 2,
                                .life = 25s,
                                .introduction = 15s,
                                .introduction_messages = 8,
                                .introduction_bytes = 200_B,
                                .placeless = {.longest = 30s, .shortest = 5s},
                                .waiters = 15,
                                .first_message = 10s,
                                .visitor_yields = 500ms,
                                .request_burst = 5,
                                .request_interval = 500ms,
                                .tries = {.burst = 3, .interval = 5s, .max_tracked = 4},
                                .numbers = {.time = 60s, .max_resting = 10}};

/// Clients that do anything at any time, and a model of who is where, kept only from what the hub told them.
class Simulation {
 public:
  explicit Simulation(unsigned seed)
      : dice_(seed), mailboxes_(kLimits, [this](std::uint32_t bound) { return roll(bound); }) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) step();
    while (!clients_.empty()) leave(clients_.begin()->first);
    EXPECT_EQ(mailboxes_.size(), 0U);
    EXPECT_EQ(mailboxes_.connections(), 0U);
    EXPECT_EQ(mailboxes_.next_deadline(), std::nullopt);
  }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t introductions() const { return mailboxes_.introductions(); }
  [[nodiscard]] std::uint64_t denied(Denial why) const { return mailboxes_.denied(why); }

 private:
  struct Client {
    std::string block;
    std::string mailbox;  ///< As the hub last said; empty without a place.
    bool host = false;
    std::string wanted;  ///< What it asked to join.
  };

  std::uint32_t roll(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>{0, bound - 1}(dice_);
  }

  ConnectionId anyone() {
    return std::next(clients_.begin(), roll(static_cast<std::uint32_t>(clients_.size())))->first;
  }

  std::string any_mailbox() {
    if (roll(8) == 0) return std::to_string(1 + roll(30));
    const Client& client = clients_.at(anyone());
    return client.mailbox.empty() ? "1" : client.mailbox;
  }

  void step() {
    now_ += std::chrono::milliseconds{roll(roll(10) == 0 ? 10'000 : 200)};
    const auto dice = roll(100);
    if (clients_.empty() || (dice < 12 && clients_.size() < 40)) {
      const ConnectionId id{++last_};
      clients_[id].block = std::to_string(roll(6));
      obey(mailboxes_.connected(id, clients_[id].block, now_), std::nullopt);
    } else if (dice < 17) {
      leave(anyone());
    } else if (dice < 22) {
      obey(mailboxes_.expire(now_), std::nullopt);
    } else if (dice < 23) {
      obey(mailboxes_.malformed(anyone(), "no", now_), std::nullopt);
    } else {
      const ConnectionId id = anyone();
      const Request request = any_request(clients_.at(id));
      obey(mailboxes_.handle(id, request, now_), id);
      if (std::holds_alternative<Burn>(request) && clients_.contains(id)) clients_.at(id).mailbox.clear();
    }
    check();
  }

  Request any_request(Client& from) {
    switch (roll(from.mailbox.empty() && roll(4) != 0 ? 4 : 16)) {
      case 0:
        return Open{};
      case 1:
        return Open{.name = std::string(32, static_cast<char>('a' + roll(4)))};
      case 2:
        return Join{.mailbox = from.wanted = any_mailbox()};
      case 3:
        return Join{.mailbox = from.wanted = any_mailbox()};
      case 4:
        return Burn{};
      case 5:
        return Release{};
      case 6:
        return Ping{};
      // The body says where it comes from, which is how a message that strays is seen.
      default:
        return Relay{.body = from.mailbox, .introduction = {}};
    }
  }

  void leave(ConnectionId id) {
    clients_.erase(id);
    obey(mailboxes_.disconnected(id, LeaveReason::left, now_), std::nullopt);
  }

  void obey(const MailboxActions& actions, std::optional<ConnectionId> asker) {
    for (const auto& action : actions) {
      if (const auto* close = std::get_if<Close>(&action)) {
        ASSERT_EQ(clients_.erase(close->who), 1U);
        continue;
      }
      const auto& send = std::get<Send>(action);
      ASSERT_TRUE(clients_.contains(send.to)) << "a word to somebody who is gone";
      hear(send, asker);
    }
  }

  void hear(const Send& send, std::optional<ConnectionId> asker) {
    Client& to = clients_.at(send.to);
    if (const auto* opened = std::get_if<Opened>(&send.reply)) {
      ASSERT_TRUE(to.mailbox.empty());
      to.mailbox = opened->mailbox;
      to.host = true;
    } else if (std::holds_alternative<Joined>(send.reply)) {
      ASSERT_TRUE(to.mailbox.empty());
      to.mailbox = to.wanted;
      to.host = false;
    } else if (const auto* delivered = std::get_if<Delivered>(&send.reply)) {
      ++delivered_;
      ASSERT_TRUE(asker && *asker != send.to);
      ASSERT_FALSE(to.mailbox.empty());
      ASSERT_EQ(delivered->body, to.mailbox) << "a message from another mailbox";
    } else if (std::holds_alternative<PeerLeft>(send.reply)) {
      if (!to.host) to.mailbox.clear();
    } else if (std::holds_alternative<Expired>(send.reply)) {
      to.mailbox.clear();
    }
  }

  void check() {
    std::map<std::string, std::pair<int, int>> places;  // hosts, visitors
    std::map<std::string, std::size_t> blocks;
    for (auto& [id, client] : clients_) {
      if (client.mailbox.empty()) continue;
      ++(client.host ? places[client.mailbox].first : places[client.mailbox].second);
      if (client.host) ++blocks[client.block];
    }
    for (const auto& [mailbox, count] : places) {
      EXPECT_LE(count.first, 1) << mailbox;
      EXPECT_LE(count.second, 1) << mailbox;
    }
    for (const auto& [block, count] : blocks) EXPECT_LE(count, kLimits.mailboxes_per_address);
    EXPECT_LE(mailboxes_.size(), kLimits.mailboxes);
    EXPECT_EQ(mailboxes_.connections(), clients_.size());
  }

  std::mt19937 dice_;
  Mailboxes mailboxes_;
  std::map<ConnectionId, Client> clients_;
  std::uint64_t last_ = 0;
  std::uint64_t delivered_ = 0;
  TimePoint now_{};
};

TEST(MailboxesSimulation, KeepsItsPromisesWhateverClientsDo) {
  std::uint64_t delivered = 0;
  std::map<Denial, std::uint64_t> denied;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation simulation{seed};
    simulation.run(400);
    ASSERT_FALSE(HasFailure());
    delivered += simulation.delivered();
    for (std::size_t i = 0; i < kDenials; ++i) {
      denied[static_cast<Denial>(i)] += simulation.denied(static_cast<Denial>(i));
    }
  }
  EXPECT_GT(delivered, 1000U);
  for (const auto& [why, count] : denied) {
    if (why == Denial::stale || why == Denial::too_slow) continue;  // never said here
    EXPECT_GT(count, 0U) << name_of(why) << " was never reached";
  }
}

}  // namespace
}  // namespace sluice::hub
