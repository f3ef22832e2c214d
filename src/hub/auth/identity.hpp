#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/hub/message.hpp"

namespace sluice::hub::auth {

/// What a user may do. Patterns as in `core/pattern.hpp`.
struct Rights {
  std::vector<std::string> publish{};  ///< Groups.
  std::vector<std::string> join{};     ///< Groups; joining includes to read their log.
  std::vector<std::string> users{};    ///< Whom one may send to, and ask.
  bool all = false;                    ///< To send to everyone.
  bool admin = false;

  /// What an open hub grants: everything but administration.
  [[nodiscard]] static Rights of_everyone();

  [[nodiscard]] bool may_publish(const wire::hub::Conversation& to) const;
  [[nodiscard]] bool may_join(std::string_view group) const;
  [[nodiscard]] bool may_ask(std::string_view user) const;
};

/// Who somebody is, for as long as their token is good.
struct Identity {
  std::string user;
  Rights rights{};
  wire::hub::UnixMs expires_at = 0;  ///< 0: never.
};

}  // namespace sluice::hub::auth
