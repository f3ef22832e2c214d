#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/admission_limits.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "hub/gateway/ids.hpp"
#include "hub/gateway/mail.hpp"

namespace sluice::hub {

/// Connections of one shard that were asked for a sign of life because their user has as many as they may
/// have, and another has come (`Users`).
///
/// Pure. One shard. Bounded by the shard's connections: each has one question at a time.
class Probes {
 public:
  /// `heard`: how often something was read from it so far.
  void begin(const mail::Probe& asked, std::uint64_t heard, TimePoint now);

  /// Those of which it is known now whether they live. `look`: how often something was read from a connection
  /// so far; nothing when it is gone, whose end its user's home hears of anyway.
  template <typename Look>
  [[nodiscard]] std::vector<mail::Probed> take_answers(TimePoint now, Look&& look) {
    std::vector<mail::Probed> answers;
    std::erase_if(pending_, [&](const Pending& pending) {
      const std::optional<std::uint64_t> heard = look(pending.connection);
      if (!heard) return true;
      const bool is_alive = *heard != pending.heard;
      if (!is_alive && now - pending.since < limits::kProbeWait) return false;
      answers.push_back({.user = pending.user,
                         .connection = pending.connection,
                         .life = is_alive ? mail::Probed::Life::shown : mail::Probed::Life::none});
      return true;
    });
    return answers;
  }

 private:
  struct Pending {
    ConnectionRef connection;
    std::string user;
    std::uint64_t heard;
    TimePoint since;
  };
  std::vector<Pending> pending_;
};

}  // namespace sluice::hub
