#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "hub/gateway/ledger.hpp"
#include "hub/service/doorman.hpp"
#include "hub/service/greetings.hpp"
#include "hub/service/session_tokens.hpp"
#include "hub/service/user_shares.hpp"

namespace sluice::hub::service {

class ShardLoop;

/// What all shards of a running hub have together. Any thread.
struct Common {
  Common(const GatewaySettings& settings, SessionTokens session_tokens,
         std::shared_ptr<const auth::Verifier> verifier, std::uint64_t store_epoch,
         Greetings::Limits greeting_limits)
      : ledger(settings),
        shares(settings, ledger),
        tokens(std::move(session_tokens)),
        doorman(std::move(verifier)),
        epoch(store_epoch),
        greetings(greeting_limits) {}

  Ledger ledger;
  UserShares shares;
  SessionTokens tokens;
  Doorman doorman;
  std::uint64_t epoch;
  std::vector<ShardLoop*> loops{};      ///< Fixed once they run.
  std::atomic<std::size_t> sockets{0};  ///< That have not been let go of.
  Greetings greetings;
};

}  // namespace sluice::hub::service
