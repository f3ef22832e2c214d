#include "transport/webrtc/usrsctp_association.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <usrsctp.h>

#include "core/ensure.hpp"

namespace sluice::webrtc {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// Room behind the longest message: one byte tells that a message is longer, the rest is for a notification,
/// which may carry a whole packet of the peer's.
constexpr std::size_t kReadMargin = 20 * 1024;
/// Errors before the library gives up: our own rule about silence comes first (see the class).
constexpr std::uint16_t kMaxErrors = 200;
/// INITs before the library gives up; at most 2 s apart, so that the silence is noticed first here too.
constexpr std::uint16_t kMaxInits = 30;

/// How much longer chunks become than SCTP_MAXSEG says: the library adds an IPv6 header to it and takes an
/// IPv4 header off when it cuts.
constexpr std::size_t kMaxSegExcess = 20;

template <typename Milliseconds>
constexpr std::uint32_t as_ms(Milliseconds duration) {
  return static_cast<std::uint32_t>(duration_cast<milliseconds>(duration).count());
}

sockaddr_conn make_address(void* address, std::uint16_t port) {
  sockaddr_conn out{};
  out.sconn_family = AF_CONN;
  out.sconn_port = htons(port);
  out.sconn_addr = address;
  return out;
}

/// The notification at the start of `bytes`, or nothing when it is cut short.
template <typename T>
std::optional<T> read_as(ByteView bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, bytes.data(), sizeof(T));
  return out;
}

Status fail_with_errno(const char* what) {
  return fail(Errc::io, fmt::format("SCTP: {}: {}", what, std::strerror(errno)));
}

}  // namespace

UsrsctpAssociation::UsrsctpAssociation(SctpListener& listener, const SctpOptions& options)
    : listener_(listener),
      options_(options),
      stack_(UsrsctpStack::acquire()),
      address_(stack_->add(*this)),
      message_(options.max_receive_message.count() + kReadMargin),
      path_mtu_(options.path_mtu, options.path_mtu_candidates) {}

UsrsctpAssociation::~UsrsctpAssociation() {
  close_socket();
  stack_->remove(address_);
}

