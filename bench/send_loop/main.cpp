// The least that a server of the fan-out bench can do, so that its figures can be told from what the kernel
// and the machine cost at that hour: every message goes into one batch, and each batch to each client with
// one plain send(), no more than once in 2 ms. One thread; no queue, no account, no limit: what a socket
// refuses is lost.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "transport/websocket/frame.hpp"

namespace sluice {
namespace {

constexpr auto kTick = std::chrono::milliseconds{2};
constexpr int kBacklog = 4096;
constexpr std::size_t kEvents = 256;
constexpr std::size_t kRoom = std::size_t{64} << 10U;
constexpr Bytes kMaxMessage{std::size_t{64} << 10U};

/// ws_load's clients all send the key of RFC 6455 §1.3; this is what it says belongs to it.
constexpr std::string_view kUpgraded =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error{errno, std::generic_category(), what};
  return result;
}

struct Client {
  int descriptor = -1;
  bool upgraded = false;
  websocket::FrameReader reader{{.max_message = kMaxMessage}};
};

class SendLoop {
 public:
  SendLoop()
      : listener_(checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket")),
        epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    const int on = 1;
    checked(::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::bind(listener_, reinterpret_cast<const sockaddr*>(&place), sizeof place), "bind");
    checked(::listen(listener_, kBacklog), "listen");
    socklen_t size = sizeof place;
    checked(::getsockname(listener_, reinterpret_cast<sockaddr*>(&place), &size), "getsockname");
    watch(listener_, nullptr);
    fmt::print("{{\"event\":\"listening\",\"port\":{}}}\n", ntohs(place.sin_port));
    std::fflush(stdout);
  }

  /// Until the process is ended.
  [[noreturn]] void run() {
    for (;;) {
      wait();
      if (!batch_.empty() && Clock::now() >= flushed_ + kTick) flush();
    }
  }

 private:
  void watch(int descriptor, Client* client) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = client;
    checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
  }

  void wait() {
    const auto left = std::max(flushed_ + kTick - Clock::now(), Duration{});
    const timespec limit{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds{left}.count()};
    std::array<epoll_event, kEvents> events{};
    const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()),
                                     batch_.empty() ? nullptr : &limit, nullptr);
    for (int i = 0; i < count; ++i) {
      auto* client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      client == nullptr ? accept() : read(*client);
    }
  }

  void accept() {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    clients_.push_back(std::make_unique<Client>(descriptor));
    watch(descriptor, clients_.back().get());
  }

  void read(Client& client) {
    const auto got = ::recv(client.descriptor, room_.data(), room_.size(), MSG_DONTWAIT);
    if (got <= 0) return leave(client);
    if (!std::exchange(client.upgraded, true)) return send(client, as_bytes(kUpgraded));
    ByteSpan input = ByteSpan{room_}.first(static_cast<std::size_t>(got));
    while (auto event = client.reader.next(input)) {
      if (!*event) return;
      if ((*event)->kind != websocket::FrameEvent::Kind::binary) continue;
      const ByteView payload = (*event)->payload;
      websocket::append_header(batch_, websocket::Opcode::binary, payload.size());
      batch_.insert(batch_.end(), payload.begin(), payload.end());
    }
    leave(client);
  }

  static void send(const Client& client, ByteView bytes) {
    static_cast<void>(::send(client.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }

  void flush() {
    flushed_ = Clock::now();
    for (const auto& client : clients_) send(*client, batch_);
    batch_.clear();
  }

  void leave(Client& client) {
    ::close(client.descriptor);
    std::erase_if(clients_, [&client](const auto& each) { return each.get() == &client; });
  }

  int listener_;
  int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::array<std::byte, kRoom> room_{};
  ByteBuffer batch_;
  TimePoint flushed_;
};

}  // namespace
}  // namespace sluice

int main() {
  try {
    sluice::SendLoop{}.run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "send_loop: {}\n", error.what());
    return 1;
  }
}
