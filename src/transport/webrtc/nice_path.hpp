#pragma once

#include "transport/webrtc/datagram_batch.hpp"
#include "transport/webrtc/datagram_path.hpp"
#include "transport/webrtc/ice_agent.hpp"

namespace sluice::webrtc {

/// Sends through the ICE library: for relayed pairs, for kernels without GSO, and when nothing else is
/// wanted. What comes in reaches the receiver from the agent itself. The agent outlives the path.
class NicePath final : public DatagramPath {
 public:
  NicePath(IceAgent& agent, transport::Path info) : agent_(agent), info_(std::move(info)) {}

  void send(ByteView datagram) override {
    if (batch_.add(datagram) == DatagramBatch::Added::refused) ++stats_.dropped_backlog;
  }

  /// The library does not say how its datagrams travel, so none is promised to.
  void send_whole(ByteView /*datagram*/) override {}
  [[nodiscard]] std::optional<Bytes> link_mtu() const override { return std::nullopt; }

  /// What the library does not take waits for the next flush, which comes with the next tick at the latest.
  void flush() override {
    if (batch_.empty()) return;
    ++stats_.send_calls;
    const std::size_t taken = agent_.send(batch_.bytes(), batch_.sizes());
    stats_.datagrams_sent += taken;
    batch_.drop_front(taken);
  }

  [[nodiscard]] const transport::Path& info() const override { return info_; }
  [[nodiscard]] const PathStats& stats() const override { return stats_; }

 private:
  IceAgent& agent_;
  transport::Path info_;
  DatagramBatch batch_;
  PathStats stats_;
};

}  // namespace sluice::webrtc
