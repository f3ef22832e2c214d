#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace sluice::ws_load {

/// What is spoken to a server over its WebSockets. Everyone is in one room, or nobody is in any.
class Dialect {
 public:
  virtual ~Dialect() = default;

  [[nodiscard]] virtual std::string_view path() const = 0;
  /// Empty: none is asked for.
  [[nodiscard]] virtual std::string_view subprotocol() const = 0;
  /// What that client says first; nothing: it is where it belongs as soon as it is connected.
  [[nodiscard]] virtual std::optional<ByteBuffer> greeting(std::size_t client) const = 0;
  /// To everyone in the room; `number` is the client's own, from 1. The content stays the end of what
  /// arrives.
  [[nodiscard]] virtual ByteBuffer publish(std::size_t client, std::uint64_t number,
                                           ByteView content) const = 0;

  /// What a message is that was not published by one of ours.
  struct Heard {
    std::optional<ByteBuffer> answer{};
    bool ready = false;         ///< The client is where it belongs.
    std::uint64_t dropped = 0;  ///< Messages that the server says it did not bring.
    std::string refusal{};      ///< The server does not do as it is asked.
  };
  [[nodiscard]] virtual Heard hear(ByteView message) const = 0;
};

enum class Room : std::uint8_t { joined, none };
[[nodiscard]] std::unique_ptr<Dialect> hub_dialect(Room room);
/// A server that hands every message on to everyone.
[[nodiscard]] std::unique_ptr<Dialect> plain_dialect();

}  // namespace sluice::ws_load
