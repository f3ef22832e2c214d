#include "hub/auth/identity.hpp"

#include <algorithm>

#include "core/pattern.hpp"

namespace sluice::hub::auth {
namespace {

using wire::hub::Conversation;

bool any_matches(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [name](const std::string& pattern) { return matches(pattern, name); });
}

}  // namespace

Rights Rights::of_everyone() {
  return {.publish = {"*"}, .join = {"*"}, .users = {"*"}, .all = true};
}

bool Rights::may_publish(const Conversation& to) const {
  switch (to.kind) {
    case Conversation::Kind::user:
      return any_matches(users, to.name);
    case Conversation::Kind::group:
      return any_matches(publish, to.name);
    case Conversation::Kind::all:
      return all;
  }
  return false;
}

bool Rights::may_join(std::string_view group) const {
  return any_matches(join, group);
}

bool Rights::may_ask(std::string_view user) const {
  return any_matches(users, user);
}

Identity refreshed(const Identity& present, const Identity& shown, wire::hub::UnixMs now) {
  if (present.expires_at != 0 && present.expires_at <= now) return shown;
  const bool are_dated = present.issued_at != 0 && shown.issued_at != 0;
  if (are_dated && shown.issued_at < present.issued_at) return present;
  const bool is_newer = are_dated && shown.issued_at > present.issued_at;
  const bool lasts_less =
      shown.expires_at != 0 && (present.expires_at == 0 || shown.expires_at < present.expires_at);
  if (!is_newer && lasts_less && shown.rights == present.rights && shown.limits == present.limits)
    return present;
  return shown;
}

}  // namespace sluice::hub::auth
