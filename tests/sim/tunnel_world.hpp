#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peer/tunnel/session.hpp"
#include "simulated_app.hpp"
#include "simulated_link.hpp"
#include "timeline.hpp"

namespace sluice::sim {

/// One connection through the tunnel: who is at its ends, and what happens to it.
struct ConnectionPlan {
  AppPlan client;
  AppPlan target;
  Duration start{};
  Duration dial{};  ///< How long the target takes to answer.
  bool dial_fails = false;
};

/// One run: two sessions, the link between them, applications at both ends, and what befalls them.
struct RunPlan {
  LinkPlan to_host;
  LinkPlan to_client;
  tunnel::SessionOptions client;
  tunnel::SessionOptions host;
  std::vector<ConnectionPlan> connections;
  std::optional<Duration> link_dies;
  std::optional<Duration> link_stalls;
  Duration drain{};        ///< When one of the ends stops,
  Duration drain_limit{};  ///< and how long it lets connections finish.
  bool host_drains = false;
};

/// Everything about a run follows from its seed.
[[nodiscard]] RunPlan plan_for(Dice& dice);

/// One end of the simulated tunnel: a session with the least of shells around it.
class TunnelEnd final : private tunnel::SessionShell, private transport::LinkListener {
 public:
  TunnelEnd(tunnel::Role role, Timeline& timeline, SimulatedLink& link, tunnel::SessionOptions options,
            std::vector<std::shared_ptr<SimulatedApp>>& apps, const std::vector<ConnectionPlan>& plans);

  void start();
  void open(std::uint32_t connection);
  void drain(Duration limit);
  [[nodiscard]] const tunnel::Session& session() const { return session_; }
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  [[nodiscard]] std::size_t dials() const { return dials_.size(); }

 private:
  void dial(wire::SocketId id, const tunnel::Target& target) override;
  void forget_dial(wire::SocketId id) override;
  void on_stream_end(wire::SocketId, const tunnel::StreamEnd&) override {}
  void on_ignored(wire::SocketId, tunnel::Ignored) override {}
  void on_message(ByteView message) override;
  void on_buffered_amount_low() override;
  void on_closed(const Error& reason) override;

  void dial_answered(wire::SocketId id, std::uint32_t connection);
  void attach(wire::SocketId id, const std::shared_ptr<SimulatedApp>& app);
  void after_input();
  void check();
  static tunnel::Targets targets(std::size_t count);

  tunnel::Role role_;
  Timeline& timeline_;
  SimulatedLink& link_;
  std::vector<std::shared_ptr<SimulatedApp>>& apps_;
  const std::vector<ConnectionPlan>& plans_;
  tunnel::Session session_;
  std::map<wire::SocketId, std::uint32_t> dials_;
  std::optional<TimePoint> armed_;
  bool turn_planned_ = false;
  std::vector<std::string> complaints_;
};

/// What became of a run.
struct Outcome {
  std::vector<std::string> complaints;  ///< What was wrong; nothing when all was well.
  tunnel::SessionStats client;
  tunnel::SessionStats host;
  Errc client_end = Errc::closed;
  std::size_t finished = 0;  ///< Connections that came to a good end: all bytes, both ways.
};

/// Plays the run of a seed to its end.
[[nodiscard]] Outcome play(std::uint64_t seed);

}  // namespace sluice::sim
