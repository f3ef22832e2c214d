#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace sluice::ws_load {

/// One frame of a server's, and where it ends. Unmasked; whole messages only: the servers here send no parts.
struct ServerFrame {
  std::uint8_t opcode = 0;
  ByteView payload{};
  std::size_t size = 0;  ///< Of all of it.
};
inline constexpr std::uint8_t kBinary = 0x2;
inline constexpr std::uint8_t kClose = 0x8;
inline constexpr std::uint8_t kPing = 0x9;
inline constexpr std::uint8_t kPong = 0xA;

/// The frame at the front, if it is all there.
[[nodiscard]] std::optional<ServerFrame> first_frame(ByteView bytes);

/// One end of a WebSocket: its socket, and the bytes that wait on this side of it.
///
/// Owns the descriptor. Never blocks. Throws std::runtime_error when the server is gone or answers what makes
/// no sense: a bench has nothing to do then.
class Client {
 public:
  Client() = default;
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();

  struct Place {
    std::uint16_t port = 0;    ///< Of the server, on loopback.
    std::uint32_t source = 0;  ///< The address that it comes from, in the order of the host.
  };
  void connect(Place place);
  struct Upgrade {
    std::string_view path;
    std::string_view subprotocol;
  };
  void ask(Upgrade upgrade);
  void send(std::uint8_t opcode, ByteView payload);
  /// What was not taken goes on. True: nothing waits any more.
  bool flush();
  [[nodiscard]] bool blocked() const { return !out_.empty(); }

  /// Reads once, behind what was left by the last time. The bytes are in `room`, which all clients share.
  [[nodiscard]] ByteView read(ByteSpan room);
  /// Those are still to be completed.
  void keep(ByteView rest) { rest_.assign(rest.begin(), rest.end()); }
  /// Without the answer to the upgrade, when it is all there.
  [[nodiscard]] static std::optional<ByteView> behind_upgrade(ByteView bytes);

  [[nodiscard]] int descriptor() const { return descriptor_; }

  bool upgraded = false;
  bool ready = false;
  std::uint64_t published = 0;

 private:
  void put(ByteView bytes);

  int descriptor_ = -1;
  ByteBuffer rest_;
  ByteBuffer out_;
};

}  // namespace sluice::ws_load
