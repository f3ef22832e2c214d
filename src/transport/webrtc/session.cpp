#include "transport/webrtc/session.hpp"

#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "core/ensure.hpp"
#include "core/limits.hpp"
#include "observe/log.hpp"
#include "transport/webrtc/fast_path.hpp"
#include "transport/webrtc/nice_path.hpp"
#include "transport/webrtc/path_mtu.hpp"

namespace sluice::webrtc {

namespace asio = boost::asio;
using observe::LogLevel;

Session::Session(asio::any_io_executor executor, Options options, transport::PeerConnectionListener& listener)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      listener_(&listener),
      certificate_(Certificate::generate()),
      transport_(certificate_, *this, options_.sctp),
      deadline_(executor_) {
  last_path_.kind = transport::Path::Kind::direct;
}

Session::~Session() {
  shut();
}

Status Session::begin(IceRole role) {
  if (state_ != State::fresh)
    return fail(Errc::invalid_argument, "This connection has been negotiated already.");
  auto agent = IceAgent::make(executor_, options_, role, {.listener = *this, .receiver = *this});
  if (!agent) return fail(std::move(agent.error()));
  agent_ = std::move(*agent);
  state_ = State::negotiating;
  role_ = role;
  const auto opener = options_.opener;
  if (opener == Options::Opener::this_side ||
      (opener == Options::Opener::offerer && role == IceRole::controlling)) {
    if (auto created = transport_.create_channel(options_.channel); !created) return created;
  }
  deadline_.expires_after(options_.setup_timeout);
  deadline_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->fail_with({.code = Errc::timed_out,
                     .message = self->remote_
                                    ? "The other side was found, but the connection was not set up in time."
                                    : "The other side did not answer in time."});
  });
  return {};
}

std::string Session::describe_here(DtlsSetup setup) const {
  SessionDescription here{.ice_ufrag = agent_->credentials().ufrag,
                          .ice_pwd = agent_->credentials().pwd,
                          .fingerprint = certificate_.fingerprint(),
                          .setup = setup,
                          .sctp_port = options_.sctp.local_port,
                          .max_message_size = options_.sctp.max_receive_message,
                          .max_packet_size = limits::kMaxSctpPacket};
  if (remote_) {
    here.mid = remote_->mid;
    here.syntax = remote_->syntax;
  }
  return write_sdp(here);
}

Result<std::string> Session::create_offer() {
  if (auto begun = begin(IceRole::controlling); !begun) return fail(std::move(begun.error()));
  agent_->gather();
  return describe_here(DtlsSetup::actpass);
}

Result<std::string> Session::accept_offer(const std::string& sdp) {
  auto offer = parse_sdp(sdp);
  if (!offer) return fail(std::move(offer.error()));
  if (auto begun = begin(IceRole::controlled); !begun) return fail(std::move(begun.error()));
  // The answerer goes first where it may: its ClientHello then travels while the offerer takes the answer in.
  const bool client = offer->setup != DtlsSetup::active;
  agent_->gather();
  take_description(std::move(*offer), client ? DtlsRole::client : DtlsRole::server);
  return describe_here(client ? DtlsSetup::active : DtlsSetup::passive);
}

Status Session::set_answer(const std::string& sdp) {
  if (state_ != State::negotiating || role_ != IceRole::controlling || remote_) {
    return fail(Errc::invalid_argument, "There is no offer that waits for an answer.");
  }
  auto answer = parse_sdp(sdp);
  if (!answer) return fail(std::move(answer.error()));
  if (answer->setup == DtlsSetup::actpass) {
    return fail(Errc::malformed, "The SDP answer does not say who begins the DTLS handshake (a=setup).");
  }
  take_description(std::move(*answer),
                   answer->setup == DtlsSetup::active ? DtlsRole::server : DtlsRole::client);
  return {};
}

