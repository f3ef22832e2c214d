#include "transport/webrtc/ice_agent.hpp"

#include <array>
#include <fcntl.h>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <nice/agent.h>
#include <nice/interfaces.h>
#include <openssl/rand.h>

#include "core/ensure.hpp"
#include "core/limits.hpp"
#include "observe/log.hpp"
#include "transport/webrtc/descriptors.hpp"
#include "transport/webrtc/ice_inbox.hpp"
#include "transport/webrtc/ice_loop.hpp"
#include "transport/webrtc/sdp.hpp"

namespace sluice::webrtc {

namespace asio = boost::asio;
using observe::LogLevel;

namespace {

constexpr guint kComponent = 1;
/// After libnice has given up, a check from the peer may still open a path (its candidates can be
/// peer-reflexive only): so long is waited for one.
constexpr auto kLastChance = std::chrono::seconds{5};

struct GObjectUnref {
  void operator()(gpointer object) const { g_object_unref(object); }
};
using AgentPointer = std::unique_ptr<NiceAgent, GObjectUnref>;

struct NiceAddressFree {
  void operator()(NiceAddress* address) const { nice_address_free(address); }
};
using AddressPointer = std::unique_ptr<NiceAddress, NiceAddressFree>;

/// Text of ice-char, 6 random bits a character (RFC 8839 §5.4 asks for 24 bits in the ufrag and 128 in the
/// password).
std::string random_ice_text(std::size_t length) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static_assert(kAlphabet.size() == 64);
  std::string out(length, '\0');
  ENSURE(RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(length)) == 1);
  for (char& c : out) c = kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  return out;
}

std::string endpoint_of(const NiceAddress& address) {
  std::array<char, NICE_ADDRESS_STRING_LEN> text{};
  nice_address_to_string(&address, text.data());
  return endpoint_text(text.data(), static_cast<std::uint16_t>(nice_address_get_port(&address)));
}

transport::Path path_of(const NiceCandidate& local, const NiceCandidate& remote) {
  using Kind = transport::Path::Kind;
  const bool relayed =
      local.type == NICE_CANDIDATE_TYPE_RELAYED || remote.type == NICE_CANDIDATE_TYPE_RELAYED;
  return {.kind = relayed ? Kind::relayed : Kind::direct,
          .local = endpoint_of(local.addr),
          .remote = endpoint_of(remote.addr)};
}

Result<AddressPointer> parse_local_address(const std::string& text) {
  AddressPointer address{nice_address_new()};
  if (!nice_address_set_from_string(address.get(), text.c_str())) {
    return fail(Errc::invalid_argument, fmt::format("\"{}\" is not an address of this machine.", text));
  }
  return address;
}

/// A link-local address means nothing without its link (RFC 4007 §6), and candidates do not name it: it is
/// that of the socket, which is bound to an address of its own there.
void set_scope(SelectedSocket& selected) {
  if (selected.remote.ss_family != AF_INET6) return;
  auto& remote = reinterpret_cast<sockaddr_in6&>(selected.remote);
  sockaddr_in6 local{};
  socklen_t size = sizeof local;
  if (IN6_IS_ADDR_LINKLOCAL(&remote.sin6_addr) && remote.sin6_scope_id == 0 &&
      ::getsockname(selected.fd.get(), reinterpret_cast<sockaddr*>(&local), &size) == 0) {
    remote.sin6_scope_id = local.sin6_scope_id;
  }
}

/// The socket that sends to the remote candidate, unless a relay of ours does. To be called from libnice's
/// signals only: its sockets and candidates do not change meanwhile.
std::optional<SelectedSocket> duplicate_socket(NiceAgent* agent, guint stream, const NiceCandidate& local,
                                               const NiceCandidate& remote) {
  if (local.type == NICE_CANDIDATE_TYPE_RELAYED || local.transport != NICE_CANDIDATE_TRANSPORT_UDP) return {};
  GSocket* const socket = nice_agent_get_selected_socket(agent, stream, kComponent);
  if (socket == nullptr) return {};
  SelectedSocket out;
  out.fd = UniqueFd{fcntl(g_socket_get_fd(socket), F_DUPFD_CLOEXEC, 0)};
  if (!out.fd) return {};
  nice_address_copy_to_sockaddr(&remote.addr, reinterpret_cast<sockaddr*>(&out.remote));
  out.remote_size = out.remote.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  set_scope(out);
  return out;
}

bool only_loopback_is_up() {
  GList* const addresses = nice_interfaces_get_local_ips(FALSE);
  g_list_free_full(addresses, g_free);
  return addresses == nullptr;
}

}  // namespace

