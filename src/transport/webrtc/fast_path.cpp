#include "transport/webrtc/fast_path.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <fmt/format.h>

#include "core/limits.hpp"
#include "observe/log.hpp"
#include "transport/webrtc/datagram_batch.hpp"

namespace sluice::webrtc {

namespace asio = boost::asio;
using observe::LogLevel;

namespace {

#ifndef UDP_SEGMENT
constexpr int UDP_SEGMENT = 103;  // linux/udp.h, 4.18
#endif
#ifndef UDP_GRO
constexpr int UDP_GRO = 104;  // linux/udp.h, 5.0
#endif

/// Picks the socket of the group by the datagram's first byte: index 1, ours, for DTLS (20..63, RFC 7983 §7),
/// else index 0, the ICE library's, which was there first.
constexpr std::array<sock_filter, 5> kSteering = {{
    {.code = BPF_LD | BPF_B | BPF_ABS, .jt = 0, .jf = 0, .k = 0},
    {.code = BPF_JMP | BPF_JGE | BPF_K, .jt = 0, .jf = 2, .k = 20},
    {.code = BPF_JMP | BPF_JGT | BPF_K, .jt = 1, .jf = 0, .k = 63},
    {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 1},
    {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0},
}};

/// The same choice, for what was joined to another datagram.
bool is_dtls(ByteView datagram) {
  const auto first = std::to_integer<unsigned>(datagram.front());
  return first >= 20 && first <= 63;
}

template <typename T>
bool set_option(int fd, int level, int option, const T& value) {
  return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

std::unexpected<Error> system_error(std::string_view what) {
  return fail(errno == EINVAL || errno == ENOPROTOOPT ? Errc::unsupported : Errc::io,
              fmt::format("The kernel refused {}: {}.", what, std::strerror(errno)));
}

/// Opens the second socket on the library's address. The order matters: the library's socket joins the group
/// first.
Result<UniqueFd> open_beside(const SelectedSocket& selected) {
  constexpr int kOn = 1;
  sockaddr_storage local{};
  socklen_t size = sizeof(local);
  if (::getsockname(selected.fd.get(), reinterpret_cast<sockaddr*>(&local), &size) != 0) {
    return system_error("the address of the ICE socket");
  }
  if (!set_option(selected.fd.get(), SOL_SOCKET, SO_REUSEPORT, kOn))
    return system_error("to share the ICE socket");
  UniqueFd fd{::socket(local.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd) return system_error("a socket");
  if (!set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, kOn)) return system_error("SO_REUSEPORT");
  if (local.ss_family == AF_INET6 && !set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, kOn)) {
    return system_error("IPV6_V6ONLY");
  }
  // Before bind: from then on datagrams are shared out between the two sockets, by hash until the program is
  // there.
  if (!set_option(fd.get(), SOL_UDP, UDP_GRO, kOn)) return system_error("UDP_GRO");
  constexpr int kBuffer = static_cast<int>(limits::kUdpSocketBuffer.count());
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, kBuffer);  // as much as net.core.rmem_max and wmem_max allow
  set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, kBuffer);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), size) != 0)
    return system_error("a second bind");
  auto filter = kSteering;
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  if (!set_option(fd.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program))
    return system_error("the steering program");
  return fd;
}

/// Whether the kernel may cut a datagram up: everything may be, so that a path which becomes narrower still
/// passes what is under way, but for probes, which are to find that out.
enum class Cutting : std::uint8_t { allowed, forbidden };

void set_cutting(int fd, sa_family_t family, Cutting cutting) {
  const bool allowed = cutting == Cutting::allowed;
  if (family == AF_INET6) {
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, allowed ? IPV6_PMTUDISC_DONT : IPV6_PMTUDISC_PROBE);
  } else {
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, allowed ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE);
  }
}

/// One less than what the ICE library's datagrams have: GRO joins only what is alike in this, so that on the
/// other side no STUN datagram is joined to ours.
void set_hop_limit(int fd, sa_family_t family) {
  constexpr int kHops = 63;
  if (family == AF_INET6) {
    set_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kHops);
  } else {
    set_option(fd, IPPROTO_IP, IP_TTL, kHops);
  }
}

