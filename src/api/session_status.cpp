#include "api/session_status.hpp"

namespace sluice::api {

void add_session(TunnelStatus& status, const tunnel::Endpoint& session) {
  const tunnel::SessionStats stats = session.stats();
  status.streams += stats.streams;
  status.sent += stats.totals.sent;
  status.received += stats.totals.received;
  status.held_back += stats.gate.mark.time_closed;
  status.without_credit += stats.without_credit;
  status.buffered += stats.totals.held + stats.link_buffered;
  status.round_trip = session.link().stats().round_trip;
  status.path = session.link().path();
}

void add_totals(TunnelStatus& status, const TunnelStatus& more) {
  status.sent += more.sent;
  status.received += more.received;
  status.held_back += more.held_back;
  status.without_credit += more.without_credit;
}

}  // namespace sluice::api
