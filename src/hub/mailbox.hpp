#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/admission_limits.hpp"
#include "core/bytes.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "hub/mailbox_message.hpp"
#include "hub/mailbox_numbers.hpp"
#include "hub/tries.hpp"
#include "transport/fair_slots.hpp"

namespace sluice::hub {

/// A client's connection to the hub; never used twice.
enum class ConnectionId : std::uint64_t {};

/// Everything that a hub's mailboxes refuse, drop or cut off, by why: each is counted.
enum class Denial : std::uint8_t {
  unknown_mailbox,    ///< A join of a number or name that nobody has open.
  burnt_mailbox,      ///< A join of a number that was burnt lately.
  expired_mailbox,    ///< A join of a number that ran out lately.
  place_taken,        ///< A join while another visitor is there.
  name_taken,         ///< An open of a name whose host is there already.
  too_many_tries,     ///< A join from an address, or an IPv6 /48, that failed too often.
  hub_full,           ///< An open beyond the hub's number of mailboxes.
  address_full,       ///< An open beyond an address's number of mailboxes.
  malformed,          ///< What does not decode.
  out_of_turn,        ///< A second place for one connection, a visitor's release or burn.
  too_fast,           ///< More requests than a connection may make.
  introduction_full,  ///< Messages or bytes beyond an introduction's.
  introduction_late,  ///< A visitor who stayed too long.
  nobody_there,       ///< A message, release or burn that crossed the other side's leaving.
  stale,              ///< A host's word about a visitor before the present one.
  too_slow,           ///< A place that did not read.
  silent,             ///< A connection without a place that said nothing.
  mute_visitor,       ///< A visitor that had the place and said nothing while somebody else wanted it.
  gave_way,           ///< A connection that waited for a partner while a newcomer needed its slot.
};
inline constexpr std::size_t kDenials = static_cast<std::size_t>(Denial::gave_way) + 1;
[[nodiscard]] std::string_view name_of(Denial denial);

/// The tries of a whole IPv6 /48, in those of one address: so its owner, who has 65,536 /64s to come from,
/// gains little by it, and a site's people do not wait for each other. Connections have the same ratio.
inline constexpr int kNetworkTries = 4;

struct MailboxLimits {
  std::size_t mailboxes = limits::kMaxMailboxes;
  std::size_t mailboxes_per_address = limits::kMaxMailboxesPerAddress;
  Duration life = limits::kMailboxLife;  ///< Of a numbered mailbox.
  Duration introduction = limits::kMailboxVisit;
  std::size_t introduction_messages = limits::kIntroductionMessages;
  Bytes introduction_bytes = limits::kIntroductionBytes;  ///< Of bodies.
  /// How long a connection without a place may say nothing; at full load of `waiters` the shorter time.
  transport::Patience placeless{.longest = limits::kPlaceless, .shortest = limits::kShortestPatience};
  std::size_t waiters = limits::kMaxMailboxWaiters;       ///< Connections without a place, and mute visitors.
  Duration first_message = limits::kVisitorFirstMessage;  ///< Of a visitor.
  Duration visitor_yields = limits::kVisitorYields;       ///< The same, when another asks for the place.
  /// When to come again: to a place that a visitor has, and to what is full.
  std::chrono::milliseconds retry_soon = limits::kRetrySoon;
  std::chrono::milliseconds retry_later = limits::kRetryLater;
  int request_burst = limits::kRequestBurst;
  Duration request_interval = limits::kRequestInterval;
  /// Of one address; of an IPv6 /48 `kNetworkTries` times as many.
  TryLimits tries = {.burst = limits::kTryBurst,
                     .interval = limits::kTryInterval,
                     .max_tracked = limits::kMaxTriedAddresses};
  Duration burn_charge_pause = limits::kBurnChargePause;  ///< Between charges of one visitor for one's burns.
  MailboxNumbers::Rest numbers = {.time = limits::kNumberRest, .max_resting = limits::kMaxRestingNumbers};
};

/// Say something to a connection.
struct Send {
  ConnectionId to;
  Reply reply;
};
/// End a connection in good order, after all that was sent to it. The mailboxes have forgotten it already.
struct Close {
  ConnectionId who;
};
using MailboxAction = std::variant<Send, Close>;
using MailboxActions = std::vector<MailboxAction>;

/// The places where two peers meet: who is in which mailbox, who may come in, who is told what, and when all
/// of it ends.
///
/// Sans-I/O, one shard. A mailbox has two places: its host's, as long as the host is connected, and one
/// visitor's at a time. A connection has at most one place. Nothing is stored: a message goes to the other
/// place or nowhere. A numbered mailbox runs out `life` after it was opened, later only for a visitor who is
/// there at that time. Connections that have no place yet, or have joined and said nothing, share a limited
/// number of slots fairly by address (`FairSlots`), and so do mailboxes: when all are taken, the block that
/// holds most gives one up.
/// Invariants: no message crosses between mailboxes; when every connection has left, no mailbox is left.
class Mailboxes {
 public:
  Mailboxes(MailboxLimits limits, Random random);

