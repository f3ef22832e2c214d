#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "flow/outbox.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// How the messages of some conversations are treated.
struct Route {
  /// `user:NAME`, `group:NAME` or `all`; a `*` in NAME stands for any run of characters.
  std::string match;
  flow::Urgency urgency = flow::Urgency::normal;
  flow::DropPolicy policy = flow::DropPolicy::oldest;
  bool stored = true;  ///< In the conversation's log, for those who come back.
  std::optional<Duration>
      ttl{};  ///< What a sender may ask for at the most; absent: as long as the log keeps it.

  bool operator==(const Route&) const = default;
};

/// The first route that matches decides; the built-in ones stand behind those that were configured.
class Routes {
 public:
  explicit Routes(std::vector<Route> configured = {});
  [[nodiscard]] const Route& of(const wire::hub::Conversation& conversation) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace sluice::hub