/// Owned by the shard's `IceAgent`, and by a task on libnice's thread from its destruction until libnice is
/// done. All members but the inbox and the agent belong to the shard or do not change.
class IceAgent::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::any_io_executor executor, const Options& options, IceRole role, Users users);

  Status set_up(const Options& options);
  void gather();
  void set_remote_credentials(IceCredentials credentials);
  void add_remote_candidate(const std::string& attribute);
  void end_of_remote_candidates();
  std::size_t send(ByteView bytes, std::span<const std::uint16_t> sizes);
  std::optional<SelectedSocket> take_selected_socket() { return std::exchange(selected_, std::nullopt); }
  std::uint64_t dropped() const { return inbox_.dropped(); }
  /// The owner is gone: no more calls to it. libnice is taken down on its own thread.
  void shut();

  const IceCredentials credentials{.ufrag = random_ice_text(8), .pwd = random_ice_text(24)};

 private:
  template <typename Work>
  void on_ice_thread(Work work);
  void connect_signals();
  void give_turn_servers(const std::vector<TurnServer>& servers);

  void take_inbox();
  void take_event(IceEvent& event);
  void wait_for_path(Duration time);
  void end(Errc code, std::string sentence);

  Users users_;
  AgentPointer agent_;
  guint stream_ = 0;
  /// Gone with `shut`, since the last reference may be that of libnice's thread.
  std::optional<asio::steady_timer> timer_;
  const Duration timeout_;
  const bool has_servers_;
  bool shut_ = false;
  bool connected_ = false;
  bool ended_ = false;
  std::optional<transport::Path> path_;
  std::optional<SelectedSocket> selected_;  ///< Of that path.
  IceNews taken_;
  IceInbox inbox_;  ///< The one member that both threads use.
};

IceAgent::Impl::Impl(asio::any_io_executor executor, const Options& options, IceRole role, Users users)
    : users_(users),
      timer_(executor),
      timeout_(options.ice_timeout),
      has_servers_(options.stun.has_value() || !options.turn.empty()),
      inbox_(std::move(executor)) {
  const auto flags =
      static_cast<NiceAgentOption>(NICE_AGENT_OPTION_CONSENT_FRESHNESS | NICE_AGENT_OPTION_ICE_TRICKLE);
  agent_.reset(nice_agent_new_full(IceLoop::instance().context(), NICE_COMPATIBILITY_RFC5245, flags));
  ENSURE(agent_ != nullptr);
  IceLoop::instance().agent_made();
  bool turn_over_tcp = false;
  for (const TurnServer& server : options.turn)
    turn_over_tcp |= server.transport == TurnServer::Transport::tcp;
  // libnice reaches a TURN server over TCP from its TCP candidates only; those themselves are not told the
  // peer.
  g_object_set(agent_.get(), "controlling-mode", static_cast<gboolean>(role == IceRole::controlling), "upnp",
               FALSE, "ice-tcp", static_cast<gboolean>(turn_over_tcp), "force-relay",
               static_cast<gboolean>(options.policy == Options::IcePolicy::relay_only), nullptr);
}

Status IceAgent::Impl::set_up(const Options& options) {
  if (options.stun) {
    g_object_set(agent_.get(), "stun-server", options.stun->host.c_str(), "stun-server-port",
                 static_cast<guint>(options.stun->port), nullptr);
  }
  std::vector<std::string> addresses = options.local_addresses;
  if (addresses.empty() && only_loopback_is_up()) addresses = {"127.0.0.1", "::1"};
  for (const std::string& text : addresses) {
    auto address = parse_local_address(text);
    if (!address) return fail(std::move(address.error()));
    nice_agent_add_local_address(agent_.get(), address->get());
  }
  stream_ = nice_agent_add_stream(agent_.get(), 1);
  ENSURE(stream_ != 0);
  nice_agent_set_stream_name(agent_.get(), stream_, "application");
  nice_agent_set_local_credentials(agent_.get(), stream_, credentials.ufrag.c_str(), credentials.pwd.c_str());
  give_turn_servers(options.turn);
  inbox_.open([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->take_inbox();
  });
  connect_signals();
  return {};
}

void IceAgent::Impl::give_turn_servers(const std::vector<TurnServer>& servers) {
  for (const TurnServer& server : servers) {
    const bool tcp = server.transport == TurnServer::Transport::tcp;
    nice_agent_set_relay_info(agent_.get(), stream_, kComponent, server.host.c_str(), server.port,
                              server.user.c_str(), server.password.c_str(),
                              tcp ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP);
  }
}

