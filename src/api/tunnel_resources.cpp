#include "api/tunnel_resources.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "observe/log.hpp"
#include "transport/webrtc/descriptors.hpp"

namespace sluice::api {
namespace {

DescriptorPlan plan_for(const webrtc::Options& ice, std::size_t sessions) {
  DescriptorNeeds needs = descriptors_now();
  needs.per_session = webrtc::descriptors_for(ice);
  needs.sessions = sessions;
  const DescriptorPlan plan = plan_descriptors(needs);
  observe::log(observe::LogLevel::debug, "tunnel", [&] {
    return fmt::format("of {} descriptors {} are for connections and {} for each of {} peers", needs.limit,
                       plan.streams, needs.per_session, plan.sessions);
  });
  return plan;
}

/// How many sessions the part of the memory that is set aside for them is enough for.
std::size_t sessions_in(Bytes memory, std::size_t most) {
  return std::min<std::size_t>(
      most, (memory / limits::kSessionMemoryPart).count() / limits::kSessionMemory.count());
}

}  // namespace

TunnelResources::TunnelResources(const webrtc::Options& ice, const Bounds& bounds)
    : plan_(plan_for(ice, bounds.sessions)),
      sessions_by_memory_(sessions_in(bounds.memory, plan_.sessions)),
      descriptors_(std::make_shared<flow::Pool>(
          flow::PoolOptions{.capacity = plan_.streams, .sessions = plan_.sessions})),
      memory_(std::make_shared<flow::Pool>(flow::PoolOptions{
          .capacity = (bounds.memory - limits::kSessionMemory * sessions_by_memory_).count(),
          .sessions = sessions_by_memory_})) {}

tunnel::SessionOptions TunnelResources::session_options() const {
  tunnel::SessionOptions options;
  options.descriptors = descriptors_;
  options.budget.memory = memory_;
  return options;
}

std::optional<Error> TunnelResources::rejection(std::size_t sessions) const {
  if (sessions >= plan_.sessions) {
    return Error{.code = Errc::busy,
                 .message = fmt::format("The host has no descriptors left for one more client: it serves {} "
                                        "(its `ulimit -n` decides).",
                                        sessions)};
  }
  if (sessions >= sessions_by_memory_) {
    return Error{.code = Errc::busy,
                 .message = fmt::format("The host has no memory left for one more client: it serves {} (its "
                                        "--memory-limit decides).",
                                        sessions)};
  }
  return std::nullopt;
}

}  // namespace sluice::api