/// The MTU of the link that leads to an address: what the kernel says of a socket that is connected to it.
std::optional<Bytes> link_mtu_towards(const sockaddr_storage& remote, socklen_t size) {
  const UniqueFd fd{::socket(remote.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&remote), size) != 0) return std::nullopt;
  const bool ipv6 = remote.ss_family == AF_INET6;
  int mtu = 0;
  socklen_t mtu_size = sizeof mtu;
  if (::getsockopt(fd.get(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_MTU : IP_MTU, &mtu, &mtu_size) !=
      0) {
    return std::nullopt;
  }
  return Bytes{static_cast<std::uint64_t>(std::max(mtu, 0))};
}

/// One a thread, since a batch is handled before the next is read: 64 KiB is the most that GRO joins.
ByteSpan receive_buffer() {
  static thread_local std::array<std::byte, 65536> buffer;
  return buffer;
}

}  // namespace

class FastPath::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::posix::stream_descriptor socket, const SelectedSocket& selected, transport::Path path,
       DatagramReceiver& receiver)
      : info(std::move(path)),
        socket_(std::move(socket)),
        remote_(selected.remote),
        remote_size_(selected.remote_size),
        receiver_(receiver) {
    info.fast = true;
    set_cutting(socket_.native_handle(), remote_.ss_family, Cutting::allowed);
    set_hop_limit(socket_.native_handle(), remote_.ss_family);
  }

  void send(ByteView datagram);
  void send_whole(ByteView datagram);
  [[nodiscard]] std::optional<Bytes> link_mtu() const { return link_mtu_towards(remote_, remote_size_); }
  void flush();
  void wait_readable();
  void stop();

  transport::Path info;
  PathStats stats;

 private:
  enum class Sent : std::uint8_t { taken, later };

  Sent send_run(const SegmentRun& run);
  ssize_t send_segments(const SegmentRun& run);
  void wait_writable();
  void read_some();
  bool read_once();
  void deliver(ByteView bytes, std::size_t segment);
  void stop_joining();

  asio::posix::stream_descriptor socket_;
  const sockaddr_storage remote_;
  const socklen_t remote_size_;
  DatagramReceiver& receiver_;
  DatagramBatch batch_;
  bool gso_ = true;
  bool gro_ = true;
  bool waiting_ = false;  ///< For writability; until then nothing is sent.
  bool stopped_ = false;
};

void FastPath::Impl::send(ByteView datagram) {
  // A full run goes out at once: so the batch stays small enough for the cache.
  if (batch_.bytes().size() + datagram.size() > limits::kGsoBytes.count()) flush();
  if (batch_.add(datagram) == DatagramBatch::Added::refused) ++stats.dropped_backlog;
}

void FastPath::Impl::send_whole(ByteView datagram) {
  flush();
  if (waiting_ || datagram.size() > std::numeric_limits<std::uint16_t>::max()) return;
  set_cutting(socket_.native_handle(), remote_.ss_family, Cutting::forbidden);
  const auto size = static_cast<std::uint16_t>(datagram.size());
  ++stats.send_calls;
  if (send_segments({.bytes = datagram, .segment = size, .count = 1}) >= 0) ++stats.datagrams_sent;
  set_cutting(socket_.native_handle(), remote_.ss_family, Cutting::allowed);
}

void FastPath::Impl::flush() {
  while (!batch_.empty() && !waiting_) {
    SegmentRun run = batch_.front_run();
    if (!gso_) run = {.bytes = run.bytes.first(run.segment), .segment = run.segment, .count = 1};
    const Sent sent = send_run(run);
    if (sent == Sent::later) return wait_writable();
  }
}

FastPath::Impl::Sent FastPath::Impl::send_run(const SegmentRun& run) {
  ++stats.send_calls;
  if (send_segments(run) >= 0) {
    stats.datagrams_sent += run.count;
  } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    return Sent::later;
  } else if (run.count > 1 && (errno == EIO || errno == EINVAL || errno == EMSGSIZE)) {
    // No checksum offload on the way out (EIO), no GSO for this socket (EINVAL), or a path that has become
    // narrower than a segment (EMSGSIZE; EINVAL before Linux 6.2): one at a time from now on.
    observe::log(LogLevel::info, "webrtc",
                 "The kernel does not segment UDP here: sending one datagram a call");
    gso_ = false;
    return Sent::taken;
  } else {
    stats.dropped_error += run.count;
  }
  batch_.drop_front(run.count);
  return Sent::taken;
}

