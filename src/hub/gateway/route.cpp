#include "hub/gateway/route.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"
#include "core/pattern.hpp"

namespace sluice::hub {
namespace {

using wire::hub::Conversation;

std::string subject_of(const Conversation& conversation) {
  switch (conversation.kind) {
    case Conversation::Kind::user:
      return "user:" + conversation.name;
    case Conversation::Kind::group:
      return "group:" + conversation.name;
    case Conversation::Kind::all:
      return "all";
  }
  return {};
}

}  // namespace

Routes::Routes(std::vector<Route> configured) : routes_(std::move(configured)) {
  routes_.push_back({.match = "user:*"});
  routes_.push_back({.match = "group:*"});
  routes_.push_back({.match = "all"});
}

const Route& Routes::of(const Conversation& conversation) const {
  const std::string subject = subject_of(conversation);
  const auto found =
      std::ranges::find_if(routes_, [&](const Route& route) { return matches(route.match, subject); });
  ENSURE(found != routes_.end());
  return *found;
}

}  // namespace sluice::hub
