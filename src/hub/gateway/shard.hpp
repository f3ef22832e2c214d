#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "core/time.hpp"
#include "hub/auth/identity.hpp"
#include "hub/gateway/agenda.hpp"
#include "hub/gateway/books.hpp"
#include "hub/gateway/connection.hpp"
#include "hub/gateway/homes.hpp"
#include "hub/gateway/ids.hpp"
#include "hub/gateway/ledger.hpp"
#include "hub/gateway/mail.hpp"
#include "hub/gateway/probes.hpp"
#include "hub/gateway/settings.hpp"
#include "hub/gateway/topics.hpp"
#include "wire/hub/codec.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// What a shard asks of those around it. Pure: the shell and the tests implement it.
class ShardPort {
 public:
  virtual ~ShardPort() = default;
  /// In order for each pair of shards; never handled inside this call.
  virtual void post(ShardId to, Mail mail) = 0;
  /// As frames of the wire.
  virtual SharedFrames encode(const std::vector<wire::hub::FromHub>& messages,
                              wire::hub::Encoding encoding) = 0;
  /// Who says Hello so. The error's message is for the client.
  struct Stranger {
    wire::hub::Reason reason;
    std::string message;
  };
  virtual std::expected<auth::Identity, Stranger> identify(const wire::hub::Hello& hello,
                                                           wire::hub::UnixMs now) = 0;
  /// Secret texts that only this hub can have made.
  virtual std::string session_token(std::string_view user, std::string_view session) = 0;
  /// The session that a token names, if it is one of this user's.
  virtual std::optional<std::string> session_of(std::string_view token, std::string_view user) = 0;
  virtual std::string new_session() = 0;
  /// Uniform in [0, below).
  virtual std::uint64_t random(std::uint64_t below) = 0;
};

/// What the log and the metrics are told of. Any of it may be ignored.
class ShardObserver {
 public:
  virtual ~ShardObserver() = default;
  virtual void on_opened(const Connection& connection) = 0;
  virtual void on_welcomed(const Connection& connection) = 0;
  /// In the state that it was in until now.
  virtual void on_ended(const Connection& connection, const wire::hub::Ended& how,
                        std::string_view message) = 0;
  virtual void on_refused(const Connection& connection, wire::hub::Reason reason) = 0;
};

/// What has been counted since the start.
struct ShardCounts {
  std::array<std::uint64_t, 64> refused{};  ///< By Reason.
  std::array<std::uint64_t, 64> ended{};    ///< By Reason.
  std::uint64_t accepted = 0;               ///< Publishes.
  std::uint64_t received = 0;               ///< Envelopes.
  std::uint64_t paced = 0;                  ///< Times that reading stopped for a client's rate.
  Bytes shed{};

  ShardCounts& operator+=(const ShardCounts& other);
};

/// One of the hub's event loops as what it decides: its connections, the homes of its conversations and
/// users.
///
/// Pure: sockets, clock, store and other shards are behind interfaces, and everything happens in calls from
/// the outside, one at a time. Whoever drives it calls `work` until it returns false after every call, and
/// `tick` at `next_tick`.
class Shard {
 public:
  struct Surroundings {
    ShardId self;
    std::size_t shards;
    std::uint64_t epoch;
    crypto::ShortHashKey dedup_key;  ///< Never told, and the same after a restart.
    MessageLog& log;
    ShardPort& port;
    ShardObserver& observer;
    const Ledger& ledger;
    /// A user's, the same for all shards.
    std::function<std::shared_ptr<UserShare>(const std::string&)> share_of;
  };
  Shard(Surroundings around, GatewaySettings settings);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  /// Before anything else: what the runs before have stored of conversations that are at home here, the
  /// oldest first. Their second copies are known for what was left of their time.
  void begin(const std::vector<RememberedMessage>& remembered, TimePoint now) {
    homes_.remember_earlier(remembered, now);
  }
  [[nodiscard]] ConnectionRef open(std::unique_ptr<transport::MessageSocket> socket,
                                   wire::hub::Encoding encoding, Moment now);
  void heard(ConnectionRef from, wire::hub::FromClient message, std::size_t size, Moment now);
  /// It sent an envelope that cannot be taken: the one message is rejected where it can be told apart and
  /// answered, else the connection ends.
  void heard_undecoded(ConnectionRef from, wire::hub::Undecoded what, std::size_t size, Moment now);
  void writable(ConnectionRef connection, Moment now);
  /// Its socket has ended by itself.
  void lost(ConnectionRef connection, const Error& why, Moment now);

