#pragma once

#include <memory>

#include "core/bytes.hpp"
#include "flow/account.hpp"
#include "flow/shared_rate.hpp"
#include "hub/gateway/settings.hpp"

namespace sluice::hub {

/// What all shards of a hub count together.
struct Ledger {
  explicit Ledger(const GatewaySettings& settings)
      : process(std::make_shared<flow::Account>(settings.memory_limit())),
        parts(std::make_shared<flow::Account>(part_of(settings), process)) {}

  void set_limits(const GatewaySettings& settings) const {
    process->set_limit(settings.memory_limit());
    parts->set_limit(part_of(settings));
  }

  std::shared_ptr<flow::Account> process;  ///< Bytes that wait anywhere.
  /// Of them, messages that clients have not finished: a part of all, so that these leave room for others.
  std::shared_ptr<flow::Account> parts;
  /// What is still to be handed out, as bytes times receivers.
  std::shared_ptr<flow::Account> backlog = std::make_shared<flow::Account>(limits::kFanoutBacklog);

 private:
  static Bytes part_of(const GatewaySettings& settings) { return settings.memory_limit() / 4; }
};

/// What all connections of one user have together, on whichever shard they are.
struct UserShare {
  UserShare(const GatewaySettings& settings, std::shared_ptr<flow::Account> process)
      : memory(std::make_shared<flow::Account>(settings.user_memory, std::move(process))),
        messages(settings.per_user.messages),
        bytes(settings.per_user.bytes) {}

  /// A new one would be no different.
  [[nodiscard]] bool owes_nothing(TimePoint now) const { return messages.is_full(now) && bytes.is_full(now); }

  std::shared_ptr<flow::Account> memory;
  flow::SharedRate messages;
  flow::SharedRate bytes;
};

}  // namespace sluice::hub
