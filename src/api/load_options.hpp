#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "api/peer_options.hpp"
#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "wire/hub/encoding.hpp"

namespace sluice::api {

/// What a load run does to a hub, which is to be open or to take the clients for who they say they are.
struct LoadOptions {
  HubAddress hub;
  wire::hub::Encoding encoding = wire::hub::Encoding::proto;

  enum class Mode : std::uint8_t {
    single_e2e,  ///< Each sends to another one's inbox.
    group,       ///< All are in groups and send to theirs.
    storm,       ///< As `single_e2e`; half-way all are cut at once, and come back.
  };
  Mode mode = Mode::single_e2e;
  enum class Target : std::uint8_t { next, random };
  Target target = Target::next;  ///< Whose inbox, where it is inboxes.
  std::size_t groups = 10;

  std::size_t clients = 200;
  Duration duration = std::chrono::seconds{60};
  Duration interval = std::chrono::milliseconds{100};  ///< Between two messages of a client.
  std::size_t size = 256;  ///< Of a content, in bytes; `LoadStamp::kSize` at least.

  /// The part of the clients that are slow: they read a message and then nothing for a while, over and over,
  /// with a small buffer.
  double slow = 0;
  Duration slow_delay = std::chrono::seconds{5};
  Bytes slow_receive_buffer = limits::kLoadSlowBuffer;

  enum class Acknowledge : std::uint8_t { no, yes };
  Acknowledge acknowledge = Acknowledge::yes;  ///< What was processed; slow clients do so late.
  std::size_t threads = 1;
  /// Begins the names of users and groups, so that runs do not meet.
  std::string prefix{};
  std::uint64_t run = 0;  ///< The same for the messages' contents.
};

}  // namespace sluice::api
