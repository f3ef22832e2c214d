#include "wire/hub/message.hpp"

#include <algorithm>

#include "core/hub_limits.hpp"
#include "core/utf8.hpp"

namespace sluice::wire::hub {

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "none";
    case Reason::malformed:
      return "malformed";
    case Reason::protocol_violation:
      return "protocol_violation";
    case Reason::too_large:
      return "too_large";
    case Reason::unsupported:
      return "unsupported";
    case Reason::unauthenticated:
      return "unauthenticated";
    case Reason::token_invalid:
      return "token_invalid";
    case Reason::token_expired:
      return "token_expired";
    case Reason::forbidden:
      return "forbidden";
    case Reason::not_member:
      return "not_member";
    case Reason::session_unknown:
      return "session_unknown";
    case Reason::rate_limited:
      return "rate_limited";
    case Reason::overloaded:
      return "overloaded";
    case Reason::too_many_connections:
      return "too_many_connections";
    case Reason::too_many_groups:
      return "too_many_groups";
    case Reason::too_many_requests:
      return "too_many_requests";
    case Reason::store_full:
      return "store_full";
    case Reason::store_failed:
      return "store_failed";
    case Reason::not_stored:
      return "not_stored";
    case Reason::offline:
      return "offline";
    case Reason::timed_out:
      return "timed_out";
    case Reason::dropped_newest:
      return "dropped_newest";
    case Reason::dropped_oldest:
      return "dropped_oldest";
    case Reason::conflated:
      return "conflated";
    case Reason::shed:
      return "shed";
    case Reason::expired:
      return "expired";
    case Reason::history_changed:
      return "history_changed";
    case Reason::damaged:
      return "damaged";
    case Reason::slow_consumer:
      return "slow_consumer";
    case Reason::unacknowledged:
      return "unacknowledged";
    case Reason::heartbeat_missed:
      return "heartbeat_missed";
    case Reason::kicked:
      return "kicked";
    case Reason::shutting_down:
      return "shutting_down";
    case Reason::closed_by_client:
      return "closed_by_client";
    case Reason::connection_lost:
      return "connection_lost";
    case Reason::superseded:
      return "superseded";
  }
  return "unknown";
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::accepted:
      return "accepted";
    case Level::stored:
      return "stored";
    case Level::delivered:
      return "delivered";
  }
  return "unknown";
}

namespace {

/// C0 and DEL are one byte; C1 (U+0080 to U+009F) is 0xC2 and one that is below 0xA0.
bool has_control_character(std::string_view text) {
  unsigned char before = 0;
  return std::ranges::any_of(text, [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_control = byte < 0x20 || byte == 0x7F || (before == 0xC2 && byte < 0xA0);
    before = byte;
    return is_control;
  });
}

}  // namespace

bool is_label(std::string_view text, Bytes most) {
  return text.size() <= most.count() && is_utf8(text) && !has_control_character(text);
}

bool is_name(std::string_view text) {
  return !text.empty() && is_label(text, limits::kMaxName);
}

bool is_id(std::string_view text) {
  return !text.empty() && is_label(text, limits::kMaxId);
}

}  // namespace sluice::wire::hub