void Session::take_description(SessionDescription remote, DtlsRole role) {
  remote_ = std::move(remote);
  dtls_role_ = role;
  agent_->set_remote_credentials({.ufrag = remote_->ice_ufrag, .pwd = remote_->ice_pwd});
  auto candidates = std::exchange(early_candidates_, {});
  candidates.insert(candidates.begin(), remote_->candidates.begin(), remote_->candidates.end());
  candidates_taken_ = 0;
  for (const std::string& attribute : candidates) {
    // What is wrong with a candidate among others must not end the attempt: the others may do.
    if (auto taken = add_remote_candidate(attribute); !taken) {
      observe::log(LogLevel::debug, "webrtc", [&] { return describe(taken.error()); });
    }
  }
  if (remote_->end_of_candidates || early_end_) agent_->end_of_remote_candidates();
}

Status Session::add_remote_candidate(const std::string& attribute) {
  if (state_ == State::ended || state_ == State::open) return {};
  auto candidate = parse_candidate(attribute);
  if (!candidate) return fail(std::move(candidate.error()));
  if (candidates_taken_ == limits::kMaxCandidates) {
    return fail(Errc::limit_exceeded, "The other side names more candidates than are taken.");
  }
  ++candidates_taken_;
  if (!remote_) {
    early_candidates_.push_back(attribute);
  } else if (candidate->use == Candidate::Use::usable) {
    agent_->add_remote_candidate(attribute.starts_with("a=") ? attribute.substr(2) : attribute);
  } else {
    observe::log(LogLevel::debug, "webrtc", [&] { return fmt::format("not usable: {}", attribute); });
  }
  return {};
}

void Session::end_of_remote_candidates() {
  if (remote_ && agent_) {
    agent_->end_of_remote_candidates();
  } else {
    early_end_ = true;
  }
}

transport::Path Session::path() const {
  return path_ ? path_->info() : last_path_;
}

void Session::on_ice_candidate(const std::string& attribute) {
  const auto self = shared_from_this();
  if (listener_ != nullptr && state_ == State::negotiating) listener_->on_local_candidate(attribute);
}

void Session::on_ice_candidates_done() {
  const auto self = shared_from_this();
  if (listener_ != nullptr && state_ == State::negotiating) listener_->on_local_candidates_done();
}

void Session::on_ice_path(const transport::Path& path) {
  const auto self = shared_from_this();
  if (state_ == State::ended) return;
  if (path_ && path_->info().local == path.local && path_->info().remote == path.remote) return;
  use_path(path);
  start_transport();
}

void Session::use_path(const transport::Path& path) {
  path_.reset();  // first: two of our sockets on one port would share the datagrams
  if (options_.data_path == Options::DataPath::fast) {
    if (const auto selected = agent_->take_selected_socket()) {
      if (auto fast = FastPath::make(executor_, *selected, path, *this)) {
        path_ = std::move(*fast);
      } else {
        observe::log(LogLevel::info, "webrtc",
                     [&] { return fmt::format("no fast data path: {}", describe(fast.error())); });
      }
    }
  }
  if (!path_) path_ = std::make_unique<NicePath>(*agent_, path);
  last_path_ = path_->info();
  observe::log(LogLevel::debug, "webrtc", [&] {
    return fmt::format("path {} -> {}{}{}", last_path_.local, last_path_.remote,
                       last_path_.kind == transport::Path::Kind::relayed ? ", relayed" : "",
                       last_path_.fast ? ", fast" : "");
  });
}

void Session::start_transport() {
  if (!remote_ || std::exchange(started_, true)) return;
  const TimePoint now = Clock::now();
  const bool unlimited = remote_->max_message_size == Bytes::max();
  const auto version = last_path_.remote.starts_with('[') ? IpVersion::v6 : IpVersion::v4;
  const Bytes base = version == IpVersion::v6 ? limits::kSctpPathMtu : limits::kSctpPathMtuIPv4;
  auto candidates = path_mtu_candidates(path_->link_mtu().value_or(Bytes{}), version);
  std::erase_if(candidates, [this](Bytes size) { return size > remote_->max_packet_size; });
  in_turn_ = true;
  transport_.start({.role = *dtls_role_,
                    .remote_fingerprint = remote_->fingerprint,
                    .path_mtu = base,
                    .path_mtu_candidates = std::move(candidates),
                    .remote_sctp_port = remote_->sctp_port,
                    .remote_max_message_size = unlimited ? Bytes{} : remote_->max_message_size},
                   now);
  Ticker::of(executor_).add(*this, executor_);
  finish_turn(now);
}

