#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/time.hpp"
#include "flow/charge.hpp"
#include "flow/shared_rate.hpp"
#include "flow/token_bucket.hpp"
#include "hub/auth/identity.hpp"
#include "hub/gateway/asked.hpp"
#include "hub/gateway/group_answers.hpp"
#include "hub/gateway/ids.hpp"
#include "hub/gateway/ledger.hpp"
#include "hub/gateway/mail.hpp"
#include "hub/gateway/pending_presence.hpp"
#include "hub/gateway/receiver.hpp"
#include "hub/gateway/topics.hpp"
#include "transport/message_socket.hpp"
#include "wire/hub/encoding.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub {

/// The numbers of a client's messages that have no answer yet, and how far it can be told that all have.
class Answered {
 public:
  /// False: not greater than the one before.
  [[nodiscard]] bool begin(std::uint64_t seq);
  void finish(std::uint64_t seq) { open_.erase(seq); }
  [[nodiscard]] std::size_t open() const { return open_.size(); }
  /// The number up to which all are answered, when that is news.
  [[nodiscard]] std::optional<std::uint64_t> take_news();

 private:
  std::set<std::uint64_t> open_;
  std::uint64_t last_ = 0;
  std::uint64_t told_ = 0;
};

/// A request of this client's that waits for its reply.
struct Promise {
  std::string id;  ///< The client's own.
  std::string of;  ///< Who was asked.
  TimePoint deadline;
};

/// Where a subscription's offsets belong to, since replayed messages may be of earlier epochs.
///
/// Bounded by the epochs of which the log keeps messages. What a log keeps is dense enough for it: a later
/// epoch's offsets are behind those of an earlier one.
class Epochs {
 public:
  /// `present`: of what it knows nothing about.
  explicit Epochs(std::uint64_t present) : present_(present) {}
  /// A message is there: in any order, as what is pulled is older than what came before.
  void note(wire::hub::Position seen);
  [[nodiscard]] wire::hub::Position position(std::uint64_t offset) const;

 private:
  std::uint64_t present_;
  std::vector<wire::hub::Position> begins_;  ///< The least that was seen of each, by epoch.
};

/// What is asked of a conversation's log for one client.
struct Interest {
  Interest(std::uint64_t of, std::uint64_t epoch) : number(of), epochs(epoch) {}

  std::uint64_t number;  ///< Never used twice: what was asked for one that has ended is for nobody.
  Subscription subscription;
  Epochs epochs;
  bool replied = false;               ///< The home has answered.
  wire::hub::Position replayed_to{};  ///< While it is not live.
};

/// What a shard knows of one client. Data: `Shard` acts on it.
struct Connection {
  /// For what it has said, of its own tokens and of its user's.
  void charge(std::uint64_t tokens, TimePoint now) {
    if (!cost) return;
    cost->take(tokens, now);
    share->cost.take(tokens, now);
  }
  /// How long until it may say something that costs so much.
  [[nodiscard]] Duration wait_for_tokens(std::uint64_t tokens, TimePoint now) const {
    return std::max(cost->wait_for(tokens, now), share->cost.wait_for(tokens, now));
  }

  enum class State : std::uint8_t {
    greeting,   ///< Its Hello is awaited.
    attaching,  ///< Its user's home is asked.
    open,
    ended,
  };

  ConnectionRef ref;
  std::unique_ptr<transport::MessageSocket> socket;
  wire::hub::Encoding encoding;
  State state = State::greeting;
  TimePoint opened;
  wire::hub::Hello hello{};
  auth::Identity identity{};
  std::optional<TimePoint>
      expires{};  ///< When its token does: what was left of it when it came, by this clock.
  std::string session{};
  std::optional<wire::hub::Welcome> welcome{};         ///< While it is attaching.
  std::vector<mail::Unacknowledged> unacknowledged{};  ///< By the session's last connection; as long.
  std::shared_ptr<UserShare> share{};
  std::optional<Receiver> receiver{};
  std::optional<flow::TokenBucket> messages{};
  std::optional<flow::TokenBucket> bytes{};
  std::optional<flow::SharedRate> cost{};        ///< Of everything that it says, in tokens of `cost.hpp`.
  wire::hub::Limits allowed{};                   ///< As it was told.
  TimePoint paced_until{};                       ///< It has used its tokens up: nothing is read before.
  std::size_t unanswered = limits::kUnanswered;  ///< That it may have.
  Answered answered{};
  GroupAnswers group_answers{};
  std::map<std::uint64_t, wire::hub::Conversation> awaited{};  ///< Publishes that wait for their delivery.
  std::set<wire::hub::Conversation> hopes{};  ///< In which it may be told of the delivery of a second copy.
  std::map<wire::hub::Conversation, std::unique_ptr<Interest>> interests{};
  std::map<std::uint64_t, Promise> promises{};
  std::uint64_t last_promise = 0;
  std::unique_ptr<Asked> asked{};  ///< Once it is.
  std::uint64_t acknowledged = 0;  ///< As far as it has said.
  PendingPresence presence{};      ///< That waits until it takes more.
  flow::Charge presence_memory{};  ///< For it.
  bool pulling = false;
  std::size_t catching_up = 0;  ///< Interests that have begun and are not live.
  bool reading_paused = false;
  std::vector<wire::hub::PressureSample> history{};  ///< The last ones, oldest first.
  TimePoint sampled_at{};
};

}  // namespace sluice::hub
