#include "hub/gateway/shard.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/ensure.hpp"
#include "hub/gateway/cost.hpp"

namespace sluice::hub {

using wire::hub::Conversation;
using wire::hub::Reason;

ShardCounts& ShardCounts::operator+=(const ShardCounts& other) {
  for (std::size_t i = 0; i < refused.size(); ++i) refused[i] += other.refused[i];
  for (std::size_t i = 0; i < ended.size(); ++i) ended[i] += other.ended[i];
  accepted += other.accepted;
  received += other.received;
  paced += other.paced;
  shed += other.shed;
  return *this;
}

Shard::Shard(Surroundings around, GatewaySettings settings)
    : around_(std::move(around)),
      settings_(std::move(settings)),
      homes_({.self = around_.self,
              .epoch = around_.epoch,
              .tick = settings_.tick,
              .presence_grace = settings_.presence_grace,
              .users = {.resume_window = settings_.resume_window},
              .dedup_key = around_.dedup_key},
             settings_.routes, {.log = around_.log, .port = around_.port, .ledger = around_.ledger}) {}

Shard::~Shard() = default;

ShardId Shard::home_of(const Conversation& conversation, std::size_t shards) {
  return home_of(conversation_hash(conversation), shards);
}

ShardId Shard::home_of(std::uint64_t conversation_hash, std::size_t shards) {
  return static_cast<ShardId>((conversation_hash ^ (conversation_hash >> 32)) % shards);
}

std::uint64_t Shard::conversation_hash(const Conversation& conversation) {
  // FNV-1a: the same on every shard, and spread over all of them.
  std::uint64_t hash = 14695981039346656037ULL ^ static_cast<std::uint64_t>(conversation.kind);
  for (const char c : conversation.name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

ConnectionRef Shard::open(std::unique_ptr<transport::MessageSocket> socket, wire::hub::Encoding encoding,
                          Moment now) {
  const ConnectionRef ref{.shard = around_.self, .id = ++last_id_};
  std::unique_ptr<Connection> connection{
      new Connection{.ref = ref, .socket = std::move(socket), .encoding = encoding, .opened = now.at}};
  around_.observer.on_opened(*connection);
  connections_.emplace(ref.id, std::move(connection));
  greetings_.push_back({.since = now.at, .id = ref.id});
  return ref;
}

Connection* Shard::live(ConnectionRef ref) {
  const auto found = connections_.find(ref.id);
  return found == connections_.end() || ref.shard != around_.self ? nullptr : found->second.get();
}

const Connection* Shard::find(ConnectionRef ref) const {
  const auto found = connections_.find(ref.id);
  return found == connections_.end() ? nullptr : found->second.get();
}

namespace {

/// What a WebSocket's end is called.
Reason reason_of(Errc code) {
  switch (code) {
    case Errc::closed:
      return Reason::closed_by_client;
    case Errc::stalled:
      return Reason::heartbeat_missed;
    case Errc::limit_exceeded:
      return Reason::too_large;
    case Errc::protocol_violation:
      return Reason::protocol_violation;
    case Errc::busy:
      return Reason::overloaded;
    default:
      return Reason::connection_lost;
  }
}

}  // namespace

/// What a client says, each kind to where it is dealt with.
struct Shard::Handler {
  Shard& shard;
  Connection& connection;
  std::size_t size;
  Moment now;

  void operator()(wire::hub::Hello& hello) const { shard.hello(connection, std::move(hello), now); }
  void operator()(wire::hub::Publish& publish) const {
    shard.publish(connection, std::move(publish), size, now);
  }
  void operator()(wire::hub::Request& request) const { shard.ask(connection, std::move(request), size, now); }
  void operator()(wire::hub::Reply& reply) const {
    if (shard.paced(connection, size, {}, now)) (void)shard.reply(connection, std::move(reply), size, now);
  }
  void operator()(const wire::hub::Join& join) const {
    if (shard.may_ask(connection, size, join.group, now)) shard.join(connection, join, now);
  }
  void operator()(const wire::hub::Leave& leave) const { shard.leave(connection, leave, now); }
  void operator()(const wire::hub::Pull& pull) const { shard.pull(connection, pull, now); }
  void operator()(const wire::hub::Who& who) const { shard.who(connection, who, now); }
  void operator()(const wire::hub::Refresh& refresh) const {
    if (shard.paced(connection, size, {}, now)) shard.refresh(connection, refresh, now);
  }
  void operator()(const wire::hub::Ack& ack) const { shard.ack(connection, ack, now); }
  void operator()(const wire::hub::Ping& ping) const {
    shard.say(connection, wire::hub::Pong{.nonce = ping.nonce}, now);
  }
  void operator()(const wire::hub::Pong&) const {}  // that it is alive is the socket's business
};

void Shard::heard(ConnectionRef from, wire::hub::FromClient message, std::size_t size, Moment now) {
  Connection* const connection = live(from);
  if (connection == nullptr) return;
  ++counts_.received;
  const bool is_hello = std::holds_alternative<wire::hub::Hello>(message);
  const auto expected = is_hello ? Connection::State::greeting : Connection::State::open;
  if (connection->state != expected) {
    return end(*connection, Reason::protocol_violation, How::told,
               is_hello ? "A second Hello."
                        : "The first message of a connection is a Hello, and its Welcome is awaited.",
               now);
  }
  connection->charge(cost::of(message, size), now.at);
  std::visit(Handler{.shard = *this, .connection = *connection, .size = size, .now = now}, message);
  if (Connection* const still = live(from)) settle(*still, now);
}

void Shard::writable(ConnectionRef ref, Moment now) {
  Connection* const connection = live(ref);
  if (connection == nullptr || !connection->receiver) return;
  connection->receiver->on_writable(now.at);
  settle(*connection, now);
}

void Shard::lost(ConnectionRef ref, const Error& why, Moment now) {
  if (auto closed = closing_.extract(ref.id); !closed.empty())
    return ended_.push_back(std::move(closed.mapped()));
  Connection* const connection = live(ref);
  if (connection == nullptr) return;
  end(*connection, reason_of(why.code), How::silent, describe(why), now);
}

void Shard::receive(Mail mail, Moment now) {
  std::visit(
      [&]<typename T>(T& what) {
        if constexpr (std::is_same_v<T, mail::Answer>) {
          answer(std::move(what), now);
        } else if constexpr (std::is_same_v<T, mail::Attached>) {
          attached(std::move(what), now);
        } else if constexpr (std::is_same_v<T, mail::Subscribed>) {
          subscribed(std::move(what), now);
        } else if constexpr (std::is_same_v<T, mail::Page>) {
          page(std::move(what), now);
        } else if constexpr (std::is_same_v<T, mail::DeliverRequest>) {
          deliver_request(std::move(what), now);
        } else if constexpr (std::is_same_v<T, mail::ReplyFrom>) {
          reply_from(std::move(what), now);
        } else if constexpr (std::is_same_v<T, mail::CutConnection>) {
          if (Connection* const connection = live(what.to))
            end(*connection, what.kick.reason, How::told, std::move(what.kick.message), now);
        } else if constexpr (std::is_same_v<T, mail::Probe>) {
          probe(what, now);
        } else if constexpr (std::is_same_v<T, mail::GiveWay>) {
          // By a reset: an orderly end would keep the socket for whoever does not answer that either.
          Connection* const connection = live(what.to);
          if (connection != nullptr && connection->state == Connection::State::greeting)
            end(*connection, Reason::overloaded, How::cut, "Its place went to a newcomer.", now);
        } else if constexpr (std::is_same_v<T, mail::HandOut>) {
          topics_.hand_out(what.conversation, std::move(what.batch));
        } else if constexpr (std::is_same_v<T, mail::Presence>) {
          presence(what.what, now);
        } else if constexpr (requires { homes_.handle(std::move(what), now); }) {
          homes_.handle(std::move(what), now);
        } else {
          homes_.handle(std::move(what));
        }
      },
      mail);
}

void Shard::on_stored(std::uint64_t ticket, const Status& outcome, Moment) {
  homes_.on_stored(ticket, outcome);
}

bool Shard::work(Moment now) {
  const bool more = topics_.work(settings_.fanout_slice, now.at, [this](const Subscription& subscription) {
    if (subscription.receiver->is_slow()) unsettled_.insert(subscription.owner);
  });
  for (const std::uint64_t id : std::exchange(unsettled_, {})) {
    if (Connection* const connection = live({.shard = around_.self, .id = id})) settle(*connection, now);
  }
  ended_.clear();
  return more;
}

void Shard::tick(Moment now) {
  homes_.flush(now.at);
  while (const auto id = pacing_.take_due(now.at)) {
    if (Connection* const connection = live({.shard = around_.self, .id = *id})) settle(*connection, now);
  }
  if (now.at - swept_at_ < limits::kSweep) return;
  swept_at_ = now.at;
  sweep(now);
  ended_.clear();
}

TimePoint Shard::next_tick() const {
  const TimePoint sweep = swept_at_ + limits::kSweep;
  const TimePoint flush = homes_.next_flush().value_or(sweep);
  return std::min({sweep, flush, pacing_.next().value_or(sweep)});
}

std::uint64_t Shard::pending_copies() const {
  std::uint64_t pending = 0;
  for (const auto& [id, connection] : connections_) {
    if (connection->receiver) pending += connection->receiver->pending_copies();
  }
  return pending;
}

void Shard::set_settings(GatewaySettings settings, Moment now) {
  const bool other_heartbeat = settings.heartbeat != settings_.heartbeat;
  settings_ = std::move(settings);
  homes_.set_routes(settings_.routes);
  homes_.set_tick(settings_.tick);
  homes_.set_presence_grace(settings_.presence_grace);
  homes_.set_user_limits({.resume_window = settings_.resume_window});
  for (const auto& [id, connection] : connections_) {
    // Its socket has come with the interval of before, and its Welcome will tell this one.
    const bool untold = connection->state == Connection::State::greeting ||
                        (connection->state == Connection::State::attaching && !connection->welcome);
    if (other_heartbeat && untold) connection->socket->set_ping_interval(settings_.heartbeat);
    if (!connection->receiver) continue;
    connection->receiver->limits_changed(now.at);
    (void)allow(*connection, now.at);
  }
}

void Shard::begin_drain(Moment) {
  draining_ = true;
}

}  // namespace sluice::hub
