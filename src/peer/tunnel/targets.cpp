#include "peer/tunnel/targets.hpp"

#include <algorithm>
#include <utility>

#include "peer/tunnel/unix_path.hpp"

namespace sluice::tunnel {

Result<Targets> Targets::make(std::vector<Target> targets) {
  for (auto target = targets.begin(); target != targets.end(); ++target) {
    if (auto fits = wire::check_target(target->name); !fits) return fail(std::move(fits.error()));
    if (!target->path.empty()) {
      if (auto fits = check_unix_path(target->path); !fits) return fail(std::move(fits.error()));
    } else if (target->port == 0) {
      return fail(Errc::invalid_argument, "target \"" + target->name + "\" has no port to connect to");
    }
    const bool twice =
        std::any_of(targets.begin(), target, [&](const Target& other) { return other.name == target->name; });
    if (twice) return fail(Errc::invalid_argument, "two targets have the name \"" + target->name + "\"");
  }
  Targets made;
  made.targets_ = std::move(targets);
  return made;
}

std::expected<const Target*, Targets::Refusal> Targets::find(std::string_view name) const {
  if (targets_.empty()) {
    return std::unexpected(
        Refusal{.reason = wire::CloseReason::not_allowed, .text = "this host exposes nothing"});
  }
  if (name.empty()) return &targets_.front();
  const auto found = std::find_if(targets_.begin(), targets_.end(),
                                  [&](const Target& target) { return target.name == name; });
  if (found != targets_.end()) return &*found;
  if (name.find(':') != std::string_view::npos) {
    return std::unexpected(
        Refusal{.reason = wire::CloseReason::not_allowed,
                .text = "this host exposes targets by their names only, and no other addresses"});
  }
  return std::unexpected(
      Refusal{.reason = wire::CloseReason::unknown_target, .text = "this host has no target of that name"});
}

std::string told_of(std::string_view target, wire::CloseReason reason) {
  std::string text = target.empty() ? "the default target" : std::string{target};
  switch (reason) {
    case wire::CloseReason::dial_failed:
      return text + ": connection refused";
    case wire::CloseReason::dial_timed_out:
      return text + ": no answer";
    case wire::CloseReason::unreachable:
      return text + ": cannot be reached from the host";
    case wire::CloseReason::limit_reached:
      return text + ": the host has no descriptors left for one more connection";
    default:
      return text + ": cannot be connected to";
  }
}

}  // namespace sluice::tunnel
