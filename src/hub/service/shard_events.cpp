#include "hub/service/shard_events.hpp"

#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "observe/log.hpp"

namespace sluice::hub::service {
namespace {

using observe::LogLevel;
using wire::hub::Reason;

constexpr std::string_view kRoom = "hub";

std::int64_t count_of(Bytes bytes) {
  return static_cast<std::int64_t>(bytes.count());
}

bool is_slow_consumer(Reason reason) {
  return reason == Reason::slow_consumer || reason == Reason::unacknowledged;
}

/// What an operator wants to see before anything else: who could not keep up.
void log_slow(const Connection& connection, const wire::hub::Ended& how, flow::Watermarks marks) {
  const Bytes waiting = connection.receiver->waiting();
  const std::string id = connection_id(connection.ref);
  observe::log(LogLevel::warn, kRoom, "ws backpressure: closing slow consumer channel",
               {{"uid", connection.identity.user},
                {"connId", id},
                {"reason", name_of(how.reason)},
                {"bytesWaiting", count_of(waiting)},
                {"bytesUnacknowledged", count_of(connection.receiver->unacknowledged())},
                {"bytesBeforeUnwritable", count_of(marks.high - waiting)},
                {"bytesBeforeWritable", count_of(waiting - marks.low)},
                {"oldestMs", std::int64_t{how.oldest_ms}},
                {"remote", connection.socket->remote_address()}});
}

}  // namespace

ShardTotals& ShardTotals::operator+=(const ShardTotals& other) {
  opened += other.opened;
  welcomed += other.welcomed;
  sent += other.sent;
  received += other.received;
  dropped += other.dropped;
  would_drop += other.would_drop;
  would_cut += other.would_cut;
  return *this;
}

void add(ShardTotals& totals, const Connection& connection) {
  const transport::MessageSocketStats socket = connection.socket->stats();
  totals.sent += socket.sent;
  totals.received += socket.received;
  if (!connection.receiver) return;
  totals.dropped += connection.receiver->outbox_stats().dropped;
  totals.would_drop += connection.receiver->stats().would_drop;
  totals.would_cut += connection.receiver->stats().would_cut;
}

void ShardEvents::on_opened(const Connection& /*connection*/) {
  ++totals_.opened;  // its loop has it among the greetings
}

void ShardEvents::on_welcomed(const Connection& connection) {
  ++totals_.welcomed;
  common_.greetings.end(connection.ref);
  if (!observe::log_enabled(LogLevel::debug)) return;
  const std::string id = connection_id(connection.ref);
  observe::log(LogLevel::debug, kRoom, "client connected",
               {{"uid", connection.identity.user},
                {"connId", id},
                {"session", connection.session},
                {"agent", connection.hello.agent},
                {"remote", connection.socket->remote_address()}});
}

void ShardEvents::on_ended(const Connection& connection, const wire::hub::Ended& how,
                           std::string_view message) {
  if (connection.state != Connection::State::open) common_.greetings.end(connection.ref);
  add(totals_, connection);
  if (is_slow_consumer(how.reason)) return log_slow(connection, how, marks_);
  if (!observe::log_enabled(LogLevel::debug)) return;
  const std::string id = connection_id(connection.ref);
  observe::log(LogLevel::debug, kRoom, "client gone",
               {{"uid", connection.identity.user},
                {"connId", id},
                {"reason", name_of(how.reason)},
                {"why", message},
                {"remote", connection.socket->remote_address()}});
}

void ShardEvents::on_refused(const Connection& connection, Reason reason) {
  if (!observe::log_enabled(LogLevel::debug)) return;
  const std::string id = connection_id(connection.ref);
  observe::log(LogLevel::debug, kRoom, "refused",
               {{"uid", connection.identity.user}, {"connId", id}, {"reason", name_of(reason)}});
}

}  // namespace sluice::hub::service
