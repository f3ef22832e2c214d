#include "hub/store/damage.hpp"

#include <string>

#include "core/hub_limits.hpp"
#include "observe/log.hpp"

namespace sluice::hub::store {
namespace {

std::string name_of(const Conversation& conversation) {
  switch (conversation.kind) {
    case Conversation::Kind::user:
      return "the inbox of '" + conversation.name + "'";
    case Conversation::Kind::group:
      return "the group '" + conversation.name + "'";
    case Conversation::Kind::all:
      break;
  }
  return "the messages for everyone";
}

}  // namespace

void Damage::note(const Conversation& of, std::string_view what) {
  ++count_;
  if (!may_tell(of, Clock::now())) return;
  observe::log(observe::LogLevel::error, "store",
               "In " + name_of(of) + ", " + std::string{what} +
                   " is damaged on the disk and passed over. Check the disk, and restore a backup if you "
                   "need it; further damage there is told in a minute");
}

bool Damage::may_tell(const Conversation& of, TimePoint now) {
  const std::scoped_lock lock{mutex_};
  std::erase_if(told_, [now](const auto& each) { return now - each.second >= limits::kDamagedToldEvery; });
  if (told_.contains(of) || told_.size() >= limits::kDamagedTold) return false;
  told_.emplace(of, now);
  return true;
}

}  // namespace sluice::hub::store
