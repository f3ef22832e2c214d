#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"

namespace sluice::flow {
class Account;
}

namespace sluice::transport {

enum class MessageKind : std::uint8_t { text, binary };

/// What a socket tells its one owner. Calls come on its shard and never from inside a call of the owner's.
/// The owner may not destroy the socket from inside a call.
class MessageSocketListener {
 public:
  virtual ~MessageSocketListener() = default;
  /// One whole message. The view ends with the call.
  virtual void on_message(MessageKind kind, ByteView message) = 0;
  /// After a `write` that took less than it was given: there is room again.
  virtual void on_writable() = 0;
  /// It has ended; nothing comes after this. `Errc::closed` when either side ended it in good order,
  /// `stalled` when its pings were not answered.
  virtual void on_closed(const Error& reason) = 0;
};

struct MessageSocketStats {
  Bytes sent;      ///< Encoded bytes that the socket took.
  Bytes received;  ///< Payload of messages.
  std::uint64_t messages_received = 0;
  std::uint64_t heard = 0;  ///< How often anything was read from the client, pongs included.
};

/// A connection to one client that takes encoded messages and never keeps any: what it does not take stays
/// with the owner, who decides what becomes of it.
///
/// One shard. Bounded: one message of the largest size and what one turn reads on its way in; on its way out
/// nothing but an answer to a ping and, with TLS, one record (16 KiB) that is sealed already.
class MessageSocket {
 public:
  virtual ~MessageSocket() = default;  ///< Ends it at once, without a word to the listener.

  /// Names the one listener and begins to read.
  virtual void listen(MessageSocketListener& listener) = 0;

  /// Hands bytes of encoded frames (`Frames`) to the system and returns how many it took. Never blocks. After
  /// it took less than all it takes nothing until `on_writable`, which comes once. Whoever calls gives whole
  /// frames, and first of all the rest of one of which the system has a part. Once it closes, or has ended,
  /// it takes nothing, and `on_writable` does not come.
  [[nodiscard]] virtual std::size_t write(ByteView frames) = 0;

  /// From now on this pays for messages of which a part has come, and for what waits until it may be read.
  virtual void charge_to(std::shared_ptr<flow::Account> account) = 0;

  /// Pings from now on so often, the next one within that time; how many may be missed stays.
  virtual void set_ping_interval(Duration interval) = 0;

  /// The largest message that is taken from the client, from the next frame on. Another limit than the one
  /// that the socket came with is for a client that has proved who it is.
  virtual void set_max_message(Bytes most) = 0;

  /// Pings at once, beside the regular ones: whether an answer comes is seen by `heard`.
  virtual void probe() = 0;

  /// Reads nothing until resumed, so that the pause reaches the client's TCP. Pings go on.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;

  struct Farewell {
    std::uint16_t code = 1000;  ///< RFC 6455 §7.4.
    std::string text{};         ///< At most 123 bytes of UTF-8.
    /// Encoded frames that still go out in front: first of all the rest of one of which the system has a
    /// part. The only ones that the socket keeps.
    ByteBuffer last{};
  };
  /// Ends it in good order behind what was written: bounded in time by `limits::kLinkCloseTimeout`. Where a
  /// frame was begun and `last` does not finish it there is no such end, and it is cut. More calls change
  /// nothing.
  virtual void close(Farewell farewell) = 0;
  /// Ends it at once by a reset, so that what the system still holds goes with it.
  virtual void cut() = 0;

  [[nodiscard]] virtual MessageSocketStats stats() const = 0;
  /// Numeric, without the port.
  [[nodiscard]] virtual std::string_view remote_address() const = 0;
};

/// A socket that a server has accepted, and what its client asked for.
struct AcceptedSocket {
  std::unique_ptr<MessageSocket> socket;
  std::string subprotocol;  ///< The chosen one; empty where the server names none.
  std::string query;        ///< What follows the first `?` of the request, not decoded.
};

using SocketHandler = std::function<void(AcceptedSocket)>;

}  // namespace sluice::transport
