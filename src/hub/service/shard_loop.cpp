#include "hub/service/shard_loop.hpp"

#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>

#include "core/ensure.hpp"
#include "crypto/random.hpp"
#include "hub/store/store.hpp"
#include "wire/hub/codec.hpp"

namespace sluice::hub::service {

namespace asio = boost::asio;
using wire::hub::Encoding;

namespace {

Moment moment() {
  return {.at = Clock::now(), .wall = store::system_time()};
}

}  // namespace

ShardLoop::ShardLoop(ShardId self, std::size_t shards, Common& common, StoredLog log,
                     const crypto::ShortHashKey& id_key, GatewaySettings settings)
    : self_(self),
      common_(common),
      out_(shards),
      log_(std::move(log)),
      events_(common, settings.receiver.outbox),
      shard_({.self = self,
              .shards = shards,
              .epoch = common.epoch,
              .dedup_key = id_key,
              .log = log_,
              .port = *this,
              .observer = events_,
              .ledger = common.ledger,
              .share_of = [&common](const std::string& user) { return common.shares.of(user); }},
             std::move(settings)) {}

ShardLoop::~ShardLoop() {
  ENSURE(!thread_.joinable());
}

void ShardLoop::start(const std::vector<RememberedMessage>& remembered) {
  shard_.begin(remembered, Clock::now());
  wake();
  thread_ = std::thread{[this] { io_.run(); }};
}

void ShardLoop::stop() {
  if (!thread_.joinable()) return;
  io_.stop();
  thread_.join();
}

void ShardLoop::put(std::vector<Mail> mail) {
  if (inbox_.put(std::move(mail))) asio::post(io_, [this] { wake(); });
}

void ShardLoop::stored(std::vector<store::Completion> completions) {
  asio::post(io_, [this, completions = std::move(completions)] {
    const Moment now = moment();
    for (const store::Completion& completion : completions)
      shard_.on_stored(completion.ticket, completion.outcome, now);
    wake();
  });
}

void ShardLoop::accept(transport::AcceptedSocket accepted) {
  const Encoding encoding =
      accepted.subprotocol == wire::hub::kJsonSubprotocol ? Encoding::json : Encoding::proto;
  auto socket = std::make_unique<ClientSocket>(std::move(accepted.socket), encoding, *this, common_);
  ClientSocket& client = *socket;
  const Moment now = moment();
  const ConnectionRef ref = shard_.open(std::move(socket), encoding, now);
  const auto standing = common_.tokens.query_proves(accepted.query, now.wall) ? Greetings::Standing::resumes
                                                                              : Greetings::Standing::stranger;
  const auto give_way = common_.greetings.begin(
      {.connection = ref, .address = client.remote_address(), .standing = standing}, now.at);
  for (const ConnectionRef gone : give_way) post(gone.shard, mail::GiveWay{.to = gone});
  client.begin(ref);
  if (!give_way.empty()) wake();
}

void ShardLoop::set_settings(GatewaySettings settings) {
  events_.set_limits(settings.receiver.outbox);
  shard_.set_settings(std::move(settings), moment());
  wake();
}

void ShardLoop::begin_drain() {
  shard_.begin_drain(moment());
  wake();
}

bool ShardLoop::kick(ConnectionRef connection, std::string message) {
  if (shard_.find(connection) == nullptr) return false;
  post(self_,
       mail::CutConnection{.to = connection,
                           .kick = {.reason = wire::hub::Reason::kicked, .message = std::move(message)}});
  wake();
  return true;
}

// --- the port

void ShardLoop::post(ShardId to, Mail mail) {
  if (to == self_) {
    own_mail_.push_back(std::move(mail));
  } else {
    out_[to].push_back(std::move(mail));
  }
}

SharedFrames ShardLoop::encode(const std::vector<wire::hub::FromHub>& messages, Encoding encoding) {
  return envelopes_.encode(messages, encoding);
}

std::expected<auth::Identity, ShardPort::Stranger> ShardLoop::identify(const wire::hub::Hello& hello,
                                                                       wire::hub::UnixMs now) {
  return common_.doorman.identify(hello, now);
}

std::string ShardLoop::session_token(std::string_view user, std::string_view session) {
  return common_.tokens.token(user, session);
}

std::optional<std::string> ShardLoop::session_of(std::string_view token, std::string_view user) {
  return common_.tokens.session_of(token, user);
}

std::string ShardLoop::new_session() {
  return SessionTokens::new_session();
}

std::uint64_t ShardLoop::random(std::uint64_t below) {
  return crypto::random_below(static_cast<std::uint32_t>(below));
}

// --- what clients do

void ShardLoop::on_message(ConnectionRef from, Encoding encoding, ByteView message) {
  auto decoded = wire::hub::decode_from_client(encoding, message);
  if (decoded) {
    shard_.heard(from, std::move(*decoded), message.size(), moment());
  } else {
    shard_.heard_undecoded(from, std::move(decoded.error()), message.size(), moment());
  }
  wake();
}

void ShardLoop::on_writable(ConnectionRef from) {
  shard_.writable(from, moment());
  wake();
}

void ShardLoop::on_closed(ConnectionRef from, const Error& reason) {
  shard_.lost(from, reason, moment());
  wake();
}

// --- the loop's turns

void ShardLoop::wake() {
  if (std::exchange(awake_, true)) return;
  asio::post(io_, [this] { turn(); });
}

void ShardLoop::turn() {
  awake_ = false;
  const Moment now = moment();
  read_mail(now);
  const bool more = shard_.work(now);
  if (now.at >= shard_.next_tick()) shard_.tick(now);
  send_mail();
  arm_timer();
  if (more || !own_mail_.empty()) wake();
}

void ShardLoop::read_mail(Moment now) {
  for (Mail& mail : inbox_.take()) shard_.receive(std::move(mail), now);
  // What this makes it tell itself is read in the next turn.
  for (std::size_t left = own_mail_.size(); left > 0; --left) {
    Mail mail = std::move(own_mail_.front());
    own_mail_.pop_front();
    shard_.receive(std::move(mail), now);
  }
}

void ShardLoop::send_mail() {
  for (std::size_t to = 0; to < out_.size(); ++to) {
    if (!out_[to].empty()) common_.loops[to]->put(std::exchange(out_[to], {}));
  }
}

void ShardLoop::arm_timer() {
  const TimePoint due = shard_.next_tick();
  if (armed_for_ && *armed_for_ <= due) return;
  armed_for_ = due;
  timer_.expires_at(due);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;  // armed for an earlier time meanwhile
    armed_for_.reset();
    wake();
  });
}

}  // namespace sluice::hub::service