  void receive(Mail mail, Moment now);
  void on_stored(std::uint64_t ticket, const Status& outcome, Moment now);

  /// A bounded piece of what is to be handed out; not from inside a socket's call. True: there is more.
  bool work(Moment now);
  void tick(Moment now);
  /// When the next tick is due.
  [[nodiscard]] TimePoint next_tick() const;

  /// The heartbeat is that of connections that have no Welcome yet and of those to come, whose sockets are
  /// opened with it: the others keep what theirs has told them.
  void set_settings(GatewaySettings settings, Moment now);
  /// Every client is told, in bounded steps of `tick`, and asked to come back after a while.
  void begin_drain(Moment now);

  [[nodiscard]] const Books& books() const { return books_; }
  [[nodiscard]] std::uint64_t pending_copies() const;
  [[nodiscard]] const ShardCounts& counts() const { return counts_; }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  [[nodiscard]] std::size_t users_online() const { return homes_.users().online(); }
  [[nodiscard]] std::size_t conversations() const { return homes_.size(); }
  /// Of the users that are at home here.
  [[nodiscard]] const Users::Past* past(const std::string& session, TimePoint now) const {
    return homes_.users().past(session, now);
  }
  [[nodiscard]] const Connection* find(ConnectionRef ref) const;
  template <typename Visit>
  void each_connection(Visit&& visit) const {
    for (const auto& [id, connection] : connections_) visit(*connection);
  }

  /// The shard at which a conversation, or a user, is at home.
  [[nodiscard]] static ShardId home_of(const wire::hub::Conversation& conversation, std::size_t shards);
  /// The same by what is kept of a conversation: its `conversation_hash`.
  [[nodiscard]] static ShardId home_of(std::uint64_t conversation_hash, std::size_t shards);
  /// The same in every run.
  [[nodiscard]] static std::uint64_t conversation_hash(const wire::hub::Conversation& conversation);

 private:
  struct Handler;
  friend struct Handler;

  // connections: shard_sessions.cpp
  void hello(Connection& connection, wire::hub::Hello hello, Moment now);
  void attached(mail::Attached mail, Moment now);
  void welcome(Connection& connection, Moment now);
  void refresh(Connection& connection, const wire::hub::Refresh& refresh, Moment now);
  enum class How : std::uint8_t { told, cut, silent };
  void identify_as(Connection& connection, auth::Identity identity, Moment now);
  void forget_expiry(Connection& connection);
  wire::hub::Limits allow(Connection& connection, TimePoint now);
  void end(Connection& connection, wire::hub::Reason reason, How how, std::string message, Moment now);
  void say(Connection& connection, wire::hub::FromHub message, Moment now);
  void note_refused(const Connection& connection, wire::hub::Reason reason);
  void refuse(Connection& connection, wire::hub::Refusal refusal, Moment now);
  /// An answer about a group: behind the answers to what the client asked about it before.
  void answer_in_turn(Connection& connection, const std::string& group, wire::hub::FromHub answer,
                      Moment now);
  void home_answered(Connection& connection, const std::string& group, wire::hub::FromHub answer, Moment now);
  void settle(Connection& connection, Moment now);
  void pace(Connection& connection, TimePoint now);
  [[nodiscard]] bool is_late_for_pace(const Connection& connection, wire::hub::Reason reason,
                                      TimePoint now) const;

  // messages that cannot be taken: shard_rejects.cpp
  void reject(Connection& connection, wire::hub::Undecoded what, const wire::hub::Recognized& message,
              Moment now);

