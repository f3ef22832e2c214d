#include "bench/ws_load/crowd.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace sluice::ws_load {
namespace {

constexpr std::size_t kEvents = 256;
/// Clients that share an address: under what servers let one address have.
constexpr std::size_t kClientsPerAddress = 200;
constexpr auto kGatherStep = std::chrono::milliseconds{100};
constexpr auto kGatherLimit = std::chrono::seconds{120};

/// The last bytes of every content.
struct Stamp {
  std::uint64_t run;
  std::int64_t sent_ns;
};

std::int64_t nanoseconds(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

Crowd::Crowd(Options options, std::unique_ptr<Dialect> dialect)
    : options_(options), dialect_(std::move(dialect)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error{errno, std::generic_category(), "epoll_create1"};
  clients_.resize(options_.clients);
  watched_for_room_.resize(options_.clients);
}

Crowd::~Crowd() {
  ::close(epoll_);
}

// --- coming together

void Crowd::gather(std::size_t at_once) {
  const TimePoint deadline = Clock::now() + kGatherLimit;
  while (ready_ < clients_.size()) {
    while (opened_ < clients_.size() && opened_ - ready_ < at_once) open(opened_++);
    const TimePoint now = Clock::now();
    if (now >= deadline) throw std::runtime_error{"not all clients got in: " + counts_.last_refusal};
    wait(now + kGatherStep);
  }
}

void Crowd::open(std::size_t index) {
  const auto neighbour = static_cast<std::uint32_t>(index / kClientsPerAddress);
  Client& client = clients_[index];
  client.connect({.port = options_.port, .source = INADDR_LOOPBACK + 1 + neighbour});
  client.ask({.path = dialect_->path(), .subprotocol = dialect_->subprotocol()});
  watched_for_room_[index] = client.blocked();
  epoll_event event{};
  event.events = EPOLLIN | (client.blocked() ? EPOLLOUT : 0U);
  event.data.u64 = index;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, client.descriptor(), &event) != 0)
    throw std::system_error{errno, std::generic_category(), "epoll_ctl"};
}

void Crowd::become_ready(Client& client) {
  if (std::exchange(client.ready, true)) return;
  ++ready_;
}

// --- the loop

void Crowd::wait(TimePoint until) {
  const auto left = std::max<std::int64_t>(nanoseconds(until) - nanoseconds(Clock::now()), 0);
  const timespec limit{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
  std::array<epoll_event, kEvents> events{};
  const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &limit, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    turn(static_cast<std::size_t>(event.data.u64), event.events);
  }
}

void Crowd::turn(std::size_t index, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    clients_[index].flush();
    watch(index);
  }
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read(index);
}

/// For room in its socket as long as something waits.
void Crowd::watch(std::size_t index) {
  const bool blocked = clients_[index].blocked();
  if (blocked == watched_for_room_[index]) return;
  watched_for_room_[index] = blocked;
  epoll_event event{};
  event.events = EPOLLIN | (blocked ? EPOLLOUT : 0U);
  event.data.u64 = index;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, clients_[index].descriptor(), &event);
}

void Crowd::read(std::size_t index) {
  Client& client = clients_[index];
  ByteView bytes = client.read(room_);
  if (!client.upgraded) {
    const auto behind = Client::behind_upgrade(bytes);
    if (!behind) return client.keep(bytes);
    client.upgraded = true;
    bytes = *behind;
    if (const auto greeting = dialect_->greeting(index)) {
      client.send(kBinary, *greeting);
    } else {
      become_ready(client);
    }
  }
  const TimePoint now = Clock::now();
  while (const auto frame = first_frame(bytes)) {
    take(index, *frame, now);
    bytes = bytes.subspan(frame->size);
  }
  if (!bytes.empty()) client.keep(bytes);
  watch(index);
}

void Crowd::take(std::size_t index, const ServerFrame& frame, TimePoint now) {
  switch (frame.opcode) {
    case kPing:
      return clients_[index].send(kPong, frame.payload);
    case kClose:
      throw std::runtime_error{"the server has sent a client away: " + counts_.last_refusal};
    case kPong:
      return;
    default:
      break;
  }
  Stamp stamp{};
  if (frame.payload.size() >= sizeof stamp)
    std::memcpy(&stamp, frame.payload.last(sizeof stamp).data(), sizeof stamp);
  if (stamp.run != options_.run) return hear(index, frame.payload);
  ++counts_.delivered;
  if (on_delivery) on_delivery(std::chrono::nanoseconds{nanoseconds(now) - stamp.sent_ns});
}

void Crowd::hear(std::size_t index, ByteView message) {
  Client& client = clients_[index];
  const Dialect::Heard heard = dialect_->hear(message);
  if (heard.answer) client.send(kBinary, *heard.answer);
  if (heard.ready) become_ready(client);
  counts_.dropped += heard.dropped;
  if (heard.refusal.empty()) return;
  ++counts_.refused;
  counts_.last_refusal = heard.refusal;
}

void Crowd::publish() {
  const std::size_t index = next_;
  next_ = (next_ + 1) % clients_.size();
  Client& client = clients_[index];
  if (client.blocked()) {
    ++counts_.held_back;
    return;
  }
  ByteBuffer content(std::max(options_.size, sizeof(Stamp)), std::byte{'x'});
  const Stamp stamp{.run = options_.run, .sent_ns = nanoseconds(Clock::now())};
  std::memcpy(content.data() + content.size() - sizeof stamp, &stamp, sizeof stamp);
  ++counts_.published;
  client.send(kBinary, dialect_->publish(index, ++client.published, content));
  watch(index);
}

}  // namespace sluice::ws_load
