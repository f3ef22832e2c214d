#include "hub/service/greetings.hpp"

#include <string>

#include "core/ensure.hpp"

namespace sluice::hub::service {
namespace {

using transport::FairSlots;

/// Shards are few, and the ids of one shard's connections count up.
constexpr std::uint64_t kShards = 256;

FairSlots::Id id_of(ConnectionRef connection) {
  ENSURE(connection.shard < kShards);
  return connection.id * kShards + connection.shard;
}

ConnectionRef connection_of(FairSlots::Id id) {
  return {.shard = static_cast<ShardId>(id % kShards), .id = id / kShards};
}

std::size_t kept_for_resuming(std::size_t slots) {
  return slots / static_cast<std::size_t>(limits::kAdmissionResumeShare);
}

}  // namespace

Greetings::Greetings(Limits limits)
    : limits_(limits),
      strangers_(limits.slots - kept_for_resuming(limits.slots)),
      resuming_(kept_for_resuming(limits.slots)) {}

std::vector<ConnectionRef> Greetings::begin(const Newcomer& newcomer, TimePoint now) {
  const auto blocks = transport::address_blocks(std::string{newcomer.address});
  const std::scoped_lock lock{mutex_};
  std::vector<ConnectionRef> give_way;
  for (FairSlots* const slots : {&strangers_, &resuming_}) {
    for (const FairSlots::Id gone : slots->expire(now, limits_.hello))
      give_way.push_back(connection_of(gone));
  }
  const bool has_a_slot = newcomer.standing == Standing::resumes && !resuming_.is_full();
  FairSlots& slots = has_a_slot ? resuming_ : strangers_;
  if (const auto gone = slots.take(id_of(newcomer.connection), blocks, now))
    give_way.push_back(connection_of(*gone));
  gave_way_ += give_way.size();
  return give_way;
}

void Greetings::end(ConnectionRef connection) {
  const std::scoped_lock lock{mutex_};
  strangers_.give_back(id_of(connection));
  resuming_.give_back(id_of(connection));
}

void Greetings::set_limits(Limits limits) {
  const std::scoped_lock lock{mutex_};
  limits_ = limits;
  strangers_.set_slots(limits.slots - kept_for_resuming(limits.slots));
  resuming_.set_slots(kept_for_resuming(limits.slots));
}

std::size_t Greetings::all() const {
  const std::scoped_lock lock{mutex_};
  return strangers_.size() + resuming_.size();
}

std::uint64_t Greetings::gave_way() const {
  const std::scoped_lock lock{mutex_};
  return gave_way_;
}

}  // namespace sluice::hub::service
