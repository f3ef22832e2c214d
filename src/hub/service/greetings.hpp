#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/admission_limits.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "hub/gateway/ids.hpp"
#include "transport/fair_slots.hpp"

namespace sluice::hub::service {

/// The pending handshakes of the messaging: clients that have been upgraded and not been welcomed yet, on all
/// shards. One that stays silent does not keep the others out: it gives way (`FairSlots`), and has less time
/// the more there are. Those that prove that they resume a session have a part of the slots to themselves,
/// and beyond it compete with everybody.
///
/// Any thread.
class Greetings {
 public:
  struct Limits {
    std::size_t slots = limits::kMaxUnauthenticated;
    /// For the Hello. The longest is also kept by the shard itself.
    transport::Patience hello{.longest = limits::kHubHelloTimeout, .shortest = limits::kShortestPatience};
  };
  explicit Greetings(Limits limits);

  enum class Standing : std::uint8_t { stranger, resumes };
  struct Newcomer {
    ConnectionRef connection;
    std::string_view address;
    Standing standing = Standing::stranger;
  };
  /// Returns those that give way: their shards are to end them, unless they have said their Hello meanwhile.
  [[nodiscard]] std::vector<ConnectionRef> begin(const Newcomer& newcomer, TimePoint now);
  /// Welcomed, or gone. Nothing happens for one that gave way.
  void end(ConnectionRef connection);
  void set_limits(Limits limits);

  [[nodiscard]] std::size_t all() const;
  [[nodiscard]] std::uint64_t gave_way() const;

 private:
  mutable std::mutex mutex_;
  Limits limits_;
  transport::FairSlots strangers_;
  transport::FairSlots resuming_;
  std::uint64_t gave_way_ = 0;
};

}  // namespace sluice::hub::service