Status UsrsctpAssociation::start() {
  ENSURE(socket_ == nullptr);
  if (Status opened = open_socket(); !opened) return opened;
  // Counted in packets, for all associations that begin from now on.
  usrsctp_sysctl_set_sctp_initial_cwnd(
      static_cast<std::uint32_t>(limits::kSctpInitialWindow.count() / largest_path_mtu().count()));
  sockaddr_conn local = make_address(address_, options_.local_port);
  if (usrsctp_bind(socket_, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0)
    return fail_with_errno("bind");
  sockaddr_conn remote = make_address(address_, options_.remote_port);
  if (usrsctp_connect(socket_, reinterpret_cast<sockaddr*>(&remote), sizeof remote) != 0 &&
      errno != EINPROGRESS) {
    return fail_with_errno("connect");
  }
  return configure_path(PathOf::association, largest_path_mtu());
}

Status UsrsctpAssociation::open_socket() {
  socket_ = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
  if (socket_ == nullptr) return fail_with_errno("socket");
  if (usrsctp_set_non_blocking(socket_, 1) != 0) return fail_with_errno("non-blocking");
  if (Status configured = configure(); !configured) return configured;
  if (usrsctp_set_upcall(socket_, &UsrsctpAssociation::on_upcall, this) != 0)
    return fail_with_errno("upcall");
  return {};
}

template <typename T>
Status UsrsctpAssociation::set_option(int level, int name, const T& value, const char* what) {
  if (usrsctp_setsockopt(socket_, level, name, &value, sizeof value) == 0) return {};
  return fail_with_errno(what);
}

Status UsrsctpAssociation::configure() {
  const auto sctp = [this](int name, const auto& value, const char* what) {
    return set_option(IPPROTO_SCTP, name, value, what);
  };
  const linger abort_on_close{.l_onoff = 1, .l_linger = 0};
  const sctp_assoc_value resets{.assoc_id = SCTP_ALL_ASSOC, .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ};
  const sctp_initmsg init{.sinit_num_ostreams = limits::kSctpStreams,
                          .sinit_max_instreams = limits::kSctpStreams,
                          .sinit_max_attempts = kMaxInits,
                          .sinit_max_init_timeo = static_cast<std::uint16_t>(as_ms(limits::kSctpRtoMax))};
  sctp_rtoinfo rto{};
  rto.srto_initial = as_ms(limits::kSctpRtoInitial);
  rto.srto_min = as_ms(limits::kSctpRtoMin);
  rto.srto_max = as_ms(limits::kSctpRtoMax);
  sctp_assocparams association{};
  association.sasoc_asocmaxrxt = kMaxErrors;

  const std::array results{
      set_option(SOL_SOCKET, SO_LINGER, abort_on_close, "linger"),
      set_option(SOL_SOCKET, SO_SNDBUF, static_cast<int>(options_.send_buffer.count()), "send buffer"),
      set_option(SOL_SOCKET, SO_RCVBUF, static_cast<int>(options_.receive_buffer.count()), "receive buffer"),
      sctp(SCTP_ENABLE_STREAM_RESET, resets, "stream reset"),
      sctp(SCTP_RECVRCVINFO, 1, "receive information"),
      sctp(SCTP_NODELAY, 1, "no delay"),
      sctp(SCTP_FRAGMENT_INTERLEAVE, 0, "fragment interleave"),
      sctp(SCTP_INITMSG, init, "INIT"),
      sctp(SCTP_RTOINFO, rto, "retransmission timeouts"),
      sctp(SCTP_ASSOCINFO, association, "association errors"),
      configure_path(PathOf::socket, largest_path_mtu()),
      limit_chunks(options_.path_mtu),
  };
  for (const Status& result : results) {
    if (!result) return result;
  }
  for (const auto type : std::initializer_list<std::uint16_t>{SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT}) {
    const sctp_event event{.se_assoc_id = SCTP_ALL_ASSOC, .se_type = type, .se_on = 1};
    if (Status result = sctp(SCTP_EVENT, event, "events"); !result) return result;
  }
  return {};
}

/// The socket's defaults, and once there is an association the same again for its one path, since the library
/// gives a new path an MTU of its own.
Status UsrsctpAssociation::configure_path(PathOf which, Bytes mtu) {
  sctp_paddrparams path{};
  path.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_ENABLE;
  path.spp_pathmtu = static_cast<std::uint32_t>(mtu.count() - kSctpHeader);  // As the library counts.
  path.spp_hbinterval = as_ms(limits::kSctpHeartbeat);
  path.spp_pathmaxrxt = kMaxErrors;
  if (which == PathOf::association) {
    const sockaddr_conn remote = make_address(address_, options_.remote_port);
    std::memcpy(&path.spp_address, &remote, sizeof remote);
  }
  return set_option(IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path, "path parameters");
}

/// Chunks are cut for packets of this size, or for the path's.
Status UsrsctpAssociation::limit_chunks(std::optional<Bytes> packet) {
  const sctp_assoc_value payload{
      .assoc_id = SCTP_FUTURE_ASSOC,
      .assoc_value =
          packet ? static_cast<std::uint32_t>(packet->count() - kSctpHeader - kSctpDataHeader - kMaxSegExcess)
                 : 0};
  return set_option(IPPROTO_SCTP, SCTP_MAXSEG, payload, "chunk size");
}

Bytes UsrsctpAssociation::largest_path_mtu() const {
  return options_.path_mtu_candidates.empty() ? options_.path_mtu : options_.path_mtu_candidates.back();
}

void UsrsctpAssociation::receive(ByteView packet) {
  if (state_ == State::over) return;
  ++stats_.packets_in;
  if (!has_valid_checksum(packet)) {
    ++stats_.bad_checksums;
    return;
  }
  heard_ = true;
  if (path_mtu_.waiting()) {
    if (const auto size = answered_path_probe(packet)) path_mtu_.on_answer(*size);
  }
  usrsctp_conninput(address_, packet.data(), packet.size(), 0);
}

void UsrsctpAssociation::on_packet(ByteSpan packet) {
  if (packet.size() < kSctpHeader) return;
  ++stats_.packets_out;
  meter_.observe(packet, [this](const SctpTransmission& sent) {
    unsent_ -= sent.payload;
    listener_.on_sctp_transmitted(sent);
  });
  std::ranges::copy(packet.first(kSctpHeader), header_.begin());
  if (!path_mtu_.settled() && size_of(packet) > path_mtu_.proven()) {
    for (ByteBuffer& part : split_packet(packet, path_mtu_.proven())) {
      fill_checksum(part);
      listener_.on_sctp_packet(part);
    }
    return;
  }
  fill_checksum(packet);
  listener_.on_sctp_packet(packet);
}

void UsrsctpAssociation::on_upcall(struct socket* /*socket*/, void* self, int /*flags*/) {
  static_cast<UsrsctpAssociation*>(self)->signalled_ = true;
}

void UsrsctpAssociation::process(TimePoint now) {
  if (state_ == State::over || socket_ == nullptr) return;
  if (signalled_ && reading_ == Reading::flowing) {
    signalled_ = false;
    drain();
  }
  if (state_ != State::over) watch_silence(now);
  if (state_ == State::established) watch_progress(now);
  if (state_ == State::established) probe_path(now);
  if (state_ == State::established && blocked_ && (usrsctp_get_events(socket_) & SCTP_EVENT_WRITE) != 0) {
    blocked_ = false;
    listener_.on_sctp_writable();
  }
}

void UsrsctpAssociation::watch_progress(TimePoint now) {
  if (now - looked_at_ < std::chrono::seconds{1}) return;
  looked_at_ = now;
  sctp_status status{};
  socklen_t size = sizeof status;
  if (usrsctp_getsockopt(socket_, IPPROTO_SCTP, SCTP_STATUS, &status, &size) != 0) return;
  const bool idle = status.sstat_unackdata == 0 && status.sstat_penddata == 0;
  if (const Bytes left = meter_.transmitted() + meter_.retransmitted(); idle || left != left_) {
    left_ = left;
    progressed_at_ = now;
  }
  if (now - progressed_at_ < limits::kSctpStall) return;
  close_socket();
  end(Error{.code = Errc::stalled, .message = "the SCTP stack no longer sends what it has to send"});
}

void UsrsctpAssociation::probe_path(TimePoint now) {
  path_mtu_.start(now);
  for (const Bytes size : path_mtu_.due(now)) listener_.on_sctp_probe(make_path_probe(header_, size));
  if (path_mtu_.settled() && path_mtu_.proven() != applied_path_mtu_) apply_path_mtu();
}

/// Fails only when the association is on its way out, and then does not matter.
void UsrsctpAssociation::apply_path_mtu() {
  applied_path_mtu_ = path_mtu_.proven();
  (void)configure_path(PathOf::association, applied_path_mtu_);
  (void)limit_chunks(std::nullopt);
}

void UsrsctpAssociation::watch_silence(TimePoint now) {
  if (std::exchange(heard_, false) || !heard_at_.has_value()) heard_at_ = now;
  if (now - *heard_at_ < limits::kSctpSilence) return;
  close_socket();
  end(Error{.code = Errc::link_lost,
            .message = fmt::format("nothing has come from the other side for {} s",
                                   duration_cast<std::chrono::seconds>(limits::kSctpSilence).count())});
}

void UsrsctpAssociation::drain() {
  while (state_ != State::over && socket_ != nullptr) {
    if (reading_ == Reading::paused) {
      signalled_ = true;
      return;
    }
    sctp_rcvinfo info{};
    socklen_t info_size = sizeof info;
    unsigned info_type = 0;
    int flags = 0;
    const ssize_t size =
        usrsctp_recvv(socket_, message_.data() + message_size_, message_.size() - message_size_, nullptr,
                      nullptr, &info, &info_size, &info_type, &flags);
    if (size < 0) {
      if (errno == EWOULDBLOCK || errno == EAGAIN) return;
      return end(Error{.code = Errc::link_lost, .message = "the SCTP association broke"});
    }
    if (size == 0 && (flags & MSG_EOR) == 0) {
      return end(Error{.code = Errc::closed, .message = "the other side shut the association down"});
    }
    if ((flags & MSG_NOTIFICATION) != 0) {
      on_notification(ByteView{message_}.subspan(message_size_, static_cast<std::size_t>(size)));
    } else {
      take_fragment(static_cast<std::size_t>(size), flags, &info);
    }
  }
}

void UsrsctpAssociation::take_fragment(std::size_t size, int flags, const void* info) {
  message_size_ += size;
  if (Bytes{message_size_} > options_.max_receive_message) {
    close_socket();
    return end(Error{.code = Errc::limit_exceeded,
                     .message = fmt::format("the other side sent a message of more than {} bytes",
                                            options_.max_receive_message.count())});
  }
  if ((flags & MSG_EOR) == 0) return;
  const auto& received = *static_cast<const sctp_rcvinfo*>(info);
  const SctpMessage message{
      .stream = received.rcv_sid,
      .ppid = ntohl(received.rcv_ppid),
      .order = (received.rcv_flags & SCTP_UNORDERED) != 0 ? SctpOrder::unordered : SctpOrder::ordered,
      .payload = ByteView{message_}.first(std::exchange(message_size_, 0))};
  listener_.on_sctp_message(message);
}

void UsrsctpAssociation::on_notification(ByteView bytes) {
  const auto type = read_as<std::uint16_t>(bytes);
  if (type == SCTP_ASSOC_CHANGE) on_association_change(bytes);
  if (type == SCTP_STREAM_RESET_EVENT) on_stream_reset(bytes);
}

void UsrsctpAssociation::on_association_change(ByteView bytes) {
  std::array<std::byte, sizeof(sctp_assoc_change)> raw;
  if (bytes.size() < raw.size()) return;
  std::ranges::copy(bytes.first(raw.size()), raw.begin());
  sctp_assoc_change change;
  std::memcpy(&change, raw.data(), sizeof change);
  switch (change.sac_state) {
    case SCTP_COMM_UP:
      state_ = State::established;
      listener_.on_sctp_established();
      return;
    case SCTP_SHUTDOWN_COMP:
      return end(Error{.code = Errc::closed, .message = "the other side shut the association down"});
    case SCTP_RESTART:
      close_socket();
      return end(Error{.code = Errc::link_lost, .message = "the other side started anew"});
    case SCTP_CANT_STR_ASSOC:
      return end(Error{.code = Errc::link_lost, .message = "the other side refused the SCTP association"});
    default:
      return end(Error{.code = Errc::link_lost, .message = "the other side aborted the SCTP association"});
  }
}

void UsrsctpAssociation::on_stream_reset(ByteView bytes) {
  constexpr std::size_t kHeader = sizeof(sctp_stream_reset_event);
  if (bytes.size() < kHeader) return;
  std::uint16_t flags = 0;
  std::memcpy(&flags, bytes.data() + offsetof(sctp_stream_reset_event, strreset_flags), sizeof flags);
  const bool refused = (flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) != 0;
  for (ByteView rest = bytes.subspan(kHeader); rest.size() >= sizeof(StreamId);
       rest = rest.subspan(sizeof(StreamId))) {
    const StreamId stream = *read_as<StreamId>(rest);
    if ((flags & SCTP_STREAM_RESET_OUTGOING_SSN) != 0) {
      listener_.on_sctp_outgoing_reset(
          stream, refused ? SctpListener::ResetResult::denied : SctpListener::ResetResult::performed);
    } else if (!refused && (flags & SCTP_STREAM_RESET_INCOMING_SSN) != 0) {
      listener_.on_sctp_incoming_reset(stream);
    }
  }
}

SctpSend UsrsctpAssociation::send(const SctpMessage& message) {
  if (state_ != State::established) return SctpSend::refused;
  sctp_sndinfo info{};
  info.snd_sid = message.stream;
  info.snd_ppid = htonl(message.ppid);
  info.snd_flags = message.order == SctpOrder::unordered ? SCTP_UNORDERED : 0;
  unsent_ += size_of(message.payload);  // Before the call, inside of which it may already go out.
  const ssize_t sent = usrsctp_sendv(socket_, message.payload.data(), message.payload.size(), nullptr, 0,
                                     &info, sizeof info, SCTP_SENDV_SNDINFO, 0);
  if (sent >= 0) return SctpSend::accepted;
  const int error = errno;
  unsent_ -= size_of(message.payload);
  if (error != EWOULDBLOCK && error != EAGAIN && error != ENOBUFS) return SctpSend::refused;
  blocked_ = true;
  return SctpSend::would_block;
}

Status UsrsctpAssociation::reset_stream(StreamId stream) {
  if (state_ != State::established) return fail(Errc::closed, "the association is over");
  // sctp_reset_streams ends in an array of any length: one is wanted.
  alignas(sctp_reset_streams) std::array<std::byte, sizeof(sctp_reset_streams) + sizeof(StreamId)> raw{};
  const sctp_reset_streams header{
      .srs_assoc_id = 0, .srs_flags = SCTP_STREAM_RESET_OUTGOING, .srs_number_streams = 1};
  std::memcpy(raw.data(), &header, sizeof header);
  std::memcpy(raw.data() + offsetof(sctp_reset_streams, srs_stream_list), &stream, sizeof stream);
  if (usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_RESET_STREAMS, raw.data(), raw.size()) == 0) return {};
  if (errno == EALREADY || errno == EAGAIN) return fail(Errc::busy, "another stream is being reset");
  return fail_with_errno("reset of a stream");
}

void UsrsctpAssociation::end(Error reason) {
  if (state_ == State::over) return;
  state_ = State::over;
  listener_.on_sctp_ended(reason);
}

/// SO_LINGER makes the close an ABORT while the association lives, and silent afterwards.
void UsrsctpAssociation::close_socket() {
  if (socket_ == nullptr) return;
  usrsctp_set_upcall(socket_, nullptr, nullptr);
  usrsctp_close(std::exchange(socket_, nullptr));
}

SctpStats UsrsctpAssociation::stats() const {
  SctpStats out = stats_;
  out.unsent = unsent_;
  out.retransmitted = meter_.retransmitted();
  out.path_mtu = path_mtu_.proven();
  if (state_ != State::established) return out;
  sctp_status status{};
  socklen_t size = sizeof status;
  if (usrsctp_getsockopt(socket_, IPPROTO_SCTP, SCTP_STATUS, &status, &size) != 0) return out;
  out.congestion_window = Bytes{status.sstat_primary.spinfo_cwnd};
  out.round_trip = milliseconds{status.sstat_primary.spinfo_srtt};
  return out;
}

}  // namespace sluice::webrtc