/// libnice emits its signals from whatever thread caused them, its own or the shard's: the handlers only fill
/// the inbox.
void IceAgent::Impl::connect_signals() {
  NiceAgent* const agent = agent_.get();
  const auto connect = [this, agent](const char* signal, auto handler) {
    g_signal_connect(agent, signal, reinterpret_cast<GCallback>(handler), this);
  };
  connect(
      "new-candidate-full", +[](NiceAgent* a, NiceCandidate* candidate, gpointer self) {
        if (candidate->transport != NICE_CANDIDATE_TRANSPORT_UDP) return;
        gchar* const line = nice_agent_generate_local_candidate_sdp(a, candidate);
        std::string_view text = line;
        if (text.starts_with("a=")) text.remove_prefix(2);
        static_cast<Impl*>(self)->inbox_.put(
            {.kind = IceEvent::Kind::candidate, .candidate = std::string{text}});
        g_free(line);
      });
  connect(
      "candidate-gathering-done", +[](NiceAgent*, guint, gpointer self) {
        static_cast<Impl*>(self)->inbox_.put({.kind = IceEvent::Kind::candidates_done});
      });
  connect(
      "new-selected-pair-full",
      +[](NiceAgent* a, guint, guint, NiceCandidate* local, NiceCandidate* remote, gpointer self) {
        auto& impl = *static_cast<Impl*>(self);
        impl.inbox_.put({.kind = IceEvent::Kind::path,
                         .path = path_of(*local, *remote),
                         .socket = duplicate_socket(a, impl.stream_, *local, *remote)});
      });
  connect(
      "component-state-changed", +[](NiceAgent*, guint, guint, guint state, gpointer self) {
        if (state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY) {
          static_cast<Impl*>(self)->inbox_.put({.kind = IceEvent::Kind::connected});
        } else if (state == NICE_COMPONENT_STATE_FAILED) {
          static_cast<Impl*>(self)->inbox_.put({.kind = IceEvent::Kind::failed});
        }
      });
  nice_agent_attach_recv(
      agent, stream_, kComponent, IceLoop::instance().context(),
      [](NiceAgent*, guint, guint, guint size, gchar* data, gpointer self) {
        static_cast<Impl*>(self)->inbox_.put_datagram(std::as_bytes(std::span{data, size}));
      },
      this);
}

/// Runs `work(agent)` on libnice's thread, in order; this object is alive then, since its end goes the same
/// way.
template <typename Work>
void IceAgent::Impl::on_ice_thread(Work work) {
  IceLoop::instance().post([this, work = std::move(work)]() mutable { work(agent_.get()); });
}

void IceAgent::Impl::gather() {
  on_ice_thread([this](NiceAgent* agent) {
    // It fails when no socket can be bound at all: then there is nothing to wait for.
    if (!nice_agent_gather_candidates(agent, stream_)) inbox_.put({.kind = IceEvent::Kind::candidates_done});
  });
}

void IceAgent::Impl::set_remote_credentials(IceCredentials remote) {
  on_ice_thread([this, remote = std::move(remote)](NiceAgent* agent) {
    nice_agent_set_remote_credentials(agent, stream_, remote.ufrag.c_str(), remote.pwd.c_str());
  });
  wait_for_path(timeout_);
}

void IceAgent::Impl::add_remote_candidate(const std::string& attribute) {
  on_ice_thread([this, line = "a=" + attribute](NiceAgent* agent) {
    NiceCandidate* const candidate = nice_agent_parse_remote_candidate_sdp(agent, stream_, line.c_str());
    if (candidate == nullptr) {
      observe::log(LogLevel::debug, "webrtc",
                   [&] { return fmt::format("libnice does not read \"{}\"", line); });
      return;
    }
    GSList list{.data = candidate, .next = nullptr};
    nice_agent_set_remote_candidates(agent, stream_, kComponent, &list);
    nice_candidate_free(candidate);
  });
}

void IceAgent::Impl::end_of_remote_candidates() {
  on_ice_thread([this](NiceAgent* agent) { nice_agent_peer_candidate_gathering_done(agent, stream_); });
}

std::size_t IceAgent::Impl::send(ByteView bytes, std::span<const std::uint16_t> sizes) {
  std::vector<GOutputVector> vectors(sizes.size());
  std::vector<NiceOutputMessage> messages(sizes.size());
  std::size_t offset = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    vectors[i] = {.buffer = bytes.data() + offset, .size = sizes[i]};
    messages[i] = {.buffers = &vectors[i], .n_buffers = 1};
    offset += sizes[i];
  }
  const int taken =
      nice_agent_send_messages_nonblocking(agent_.get(), stream_, kComponent, messages.data(),
                                           static_cast<guint>(messages.size()), nullptr, nullptr);
  return taken > 0 ? static_cast<std::size_t>(taken) : 0;
}

void IceAgent::Impl::take_inbox() {
  inbox_.swap(taken_);
  for (IceEvent& event : taken_.events) {
    if (shut_) return;
    take_event(event);
  }
  if (!shut_ && !taken_.sizes.empty()) {
    std::size_t offset = 0;
    for (const std::uint32_t size : taken_.sizes) {
      users_.receiver.on_path_datagram(ByteView{taken_.bytes}.subspan(offset, size));
      offset += size;
    }
    users_.receiver.on_path_batch_end();
  }
  taken_.clear();
}

