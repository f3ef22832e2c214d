#pragma once

#include <array>
#include <cstdint>

#include "flow/outbox.hpp"
#include "hub/gateway/shard.hpp"
#include "hub/service/common.hpp"

namespace sluice::hub::service {

/// What a shard has seen of connections that are gone; what those that live add is in their receivers.
struct ShardTotals {
  std::uint64_t opened = 0;
  std::uint64_t welcomed = 0;
  Bytes sent;
  Bytes received;
  std::uint64_t dropped = 0;     ///< Normal messages that a policy gave up.
  std::uint64_t would_drop = 0;  ///< In a dry run.
  std::uint64_t would_cut = 0;

  ShardTotals& operator+=(const ShardTotals& other);
};

/// Adds what one connection did.
void add(ShardTotals& totals, const Connection& connection);

/// Writes a shard's events into the log and counts them.
class ShardEvents final : public ShardObserver {
 public:
  ShardEvents(Common& common, const flow::OutboxLimits& limits) : common_(common), marks_(limits.marks) {}

  void set_limits(const flow::OutboxLimits& limits) { marks_ = limits.marks; }
  [[nodiscard]] const ShardTotals& totals() const { return totals_; }

  void on_opened(const Connection& connection) override;
  void on_welcomed(const Connection& connection) override;
  void on_ended(const Connection& connection, const wire::hub::Ended& how, std::string_view message) override;
  void on_refused(const Connection& connection, wire::hub::Reason reason) override;

 private:
  Common& common_;
  flow::Watermarks marks_;
  ShardTotals totals_;
};

}  // namespace sluice::hub::service
