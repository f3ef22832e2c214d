#include "hub/mailbox.hpp"

namespace sluice::hub {

std::string_view name_of(LeaveReason reason) {
  switch (reason) {
    case LeaveReason::left:
      return "left";
    case LeaveReason::lost:
      return "lost";
    case LeaveReason::released:
      return "released";
    case LeaveReason::timed_out:
      return "timed_out";
    case LeaveReason::limit_exceeded:
      return "limit_exceeded";
    case LeaveReason::too_slow:
      return "too_slow";
  }
  return "left";
}

std::string_view name_of(RefusalCode code) {
  switch (code) {
    case RefusalCode::not_found:
      return "not_found";
    case RefusalCode::busy:
      return "busy";
    case RefusalCode::limit_exceeded:
      return "limit_exceeded";
    case RefusalCode::malformed:
      return "malformed";
    case RefusalCode::too_many_tries:
      return "too_many_tries";
    case RefusalCode::burnt:
      return "burnt";
    case RefusalCode::expired:
      return "expired";
  }
  return "malformed";
}

std::string_view name_of(Denial denial) {
  switch (denial) {
    case Denial::unknown_mailbox:
      return "unknown_mailbox";
    case Denial::burnt_mailbox:
      return "burnt_mailbox";
    case Denial::expired_mailbox:
      return "expired_mailbox";
    case Denial::place_taken:
      return "place_taken";
    case Denial::name_taken:
      return "name_taken";
    case Denial::too_many_tries:
      return "too_many_tries";
    case Denial::hub_full:
      return "hub_full";
    case Denial::address_full:
      return "address_full";
    case Denial::malformed:
      return "malformed";
    case Denial::out_of_turn:
      return "out_of_turn";
    case Denial::too_fast:
      return "too_fast";
    case Denial::introduction_full:
      return "introduction_full";
    case Denial::introduction_late:
      return "introduction_late";
    case Denial::nobody_there:
      return "nobody_there";
    case Denial::stale:
      return "stale";
    case Denial::too_slow:
      return "too_slow";
    case Denial::silent:
      return "silent";
    case Denial::mute_visitor:
      return "mute_visitor";
    case Denial::gave_way:
      return "gave_way";
  }
  return "unknown";
}

}  // namespace sluice::hub
