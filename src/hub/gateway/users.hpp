#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "hub/gateway/agenda.hpp"
#include "hub/gateway/ids.hpp"
#include "hub/gateway/mail.hpp"

namespace sluice::hub {

class ShardPort;

/// The users that are at home on one shard: which connections they have, and how their sessions ended.
///
/// A user who has as many connections as they may have is not locked out by those that are dead without
/// anybody's having noticed: another one waits while all are asked for a sign of life, and takes the place of
/// the oldest that gives none. Where all live it is rejected.
///
/// Pure. One shard. Bounded by connections, those that wait for another's end included, and by
/// `ended_sessions` that are remembered, `ended_of_user` of each user: one who comes and goes all the time
/// makes the hub forget none but their own.
class Users {
 public:
  struct Limits {
    Duration resume_window = limits::kResumeWindow;
    std::size_t ended_sessions = limits::kEndedSessions;
    std::size_t ended_of_user = limits::kEndedSessionsPerUser;
  };
  Users(Limits limits, ShardPort& port) : limits_(limits), port_(port) {}

  /// `inbox`: the last position in theirs. A session has one connection: if there is one still, which may be
  /// dead without anybody's having noticed, it is ended first and the new one waits for that.
  void attach(mail::Attach mail, wire::hub::Position inbox, Moment now);
  /// Returns who waited for this one's end, and is to be attached now.
  [[nodiscard]] std::optional<mail::Attach> detach(mail::Detach mail, Moment now);
  /// Whether one of the connections that were asked for a sign of life has given one.
  void probed(const mail::Probed& mail);
  /// Passes a request on to the connection that came last, of those that it has not been to, or rejects it.
  void ask(mail::Ask mail);
  void set_limits(Limits limits) { limits_ = limits; }

  [[nodiscard]] std::size_t online() const { return users_.size(); }

  /// How a session's last connection ended.
  struct Past {
    std::string user;
    wire::hub::Ended ended;
    TimePoint at;
    std::vector<mail::Unacknowledged> unacknowledged{};
    std::string device{};
  };
  /// Null: nothing is remembered of it, or not any more.
  [[nodiscard]] const Past* past(const std::string& session, TimePoint now) const;

 private:
  struct Place {
    ConnectionRef connection;
    std::string session;
  };
  /// Newcomers that wait for a place, and those that have not answered yet whether they live.
  struct Queue {
    std::deque<mail::Attach> waiting;
    std::set<ConnectionRef> asked;
  };
  void supersede(ConnectionRef connection, std::string why);
  void refuse(mail::Attach mail);
  void wait_for_place(mail::Attach mail, const std::vector<Place>& places);
  void settle(const std::string& user, Queue& queue);
  void remember(mail::Detach mail, Moment now);
  void forget_old(TimePoint now);
  void forget(const std::string& session);

  Limits limits_;
  ShardPort& port_;
  std::unordered_map<std::string, std::vector<Place>> users_;
  std::unordered_map<std::string, Queue> queues_;     ///< Of users who are at their limit.
  std::map<ConnectionRef, mail::Attach> successors_;  ///< By whose end they wait for.
  std::unordered_map<std::string, Past> past_;        ///< By session.
  Agenda<std::string> order_;                         ///< The sessions in `past_`, by when they ended.
  std::unordered_map<std::string, Agenda<std::string>> order_of_;  ///< The same of each user.
};

}  // namespace sluice::hub