void Session::on_path_datagram(ByteView datagram) {
  if (state_ == State::ended) return;
  in_turn_ = true;
  transport_.receive(datagram);
}

void Session::on_path_batch_end() {
  finish_turn(Clock::now());
}

void Session::on_tick(TimePoint now) {
  in_turn_ = true;
  transport_.handle_timers(now);
  finish_turn(now);
}

/// Delivers what the turn has brought, then sends what it has left. The user may let go of everything in
/// between.
void Session::finish_turn(TimePoint now) {
  const auto self = shared_from_this();
  in_turn_ = true;
  transport_.process(now);
  in_turn_ = false;
  if (path_) path_->flush();
}

void Session::on_datagram(ByteView datagram) {
  if (path_) path_->send(datagram);
  if (!in_turn_) post_turn();
}

void Session::on_probe_datagram(ByteView datagram) {
  if (path_) path_->send_whole(datagram);
}

void Session::on_work() {
  post_turn();
}

void Session::post_turn() {
  if (std::exchange(turn_posted_, true)) return;
  asio::post(executor_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->turn_posted_ = false;
    self->finish_turn(Clock::now());
  });
}

void Session::on_secure() {
  observe::log(LogLevel::debug, "webrtc", "DTLS is up, the fingerprint is the expected one");
}

void Session::on_channel(std::unique_ptr<DataChannel> channel) {
  const bool expected = options_.channel.label.empty() || channel->options().label == options_.channel.label;
  if (state_ != State::negotiating || listener_ == nullptr || !expected) {
    observe::log(LogLevel::debug, "webrtc",
                 [&] { return fmt::format("refused a channel named \"{}\"", channel->options().label); });
    return;
  }
  state_ = State::open;
  deadline_.cancel();
  channel->keep_alive(shared_from_this());
  std::exchange(listener_, nullptr)->on_open(std::move(channel));
}

void Session::on_ended(const Error& reason) {
  over_ = true;
  if (state_ == State::open) {
    state_ = State::ended;
    return post_shut();
  }
  fail_with(reason);
}

void Session::on_ice_failed(const Error& reason) {
  const auto self = shared_from_this();
  if (state_ == State::open) {
    transport_.abandon(reason);
    finish_turn(Clock::now());
  } else {
    fail_with(reason);
  }
}

void Session::fail_with(const Error& reason) {
  const auto self = shared_from_this();
  if (state_ == State::ended || state_ == State::open) return;
  state_ = State::ended;
  post_shut();
  if (auto* const listener = std::exchange(listener_, nullptr)) listener->on_failed(reason);
}

/// In a turn of its own: it ends what may be in the middle of calling.
void Session::post_shut() {
  asio::post(executor_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->shut();
  });
}

void Session::shut() {
  state_ = State::ended;
  Ticker::of(executor_).remove(*this);
  deadline_.cancel();
  if (started_ && !std::exchange(over_, true)) {
    in_turn_ = true;
    transport_.close();
    if (path_) path_->flush();
  }
  if (path_) log_path_stats();
  path_.reset();
  agent_.reset();
}

void Session::log_path_stats() const {
  observe::log(LogLevel::debug, "webrtc", [this] {
    const PathStats& stats = path_->stats();
    return fmt::format(
        "path ended: {} datagrams in {} calls out, {} in {} in; {} dropped for lack of room, {} by the "
        "system, {} before the shard took them",
        stats.datagrams_sent, stats.send_calls, stats.datagrams_received, stats.receive_calls,
        stats.dropped_backlog, stats.dropped_error, agent_ ? agent_->dropped() : 0);
  });
}

}  // namespace sluice::webrtc
