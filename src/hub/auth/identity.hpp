#pragma once

#include <cstdint>
#include <optional>
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

/// How much a token lets its user do, in place of the hub's usual; each at least 1. The operator has maxima.
struct Limits {
  std::optional<std::uint64_t> messages_per_second{};  ///< Of one connection, as the next three.
  std::optional<std::uint64_t> message_burst{};
  std::optional<std::uint64_t> bytes_per_second{};
  std::optional<std::uint64_t> byte_burst{};
  std::optional<std::uint64_t> connections{};  ///< Of the user.
  std::optional<std::uint64_t> unanswered{};   ///< Publishes of one connection.

  bool operator==(const Limits&) const = default;
};

/// Who somebody is, for as long as their token is good.
struct Identity {
  std::string user;
  Rights rights{};
  Limits limits{};
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