  // messages: shard_messages.cpp
  void publish(Connection& connection, wire::hub::Publish publish, std::size_t size, Moment now);
  void answer(mail::Answer mail, Moment now);
  void note_awaited(Connection& connection, const wire::hub::Receipt& receipt);
  void ack(Connection& connection, const wire::hub::Ack& ack, Moment now);
  [[nodiscard]] std::vector<mail::Unacknowledged> unacknowledged(const Connection& connection);
  void processed_before(const Connection& connection, const wire::hub::Position& reached,
                        const mail::Unacknowledged& sent);
  [[nodiscard]] std::optional<Duration> limited(Connection& connection, std::size_t size, Moment now);
  /// False: it speaks faster than it may, and is told so.
  [[nodiscard]] bool paced(Connection& connection, std::size_t size, const std::string& group, Moment now);
  void ask(Connection& connection, wire::hub::Request request, std::size_t size, Moment now);
  void deliver_request(mail::DeliverRequest mail, Moment now);
  void answer_request(std::string promise, wire::hub::Reply reply);
  void ask_another(mail::DeliverRequest mail);
  /// False: it answers no request, and its sender was told.
  bool reply(Connection& connection, wire::hub::Reply reply, std::size_t size, Moment now);
  [[nodiscard]] bool may_ask(Connection& connection, std::size_t size, const std::string& group, Moment now);
  /// Why a name is not one here.
  [[nodiscard]] std::optional<std::string> not_a_name(std::string_view what, std::string_view name) const;
  [[nodiscard]] bool memory_is_short(const Connection& connection) const;
  [[nodiscard]] Duration wait_for_memory();
  void reply_from(mail::ReplyFrom mail, Moment now);

  // conversations: shard_conversations.cpp
  void join(Connection& connection, const wire::hub::Join& join, Moment now);
  void leave(Connection& connection, const wire::hub::Leave& leave, Moment now);
  void subscribe(Connection& connection, const wire::hub::Conversation& to,
                 std::optional<wire::hub::Position> after, bool presence);
  void unsubscribe(Connection& connection, const wire::hub::Conversation& to, Moment now,
                   mail::Unsubscribe::Why why = mail::Unsubscribe::Why::left);
  [[nodiscard]] static Interest* interest_of(Connection& connection,
                                             const wire::hub::Conversation& conversation,
                                             std::uint64_t number);
  void subscribed(mail::Subscribed mail, Moment now);
  static void go_live(Interest& interest, wire::hub::Position head);
  void page(mail::Page mail, Moment now);
  void pulled(Connection& connection, mail::Page mail, Moment now);
  wire::hub::Position bring(Connection& connection, Interest& interest, mail::Page& mail, Moment now);
  struct Between {
    wire::hub::Position after;
    wire::hub::Position before;
  };
  void tell_lost(Connection& connection, const mail::Page& mail, Between hole, Moment now);
  void tell_foreign(Connection& connection, const mail::Page& mail, Moment now);
  void replay(Connection& connection, Interest& interest, wire::hub::Delivery delivery, Moment now);
  void pull(Connection& connection, const wire::hub::Pull& pull, Moment now);
  void who(Connection& connection, const wire::hub::Who& who, Moment now);
  void read_on(Connection& connection);
  [[nodiscard]] SharedFrames gap_frames(const Connection& connection, const std::vector<flow::Drop>& drops);
  void presence(const wire::hub::Presence& what, Moment now);
  void tell_presence(Connection& connection, Moment now);

  // pressure: shard_pressure.cpp
  void sweep(Moment now);
  void shed_load(Moment now);
  void end_silent_greetings(Moment now);
  void end_expired(Moment now);
  void shed_user(Connection& connection, Moment now);
  void expire_promises(Connection& connection, Moment now);
  void take_sample(Connection& connection, Moment now);
  void drain(Moment now);
  void probe(const mail::Probe& mail, Moment now);
  void answer_probes(Moment now);

  void post(const wire::hub::Conversation& to, Mail mail) {
    around_.port.post(home_of(to, around_.shards), std::move(mail));
  }
  [[nodiscard]] Connection* live(ConnectionRef ref);

  Surroundings around_;
  GatewaySettings settings_;
  Books books_;
  ShardCounts counts_;
  Topics topics_;
  Homes homes_;
  std::uint64_t last_id_ = 0;
  std::uint64_t last_interest_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>>
      closing_;  ///< Until their sockets have closed.
  std::vector<std::unique_ptr<Connection>>
      ended_;                     ///< Freed by `work` and `tick`, not in their sockets' calls.
  Agenda<std::uint64_t> pacing_;  ///< When reading from a connection goes on that has used its tokens up.
  std::set<std::uint64_t> slow_;  ///< Worth a look by the sweep.
  std::set<std::uint64_t> unsettled_;  ///< Given something in this turn.
  struct Greeting {
    TimePoint since;
    std::uint64_t id;
  };
  std::deque<Greeting> greetings_;  ///< Whose Hello may still be awaited, the longest first.
  /// When each connection's token expires; of those whose does.
  std::set<std::pair<TimePoint, std::uint64_t>> expiries_;
  Probes probes_;
  TimePoint swept_at_{};
  bool draining_ = false;
};

}  // namespace sluice::hub
