#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "api/descriptor_plan.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "flow/pool.hpp"
#include "peer/tunnel/session.hpp"
#include "transport/webrtc/options.hpp"

namespace sluice::api {

/// What the sessions of a host or a forward share of their process: descriptors and memory, each bounded over
/// all sessions, with a share for each of them (`flow::Pool`).
class TunnelResources {
 public:
  struct Bounds {
    Bytes memory = limits::kTunnelMemory;  ///< What may wait in all sessions together.
    std::size_t sessions = limits::kMaxSessions;
  };
  /// Takes a look at the process's limit, which is to be raised before, and at what it has open now.
  TunnelResources(const webrtc::Options& ice, const Bounds& bounds);

  [[nodiscard]] tunnel::SessionOptions session_options() const;
  /// Why there is no room for one more session beside those that there are; nothing: there is. For the
  /// client, with the code `busy`.
  [[nodiscard]] std::optional<Error> rejection(std::size_t sessions) const;

 private:
  DescriptorPlan plan_;
  std::size_t sessions_by_memory_;
  std::shared_ptr<flow::Pool> descriptors_;
  std::shared_ptr<flow::Pool> memory_;
};

}  // namespace sluice::api
