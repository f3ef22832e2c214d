#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "core/error.hpp"
#include "core/time.hpp"
#include "wire/hub/message.hpp"

/// What a session tells its owner.
namespace sluice::messaging {

/// It is open, for the first time or again. What was asked for meanwhile goes out now.
struct Connected {
  wire::hub::Welcome welcome;
};

/// The connection is lost; the session goes on with the next one.
struct Lost {
  Error why;
  wire::hub::Reason reason = wire::hub::Reason::none;  ///< The hub's own word, when it said one.
  Duration retry_in{};
};

/// It has ended for good: the hub does not want this client back, or no attempt can make it right.
struct Over {
  Error why;
  wire::hub::Reason reason = wire::hub::Reason::none;
};

/// What became of a publish. With `Reason::none` it has come as far as it was to; otherwise it was refused
/// and not delivered. One that is told by an acknowledgement alone has no position.
struct Answered {
  std::uint64_t number = 0;  ///< What `publish` returned.
  wire::hub::Receipt receipt{};
};

/// A message for this client; with `delivery.request` one that waits for a reply.
struct Message {
  wire::hub::Delivery delivery;
};

/// The answer to a ping.
struct RoundTrip {
  Duration took{};
};

/// `Gap` is what did not come and will not, unless it is pulled; `Refusal` what could not be done; `Reply`
/// the answer to a request, with the reason `connection_lost` where the connection went first.
using Event = std::variant<Connected, Lost, Over, Answered, Message, wire::hub::Gap, wire::hub::Joined,
                           wire::hub::Left, wire::hub::Pulled, wire::hub::Members, wire::hub::Presence,
                           wire::hub::Refreshed, wire::hub::Refusal, wire::hub::Reply, RoundTrip>;

}  // namespace sluice::messaging
