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

  bool operator==(const Rights&) const = default;

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
  wire::hub::UnixMs issued_at = 0;   ///< 0: not known.
};

/// Who somebody is once they have shown a further token: the rights and the expiry are always those of one
/// token. A token that was issued before the present one changes nothing: it was overtaken on its way, and
/// what was taken from a user since does not come back while the present one is good. Where both are as old,
/// or their age is not known, the one shown last counts, but for the expiry when it grants the same: then the
/// later one stays. Requires that both are of the same user.
[[nodiscard]] Identity refreshed(const Identity& present, const Identity& shown, wire::hub::UnixMs now);

}  // namespace sluice::hub::auth
