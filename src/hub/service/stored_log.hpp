#pragma once

#include <cstdint>
#include <vector>

#include "hub/gateway/ids.hpp"
#include "hub/gateway/message_log.hpp"
#include "hub/store/reader.hpp"
#include "hub/store/store.hpp"

namespace sluice::hub::service {

/// One shard's log: the store that all of them write to, and a reader of its own.
class StoredLog final : public MessageLog {
 public:
  /// The store outlives it. `durable`: what is committed outlives the process.
  StoredLog(ShardId shard, store::Store& store, store::Reader reader, bool durable)
      : shard_(shard), store_(store), reader_(std::move(reader)), durable_(durable) {}

  [[nodiscard]] Result<wire::hub::Position> head(const wire::hub::Conversation& of) override;
  [[nodiscard]] Result<std::vector<wire::hub::Position>> history(const wire::hub::Conversation& of) override;
  [[nodiscard]] bool knows(std::uint64_t epoch) const override { return reader_.knows(epoch); }
  [[nodiscard]] Result<LogPage> page(const wire::hub::Conversation& of, wire::hub::Position after,
                                     PageLimits limits) override;
  [[nodiscard]] Status append(SharedMessage message, std::uint64_t ticket) override;
  void acknowledge(const wire::hub::Conversation& inbox, const std::string& device,
                   wire::hub::Position up_to) override;
  [[nodiscard]] Result<wire::hub::Position> acknowledged(const wire::hub::Conversation& inbox,
                                                         const std::string& device) override;
  [[nodiscard]] bool durable() const override { return durable_; }

 private:
  /// When a message expires, by the one's clock and by the other's: the system's may be set meanwhile.
  [[nodiscard]] wire::hub::UnixMs by_store(wire::hub::UnixMs system) const;
  [[nodiscard]] wire::hub::UnixMs by_system(wire::hub::UnixMs store) const;

  ShardId shard_;
  store::Store& store_;
  store::Reader reader_;
  bool durable_;
};

}  // namespace sluice::hub::service
