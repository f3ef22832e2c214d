#pragma once

#include <atomic>
#include <memory>

#include "core/bytes.hpp"
#include "flow/account.hpp"
#include "flow/shared_rate.hpp"
#include "hub/gateway/cost.hpp"
#include "hub/gateway/settings.hpp"

namespace sluice::hub {

/// What all shards of a hub count together.
struct Ledger {
  explicit Ledger(const GatewaySettings& settings)
      : process(std::make_shared<flow::Account>(settings.memory_limit())),
        parts(std::make_shared<flow::Account>(part_of(settings), process)),
        backlog(std::make_shared<flow::Account>(backlog_of(settings))) {}

  void set_limits(const GatewaySettings& settings) const {
    process->set_limit(settings.memory_limit());
    parts->set_limit(part_of(settings));
    backlog->set_limit(backlog_of(settings));
  }

  std::shared_ptr<flow::Account> process;  ///< Bytes that wait anywhere.
  /// Of them, messages that clients have not finished: a part of all, so that these leave room for others.
  std::shared_ptr<flow::Account> parts;
  /// What is still to be handed out, as bytes times receivers.
  std::shared_ptr<flow::Account> backlog;

 private:
  static Bytes backlog_of(const GatewaySettings& settings) {
    return settings.memory_enabled ? limits::kFanoutBacklog : Bytes::max();
  }
  static Bytes part_of(const GatewaySettings& settings) { return settings.memory_limit() / 4; }
};

/// What all connections of one user have together, on whichever shard they are.
struct UserShare {
  UserShare(const GatewaySettings& settings, const Ledger& ledger)
      : memory(std::make_shared<flow::Account>(settings.user_memory, ledger.process)),
        sent(std::make_shared<flow::Account>(settings.user_memory, ledger.process)),
        parts(std::make_shared<flow::Account>(settings.user_memory, ledger.parts)),
        backlog(std::make_shared<flow::Account>(Bytes::max(), ledger.backlog)),
        messages(settings.per_user.messages),
        bytes(settings.per_user.bytes),
        cost(cost::rate(settings.per_user)) {}

  /// A new one would be no different.
  [[nodiscard]] bool owes_nothing(TimePoint now) const {
    return messages.is_full(now) && bytes.is_full(now) && cost.is_full(now);
  }
  void set_memory(Bytes limit) {
    for (const auto* account : {&memory, &sent, &parts}) (*account)->set_limit(limit);
  }
  /// Any thread.
  void set_rates(const Rates& rates, TimePoint now) {
    while (setting_.test_and_set(std::memory_order_acquire)) {
    }
    messages.set_rate(rates.messages, now);
    bytes.set_rate(rates.bytes, now);
    cost.set_rate(cost::rate(rates), now);
    setting_.clear(std::memory_order_release);
  }

  std::shared_ptr<flow::Account> memory;   ///< What waits for them.
  std::shared_ptr<flow::Account> sent;     ///< What they have sent and no conversation has taken yet.
  std::shared_ptr<flow::Account> parts;    ///< Messages of theirs that are unfinished, of `Ledger::parts`.
  std::shared_ptr<flow::Account> backlog;  ///< What of theirs is to be handed out, of `Ledger::backlog`.
  flow::SharedRate messages;
  flow::SharedRate bytes;
  flow::SharedRate cost;  ///< Of everything that its connections say, in tokens of `cost.hpp`.

 private:
  std::atomic_flag setting_{};  ///< Held for the few instructions that it takes.
};

}  // namespace sluice::hub