void IceAgent::Impl::take_event(IceEvent& event) {
  if (ended_) return;
  switch (event.kind) {
    case IceEvent::Kind::candidate:
      return users_.listener.on_ice_candidate(event.candidate);
    case IceEvent::Kind::candidates_done:
      return users_.listener.on_ice_candidates_done();
    case IceEvent::Kind::path:
      path_ = event.path;
      selected_ = std::move(event.socket);
      if (connected_) users_.listener.on_ice_path(*path_);
      return;
    case IceEvent::Kind::connected:
      if (std::exchange(connected_, true) || !path_) return;
      timer_->cancel();
      return users_.listener.on_ice_path(*path_);
    case IceEvent::Kind::failed:
      if (connected_) return end(Errc::link_lost, "The other side does not answer any more.");
      return wait_for_path(std::min<Duration>(kLastChance, timeout_));
  }
}

/// Ends the search when no path has been found by then; an earlier deadline stays.
void IceAgent::Impl::wait_for_path(Duration time) {
  const auto deadline = asio::steady_timer::clock_type::now() + time;
  if (timer_->expiry() != asio::steady_timer::time_point{} && timer_->expiry() <= deadline) return;
  timer_->expires_at(deadline);
  timer_->async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->shut_ || self->connected_) return;
    self->end(Errc::unreachable, self->has_servers_ ? "No path to the other side was found: a firewall on "
                                                      "either side lets nothing through. A TURN server "
                                                      "that both can reach (--turn) would relay the traffic."
                                                    : "No path to the other side was found. Between "
                                                      "different networks a STUN server (--stun) is needed, "
                                                      "behind strict firewalls a TURN server (--turn).");
  });
}

void IceAgent::Impl::end(Errc code, std::string sentence) {
  if (std::exchange(ended_, true)) return;
  users_.listener.on_ice_failed({.code = code, .message = std::move(sentence)});
}

void IceAgent::Impl::shut() {
  shut_ = true;
  timer_.reset();
  inbox_.close();
  IceLoop::instance().post([self = shared_from_this()]() mutable {
    NiceAgent* const agent = self->agent_.get();
    g_signal_handlers_disconnect_by_data(agent, self.get());
    if (self->stream_ != 0)
      nice_agent_attach_recv(agent, self->stream_, kComponent, nullptr, nullptr, nullptr);
    auto keep = std::make_unique<std::shared_ptr<Impl>>(std::move(self));
    nice_agent_close_async(
        agent,
        [](GObject*, GAsyncResult*, gpointer data) {
          const std::unique_ptr<std::shared_ptr<Impl>> last{static_cast<std::shared_ptr<Impl>*>(data)};
          (*last)->agent_.reset();
          IceLoop::instance().agent_gone();
        },
        keep.release());
  });
}

IceAgent::IceAgent(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<IceAgent>> IceAgent::make(asio::any_io_executor executor, const Options& options,
                                                 IceRole role, Users users) {
  if (options.turn.size() > limits::kMaxTurnServers)
    return fail(Errc::limit_exceeded, "Too many TURN servers.");
  if (options.policy == Options::IcePolicy::relay_only && options.turn.empty()) {
    return fail(Errc::invalid_argument, "Relaying only needs a TURN server (--turn).");
  }
  if (auto enough = check_descriptors(descriptors_for(options)); !enough)
    return fail(std::move(enough.error()));
  std::unique_ptr<IceAgent> agent{
      new IceAgent{std::make_shared<Impl>(std::move(executor), options, role, users)}};
  if (auto ready = agent->impl_->set_up(options); !ready) return fail(std::move(ready.error()));
  return agent;
}

IceAgent::~IceAgent() {
  impl_->shut();
}

const IceCredentials& IceAgent::credentials() const {
  return impl_->credentials;
}
void IceAgent::gather() {
  impl_->gather();
}
void IceAgent::set_remote_credentials(IceCredentials credentials) {
  impl_->set_remote_credentials(std::move(credentials));
}
void IceAgent::add_remote_candidate(const std::string& attribute) {
  impl_->add_remote_candidate(attribute);
}
void IceAgent::end_of_remote_candidates() {
  impl_->end_of_remote_candidates();
}
std::size_t IceAgent::send(ByteView bytes, std::span<const std::uint16_t> sizes) {
  return impl_->send(bytes, sizes);
}
std::optional<SelectedSocket> IceAgent::take_selected_socket() {
  return impl_->take_selected_socket();
}
std::uint64_t IceAgent::dropped() const {
  return impl_->dropped();
}

}  // namespace sluice::webrtc