  /// A new connection from an address. Another may have to give way for it.
  [[nodiscard]] MailboxActions connected(ConnectionId id, const std::string& address, TimePoint now);
  /// What is there already stays as it was.
  void set_limits(const MailboxLimits& limits);
  [[nodiscard]] MailboxActions handle(ConnectionId id, Request request, TimePoint now);
  /// Something that is no request: the client is told, and its connection ended.
  [[nodiscard]] MailboxActions malformed(ConnectionId id, std::string why, TimePoint now);
  /// The connection is gone. One that the mailboxes have closed themselves is no longer known, which is all
  /// right.
  [[nodiscard]] MailboxActions disconnected(ConnectionId id, LeaveReason reason, TimePoint now);

  /// Ends what has run out. To be called at `next_deadline`, or later.
  [[nodiscard]] MailboxActions expire(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  [[nodiscard]] std::size_t size() const { return mailboxes_.size(); }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  [[nodiscard]] std::uint64_t denied(Denial why) const { return denied_[static_cast<std::size_t>(why)]; }
  [[nodiscard]] std::uint64_t introductions() const { return introductions_; }

 private:
  struct Visitor {
    ConnectionId id;
    Introduction introduction;
    TimePoint since;
    TimePoint until;
    bool has_spoken = false;
    std::size_t messages = 0;
    Bytes bytes{};
  };
  struct Mailbox {
    ConnectionId host;
    std::string block;  ///< The host's, whose count it stands in.
    std::optional<MailboxNumber> number;
    TimePoint expires;
    std::optional<Visitor> visitor;
    transport::AddressBlocks last_visitor;  ///< Empty before the first.
    TimePoint deadline;                     ///< As it stands in `deadlines_`.
  };
  struct Connection {
    transport::AddressBlocks from;
    std::string mailbox;  ///< Its place's; empty without one.
    TimePoint rate;       ///< When its bucket of requests will have leaked empty.
    TimePoint deadline;   ///< While it has no place: as it stands in `silences_`.
  };
  using Places = std::unordered_map<std::string, Mailbox>;

  void on(ConnectionId id, Connection& from, Open& request, TimePoint now);
  void on(ConnectionId id, Connection& from, Join& request, TimePoint now);
  void on(ConnectionId id, Connection& from, Relay& request, TimePoint now);
  void on(ConnectionId id, Connection& from, Release& request, TimePoint now);
  void on(ConnectionId id, Connection& from, Burn& request, TimePoint now);
  void on(ConnectionId id, Connection& from, Ping& request, TimePoint now);

  [[nodiscard]] bool has_room_for_another(const Connection& of, TimePoint now);
  [[nodiscard]] bool has_second_place(Places::iterator place, TimePoint now);
  void begin_introduction(Mailbox& mailbox, Visitor& visitor);
  void charge_burn(const Mailbox& mailbox, TimePoint now);
  [[nodiscard]] Duration wait_to_try(const transport::AddressBlocks& from, TimePoint now) const;
  void charge_try(const transport::AddressBlocks& from, TimePoint now);
  void give_way(ConnectionId id, TimePoint now);
  void refuse(ConnectionId id, Denial why, Refusal refusal);
  void refuse_join(ConnectionId id, Connection& from, const std::string& mailbox, TimePoint now);
  void refuse_and_close(ConnectionId id, Denial why, Refusal refusal, TimePoint now);
  bool may_ask(ConnectionId id, Connection& from, TimePoint now);
  bool has_no_place(ConnectionId id, const Connection& from, TimePoint now);
  void leave(ConnectionId id, LeaveReason reason, TimePoint now);
  void end_visit(Places::iterator place, TimePoint now);
  void remove(Places::iterator place, NumberEnd end, TimePoint now);
  void give_place(ConnectionId id, Connection& to, const std::string& mailbox);
  void take_place(ConnectionId id, TimePoint now);
  void schedule(Places::iterator place);
  void expire_due(TimePoint now);
  void expire_mailbox(Places::iterator place, TimePoint now);
  void send(ConnectionId to, Reply reply) {
    actions_.emplace_back(Send{.to = to, .reply = std::move(reply)});
  }
  void close(ConnectionId id);
  void count(Denial why) { ++denied_[static_cast<std::size_t>(why)]; }
  [[nodiscard]] MailboxActions done(TimePoint now);

  MailboxLimits limits_;
  MailboxNumbers numbers_;
  Tries tries_;                   ///< By address.
  Tries network_tries_;           ///< By IPv6 /48.
  Tries burns_;                   ///< By host and visitor: those that have been charged lately.
  transport::FairSlots waiters_;  ///< Connections without a place, and mute visitors.
  transport::FairSlots hosts_;    ///< Hosts that are in no introduction.
  Places mailboxes_;
  std::unordered_map<ConnectionId, Connection> connections_;
  std::unordered_map<std::string, std::size_t> per_block_;
  std::set<std::pair<TimePoint, std::string>> deadlines_;
  std::set<std::pair<TimePoint, ConnectionId>> silences_;
  std::uint64_t introductions_ = 0;
  std::array<std::uint64_t, kDenials> denied_{};
  MailboxActions actions_;
};

}  // namespace sluice::hub
