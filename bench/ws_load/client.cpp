#include "bench/ws_load/client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace sluice::ws_load {
namespace {

constexpr std::size_t kMaskSize = 4;
constexpr std::array<std::byte, kMaskSize> kMask{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21},
                                                 std::byte{0x3d}};
constexpr std::uint8_t kWhole = 0x80;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::size_t kShort = 125;
constexpr std::uint8_t kLength16 = 126;
constexpr std::uint8_t kLength64 = 127;

[[noreturn]] void fail_with(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

std::uint64_t big_endian(ByteView bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8U | std::to_integer<std::uint64_t>(byte);
  return value;
}

sockaddr_in address(std::uint32_t host, std::uint16_t port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  place.sin_addr.s_addr = htonl(host);
  return place;
}

}  // namespace

std::optional<ServerFrame> first_frame(ByteView bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto length = std::to_integer<std::uint8_t>(bytes[1]);
  std::size_t header = 2;
  if (length == kLength16) header += 2;
  if (length == kLength64) header += 8;
  if (bytes.size() < header) return std::nullopt;
  const std::uint64_t size = length <= kShort ? length : big_endian(bytes.subspan(2, header - 2));
  if (bytes.size() - header < size) return std::nullopt;
  const auto payload = static_cast<std::size_t>(size);
  return ServerFrame{.opcode = static_cast<std::uint8_t>(std::to_integer<unsigned>(bytes[0]) & 0x0FU),
                     .payload = bytes.subspan(header, payload),
                     .size = header + payload};
}

Client::Client(Client&& other) noexcept
    : upgraded(other.upgraded),
      ready(other.ready),
      published(other.published),
      descriptor_(std::exchange(other.descriptor_, -1)),
      rest_(std::move(other.rest_)),
      out_(std::move(other.out_)) {}

Client::~Client() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Client::connect(Place place) {
  descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) fail_with("socket");
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(descriptor_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const sockaddr_in from = address(place.source, 0);
  if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) fail_with("bind");
  const sockaddr_in to = address(INADDR_LOOPBACK, place.port);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
    fail_with("connect");
}

void Client::ask(Upgrade upgrade) {
  std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
      upgrade.path);
  if (!upgrade.subprotocol.empty())
    request += fmt::format("Sec-WebSocket-Protocol: {}\r\n", upgrade.subprotocol);
  request += "\r\n";
  put(as_bytes(request));
}

std::optional<ByteView> Client::behind_upgrade(ByteView bytes) {
  const std::string_view text = as_text(bytes);
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  if (!text.starts_with("HTTP/1.1 101 "))
    throw std::runtime_error{fmt::format("no upgrade: {}", text.substr(0, text.find('\r')))};
  return bytes.subspan(end + 4);
}

void Client::send(std::uint8_t opcode, ByteView payload) {
  ByteBuffer frame;
  frame.reserve(payload.size() + 8);
  const auto add = [&frame](std::size_t byte) { frame.push_back(static_cast<std::byte>(byte & 0xFFU)); };
  add(kWhole | opcode);
  if (payload.size() <= kShort) {
    add(kMasked | payload.size());
  } else {
    add(kMasked | kLength16);
    add(payload.size() >> 8U);
    add(payload.size());
  }
  frame.insert(frame.end(), kMask.begin(), kMask.end());
  for (std::size_t i = 0; i < payload.size(); ++i) frame.push_back(payload[i] ^ kMask[i % kMaskSize]);
  put(frame);
}

void Client::put(ByteView bytes) {
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  flush();
}

bool Client::flush() {
  if (out_.empty()) return true;
  const auto sent = ::send(descriptor_, out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) fail_with("send");
  if (sent > 0) out_.erase(out_.begin(), out_.begin() + sent);
  return out_.empty();
}

ByteView Client::read(ByteSpan room) {
  std::ranges::copy(rest_, room.begin());
  const std::size_t before = rest_.size();
  const auto got = ::recv(descriptor_, room.data() + before, room.size() - before, MSG_DONTWAIT);
  if (got == 0) throw std::runtime_error{"the server has closed a connection"};
  if (got < 0 && errno != EAGAIN) fail_with("recv");
  rest_.clear();
  return room.first(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
}

}  // namespace sluice::ws_load
