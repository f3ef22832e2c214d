#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hub/gateway/agenda.hpp"
#include "hub/gateway/attendance.hpp"
#include "hub/gateway/dedup.hpp"
#include "hub/gateway/home.hpp"
#include "hub/gateway/mail.hpp"
#include "hub/gateway/route.hpp"
#include "hub/gateway/users.hpp"

namespace sluice::hub {

class ShardPort;

/// The conversations that are at home on one shard: made when somebody speaks or listens, let go when idle.
///
/// Pure. One shard. Their number is bounded by subscriptions and by `limits::kIdleHomes` that nobody uses.
class Homes final : private HomePort {
 public:
  struct Options {
    ShardId self;
    std::uint64_t epoch;
    Duration tick;
    Duration presence_grace;
    Users::Limits users;
    crypto::ShortHashKey dedup_key;
  };
  /// What it refers to outlives it.
  struct Surroundings {
    MessageLog& log;
    ShardPort& port;
    const Ledger& ledger;
  };
  Homes(Options options, std::vector<Route> routes, Surroundings around);
  Homes(const Homes&) = delete;
  Homes& operator=(const Homes&) = delete;
  ~Homes() override;

  void remember_earlier(const std::vector<RememberedMessage>& remembered, TimePoint now);
  void handle(mail::Publish mail, Moment now);
  void handle(mail::Subscribe mail, Moment now);
  void handle(const mail::Unsubscribe& mail, Moment now);
  void handle(const mail::Read& mail, Moment now);
  void handle(const mail::Processed& mail);
  void handle(const mail::Abandon& mail);
  void handle(const mail::AskWho& mail);
  void handle(mail::Attach mail, Moment now);
  void handle(mail::Detach mail, Moment now) {
    if (auto next = users_.detach(std::move(mail), now)) handle(std::move(*next), now);
  }
  void handle(const mail::Probed& mail) { users_.probed(mail); }
  void handle(mail::Ask mail) { users_.ask(std::move(mail)); }

  void on_stored(std::uint64_t ticket, const Status& outcome);
  /// Sends what is due.
  void flush(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_flush() const;
  void set_routes(std::vector<Route> routes);
  void set_tick(Duration tick);
  void set_presence_grace(Duration grace) { options_.presence_grace = grace; }
  void set_user_limits(Users::Limits limits) { users_.set_limits(limits); }

  [[nodiscard]] std::size_t size() const { return rooms_.size(); }
  [[nodiscard]] const Users& users() const { return users_; }

 private:
  /// A home and who is in it.
  struct Room {
    std::unique_ptr<Home> home;
    Attendance attendance{};
  };

  Result<Room*> room(const wire::hub::Conversation& of);
  [[nodiscard]] Result<std::optional<Junction>> start_of(const mail::Subscribe& mail, Home& home);
  [[nodiscard]] static Result<LogPage> read_for_pull(const mail::Read& mail, Home& home, mail::Page& answer);
  /// Now, or at the tick that is due.
  void tell_presence(const wire::hub::Conversation& of, Room& room, TimePoint now);
  void let_go(const wire::hub::Conversation& of);

  void answer(ConnectionRef to, wire::hub::Receipt receipt) override;
  void hand_out(ShardId to, const wire::hub::Conversation& conversation, SharedBatch batch) override;
  SharedFrames encode(const std::vector<wire::hub::FromHub>& messages, wire::hub::Encoding encoding) override;
  Result<std::uint64_t> store(SharedMessage message) override;

  Options options_;
  std::unique_ptr<const Routes> routes_;  ///< Homes refer to theirs.
  MessageLog& log_;
  ShardPort& port_;
  const Ledger& ledger_;
  Dedup dedup_;
  Users users_;
  std::map<wire::hub::Conversation, Room> rooms_;
  /// The furthest offset of rooms that were let go though the log does not know their heads. What is made
  /// anew begins behind it: no offset of an epoch is given twice.
  std::uint64_t used_by_stored_ = 0;
  std::uint64_t used_by_others_ = 0;
  /// Whose Subscribe was refused, until their Unsubscribe comes: each sends one, sooner or later.
  std::set<std::pair<wire::hub::Conversation, ConnectionRef>> refused_;
  std::set<Home*> batching_;              ///< Something waits for the tick.
  Agenda<wire::hub::Conversation> news_;  ///< When it is told who has come and gone.
  struct Ticket {
    std::uint64_t number;
    wire::hub::Conversation of;
  };
  std::deque<Ticket> tickets_;  ///< Outcomes come in this order.
  std::uint64_t last_ticket_ = 0;
};

}  // namespace sluice::hub
