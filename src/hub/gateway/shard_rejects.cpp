#include <utility>

#include "hub/gateway/cost.hpp"
#include "hub/gateway/shard.hpp"
#include "hub/gateway/visible_names.hpp"

/// What becomes of a client's envelope that cannot be taken.
namespace sluice::hub {

using wire::hub::Reason;
using wire::hub::Recognized;
using wire::hub::Undecoded;

std::optional<std::string> Shard::not_a_name(std::string_view what, std::string_view name) const {
  return settings_.invisible_names ? std::nullopt : invisible_in(what, name);
}

void Shard::heard_undecoded(ConnectionRef from, Undecoded what, std::size_t size, Moment now) {
  Connection* const connection = live(from);
  if (connection == nullptr) return;
  // Before the Welcome there is nothing to lose: what can be wrong is the Hello.
  if (!what.recognized || connection->state != Connection::State::open)
    return end(*connection, what.reason, How::told, std::move(what.message), now);
  ++counts_.received;
  connection->charge(cost::of_malformed(size), now.at);
  // It is paid for like any other, but never answered with RATE_LIMITED: sent again it would still be wrong.
  (void)limited(*connection, size, now);
  const Recognized message = std::move(*what.recognized);
  reject(*connection, std::move(what), message, now);
  if (Connection* const still = live(from)) settle(*still, now);
}

void Shard::reject(Connection& connection, Undecoded what, const Recognized& message, Moment now) {
  const bool is_numbered =
      message.kind == Recognized::Kind::publish || message.kind == Recognized::Kind::request;
  if (is_numbered) {
    // An `ack` covers what came before: without its number the message has no place in that order.
    if (!connection.answered.begin(message.seq)) {
      return end(connection, Reason::protocol_violation, How::told,
                 message.seq == 0 ? "A message without a seq: " + what.message
                                  : "A seq that is not greater than the one before.",
                 now);
    }
    connection.answered.finish(message.seq);
  }
  switch (message.kind) {
    case Recognized::Kind::publish:
      note_refused(connection, what.reason);
      return say(connection,
                 wire::hub::Receipt{.seq = message.seq,
                                    .id = message.id,
                                    .reason = what.reason,
                                    .message = std::move(what.message)},
                 now);
    case Recognized::Kind::request:
      // A reply is known by the request's id alone.
      if (message.id.empty()) break;
      note_refused(connection, what.reason);
      return say(
          connection,
          wire::hub::Reply{.request = message.id, .reason = what.reason, .message = std::move(what.message)},
          now);
    case Recognized::Kind::reply:
      // The client that asked learns at once that no reply will come.
      if (!message.id.empty() &&
          !reply(connection,
                 {.request = message.id, .reason = what.reason, .message = "The reply could not be read."}, 0,
                 now)) {
        return;
      }
      break;
    case Recognized::Kind::other:
      break;
  }
  refuse(
      connection,
      {.reason = what.reason, .message = std::move(what.message), .seq = message.seq, .group = message.group},
      now);
}

}  // namespace sluice::hub