ssize_t FastPath::Impl::send_segments(const SegmentRun& run) {
  iovec data{.iov_base = const_cast<std::byte*>(run.bytes.data()), .iov_len = run.bytes.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_storage*>(&remote_);
  message.msg_namelen = remote_size_;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  if (run.count > 1) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(run.segment));
    std::memcpy(CMSG_DATA(header), &run.segment, sizeof(run.segment));
  }
  return ::sendmsg(socket_.native_handle(), &message, 0);
}

void FastPath::Impl::wait_writable() {
  waiting_ = true;
  socket_.async_wait(asio::posix::descriptor_base::wait_write,
                     [self = shared_from_this()](boost::system::error_code) {
                       self->waiting_ = false;
                       if (!self->stopped_) self->flush();
                     });
}

void FastPath::Impl::wait_readable() {
  socket_.async_wait(asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                       if (self->stopped_ || error) return;
                       self->read_some();
                       if (!self->stopped_) self->wait_readable();
                     });
}

void FastPath::Impl::read_some() {
  // One batch for all that is there: the answers of one batch leave together, so that the far side reads them
  // together.
  const std::uint64_t before = stats.datagrams_received;
  int reads = 0;
  while (reads < limits::kPathReadsPerWake && read_once()) ++reads;
  if (stats.datagrams_received != before) receiver_.on_path_batch_end();
}

/// False when nothing is left to read.
bool FastPath::Impl::read_once() {
  const ByteSpan buffer = receive_buffer();
  iovec data{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
  if (size < 0) return false;
  ++stats.receive_calls;
  int segment = static_cast<int>(size);
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
      std::memcpy(&segment, CMSG_DATA(header), sizeof(segment));
    }
  }
  if (size > 0 && segment > 0) {
    deliver(buffer.first(static_cast<std::size_t>(size)), static_cast<std::size_t>(segment));
  }
  return true;
}

void FastPath::Impl::deliver(ByteView bytes, std::size_t segment) {
  for (std::size_t offset = 0; offset < bytes.size(); offset += segment) {
    ++stats.datagrams_received;
    const ByteView datagram = bytes.subspan(offset, std::min(segment, bytes.size() - offset));
    if (offset != 0 && !is_dtls(datagram)) stop_joining();
    receiver_.on_path_datagram(datagram);
  }
}

/// The kernel has joined a datagram that was the ICE library's to one of ours. That one is lost; more would
/// cost the other side's consent.
void FastPath::Impl::stop_joining() {
  if (!std::exchange(gro_, false)) return;
  observe::log(LogLevel::info, "webrtc", "STUN comes joined to DTLS here: receiving one datagram a call");
  constexpr int kOff = 0;
  set_option(socket_.native_handle(), SOL_UDP, UDP_GRO, kOff);
}

void FastPath::Impl::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

FastPath::FastPath(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<DatagramPath>> FastPath::make(asio::any_io_executor executor,
                                                     const SelectedSocket& selected, transport::Path info,
                                                     DatagramReceiver& receiver) {
  auto fd = open_beside(selected);
  if (!fd) return fail(std::move(fd.error()));
  asio::posix::stream_descriptor socket{std::move(executor)};
  boost::system::error_code refused;
  socket.assign(fd->get(), refused);
  if (refused) return fail(Errc::io, "The kernel cannot wait for a socket: " + refused.message());
  (void)fd->release();
  auto impl = std::make_shared<Impl>(std::move(socket), selected, std::move(info), receiver);
  impl->wait_readable();
  return std::unique_ptr<DatagramPath>{new FastPath{std::move(impl)}};
}

FastPath::~FastPath() {
  impl_->flush();
  impl_->stop();
}

void FastPath::send(ByteView datagram) {
  impl_->send(datagram);
}
void FastPath::send_whole(ByteView datagram) {
  impl_->send_whole(datagram);
}
std::optional<Bytes> FastPath::link_mtu() const {
  return impl_->link_mtu();
}
void FastPath::flush() {
  impl_->flush();
}
const transport::Path& FastPath::info() const {
  return impl_->info;
}
const PathStats& FastPath::stats() const {
  return impl_->stats;
}

}  // namespace sluice::webrtc
