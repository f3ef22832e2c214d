#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/messaging/event.hpp"
#include "client/messaging/progress.hpp"
#include "client/messaging/recent_messages.hpp"
#include "core/bytes.hpp"
#include "core/client_limits.hpp"
#include "core/error.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "flow/backoff.hpp"
#include "wire/hub/message.hpp"

namespace sluice::messaging {

struct SessionOptions {
  std::string token{};  ///< A JWT; `user` is for open hubs.
  std::string user{};
  std::string agent = "sluice";
  /// Which of the user's devices: it has a mark of its own in their inbox. Empty: it shares that of all
  /// others that have none.
  std::string device{};
  /// Begins the ids of messages that are given none, so it must be another one in each process: 16 random
  /// characters do.
  std::string id_prefix{};
  enum class Acknowledge : std::uint8_t { no, yes };
  Acknowledge acknowledge = Acknowledge::yes;
  std::size_t acknowledge_every = limits::kClientAckEvery;
  Duration acknowledge_after = limits::kClientAckAfter;
  /// What is done with gaps that the log may still fill: the owner is told, or they are pulled first and only
  /// what is not there is told.
  enum class Gaps : std::uint8_t { tell, pull };
  Gaps gaps = Gaps::tell;
  std::size_t most_unanswered = limits::kClientUnanswered;  ///< At most `limits::kUnanswered`.
  flow::BackoffOptions backoff{};
  /// Where an earlier process stopped: its `positions` and its `session_token`.
  std::vector<wire::hub::PositionIn> positions{};
  std::string session_token{};
};

/// What one wants to publish; the session numbers it, and names it where `id` is empty.
struct Draft {
  wire::hub::Conversation to{};
  wire::hub::Content content{};
  wire::hub::Level level = wire::hub::Level::accepted;
  std::string id{};
  std::string key{};
  std::uint32_t ttl_ms = 0;
};

/// A client's half of the hub's protocol (docs/wire/hub.md) over any number of connections: what it publishes
/// is published once, what it is sent comes out once and in order, and what is missing is told.
///
/// Pure: connections, the clock and randomness are its caller's. Whoever drives it opens a connection at
/// `connect_at`, tells what comes and how it ends, sends what `take_outgoing` gives after every call, calls
/// `tick` at `next_tick`, and takes the events. Bounded: unanswered publishes by their number and
/// `limits::kClientUnansweredBytes`; events by what the hub sends, which the caller stops reading while
/// `is_full`, and then opens no connection either; what is to be sent by `limits::kClientUnsent` and
/// conversations by `limits::kClientConversations`, which a hub that means well does not reach (`violation`).
class Session {
 public:
  explicit Session(SessionOptions options);

  // --- the connection

  /// When to open the next connection; nothing while one is open, or after the end.
  [[nodiscard]] std::optional<TimePoint> connect_at() const;
  void opened(TimePoint now);
  /// One envelope, which had that size on the wire.
  void heard(wire::hub::FromHub message, Bytes size, TimePoint now);
  /// How a connection, or an attempt to open one, came to its end.
  struct End {
    Error why;
    std::optional<Duration> retry_after{};  ///< The server's wish.
    double random = 0;                      ///< Uniform in [0, 1), for the pause.
  };
  void closed(End end, TimePoint now);
  [[nodiscard]] TimePoint next_tick() const;
  /// True: the hub has said nothing where it should have, and the connection is to be cut.
  [[nodiscard]] bool tick(TimePoint now);
  /// What the hub has done on this connection that ends it.
  [[nodiscard]] const std::optional<Error>& violation() const { return violation_; }
  /// To be sent, in this order, on the open connection. While its socket takes nothing it is better left
  /// here: answers and acknowledgements that have become superfluous are replaced.
  [[nodiscard]] std::vector<wire::hub::FromClient> take_outgoing();
  /// One of these cannot be sent: encoded it has more than `limits::kMaxEnvelope`. Its owner is told as if
  /// the hub had rejected it (`TOO_LARGE`). Returns what to send in its place, if anything.
  [[nodiscard]] std::optional<wire::hub::FromClient> too_large(const wire::hub::FromClient& message,
                                                               Bytes size);

  // --- what came of it

  [[nodiscard]] std::optional<Event> take_event();
  /// Everything that was taken so far is done with: the hub need not keep it, and is told soon.
  void processed(TimePoint now);
  /// The same, and the hub is told at once: nothing more will be taken.
  void settle(TimePoint now);
  /// So much waits for its owner that no more should be read.
  [[nodiscard]] bool is_full() const {
    return events_.size() >= limits::kClientEvents || events_bytes_ >= limits::kClientEventBytes;
  }

  // --- what to do

  /// Whether `publish` has room. When an `Answered` comes it has again.
  [[nodiscard]] bool can_publish() const;
  [[nodiscard]] std::size_t unanswered() const { return unanswered_.size(); }
  /// Publishes it now, or as soon as there is a connection; again, with the same id, where one was lost
  /// before the answer. Returns the number that the `Answered` will have. Errors: `limit_exceeded` (too
  /// many are unanswered, while `can_publish` is false; otherwise it is too large), `invalid_argument` (a
  /// name, an id or a key that is none, a text that is not UTF-8), `closed`. In JSON a content grows: whether
  /// it still fits is known when it is encoded, and told by the `Answered`.
  [[nodiscard]] Result<std::uint64_t> publish(Draft draft);
  /// Joins a group, and again after each loss, where it stopped. `from` as for `wire::hub::Join`. Errors:
  /// `invalid_argument`, `limit_exceeded` (as many groups as one may be in).
  [[nodiscard]] Status join(wire::hub::Join join);
  void leave(const std::string& group);
  /// Brings messages of the past; one after the other (`Pulled`). Errors: `busy`, `link_lost` (no
  /// connection).
  [[nodiscard]] Status pull(wire::hub::Pull pull);
  [[nodiscard]] Status who(std::string group);
  struct Question {
    std::string user{};
    wire::hub::Content content{};
    std::uint32_t timeout_ms = 0;
  };
  /// Asks the connection of a user's that came last; returns what the `Reply` will have in `request`. Not
  /// repeated. Errors: `link_lost` (no connection), `limit_exceeded`, `invalid_argument`.
  [[nodiscard]] Result<std::string> ask(Question question);
  /// To a `Message` with a request. Nothing happens when the connection that it came over has gone.
  void reply(wire::hub::Reply reply);
  /// A new token, from now on.
  void refresh(std::string token);
  void ping(TimePoint now);
  /// No more connections; what was not answered is forgotten.
  void stop() { state_ = State::over; }

  /// What an owner keeps to go on from in another process: behind what was taken. Events that wait come
  /// again.
  [[nodiscard]] std::vector<wire::hub::PositionIn> positions() const;
  [[nodiscard]] const std::string& session_token() const { return options_.session_token; }
  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  [[nodiscard]] bool is_over() const { return state_ == State::over; }
  /// Deliveries that the hub sent once more, and that were not given out again.
  [[nodiscard]] std::uint64_t repeated() const { return repeated_; }

 private:
  enum class State : std::uint8_t { waiting, greeting, open, over };
  struct Unanswered {
    std::uint64_t number = 0;
    wire::hub::Publish publish{};  ///< Its `seq` is of the present connection; 0: not sent on it.
    Bytes size{};
  };
  struct Place {
    wire::hub::Conversation of{};
    std::optional<wire::hub::Position> done{};
  };
  struct Queued {
    Event event;
    Bytes size{};          ///< What is charged for it.
    bool counted = false;  ///< In the sequence of the present connection.
    /// Of a message or a gap: how far one had come before it, and in what.
    std::optional<Place> before{};
  };
  struct Pulling {
    wire::hub::Pull pull{};
    std::optional<wire::hub::Gap> gap{};  ///< What it is to fill, when it was not the owner's wish.
    bool sent = false;
    TimePoint not_before{};
  };

  void say(wire::hub::FromClient message);
  /// The figure for a conversation, made when it is not there yet. Null: there are too many, which is the
  /// hub's violation.
  [[nodiscard]] Progress* progress_in(const wire::hub::Conversation& conversation);
  void tell(Event event, std::optional<Place> before = std::nullopt);
  [[nodiscard]] Place place_in(const wire::hub::Conversation& conversation) const;
  void send_publish(Unanswered& unanswered);
  void finish(std::deque<Unanswered>::iterator which, wire::hub::Receipt receipt);
  [[nodiscard]] wire::hub::Hello hello();
  void rejoin(bool resumed);
  enum class Resumption : std::uint8_t { done, refused, not_asked };
  void check_histories(const wire::hub::Welcome& welcome, Resumption resumption);
  void check_history(const wire::hub::Conversation& of, wire::hub::Position position);
  void tell_history_changed(const wire::hub::Conversation& of, std::optional<wire::hub::Position> from);
  void abandon_requests();

  void on(wire::hub::Welcome&& welcome, TimePoint now);
  void on(wire::hub::Delivery&& delivery, TimePoint now);
  void on(wire::hub::Gap&& gap, TimePoint now);
  void on(wire::hub::Receipt&& receipt, TimePoint now);
  void on(wire::hub::Ack&& ack, TimePoint now);
  void on(wire::hub::Joined&& joined, TimePoint now);
  void on(wire::hub::Left&& left, TimePoint now);
  void on(wire::hub::Pulled&& pulled, TimePoint now);
  void on(wire::hub::Refusal&& refusal, TimePoint now);
  void on(wire::hub::Reply&& reply, TimePoint now);
  void on(wire::hub::Kick&& kick, TimePoint now);
  void on(wire::hub::Ping&& ping, TimePoint now);
  void on(wire::hub::Pong&& pong, TimePoint now);
  template <typename Other>
  void on(Other&& other, TimePoint /*now*/) {
    tell(std::forward<Other>(other));
  }
  void count();
  void note_processed(TimePoint now);
  void pull_next(TimePoint now);

  SessionOptions options_;
  State state_ = State::waiting;
  TimePoint connect_at_{};
  flow::Backoff backoff_;
  std::optional<TimePoint> welcome_by_;
  TimePoint open_since_{};
  std::optional<wire::hub::Kick> kick_;
  std::vector<wire::hub::FromClient> outgoing_;

  std::optional<Error> violation_;
  Bytes hearing_{};  ///< The size of the envelope that is being heard.

  std::deque<Queued> events_;
  Bytes events_bytes_{};
  bool in_hand_ = false;  ///< Something was taken and is not done with.
  std::size_t counted_in_queue_ = 0;
  std::uint64_t counted_ = 0;    ///< Deliveries and gaps of this connection.
  std::uint64_t processed_ = 0;  ///< Of these.
  std::uint64_t acknowledged_ = 0;
  Bytes heard_since_ack_;
  Bytes window_ = limits::kDeliveryWindow;
  std::optional<TimePoint> acknowledge_at_;

  std::uint64_t last_number_ = 0;
  std::uint64_t last_seq_ = 0;  ///< Of this connection.
  std::deque<Unanswered> unanswered_;
  Bytes unanswered_bytes_;

  std::map<wire::hub::Conversation, Progress> progress_;
  RecentMessages recent_;
  std::map<std::string, wire::hub::Join> groups_;  ///< That the owner wants to be in.
  std::set<std::string> resumed_;                  ///< Those that the last Hello has named.
  std::deque<Pulling> pulls_;                      ///< The first is under way once it was sent.
  std::map<std::string, std::uint64_t> requests_;  ///< By id: their seq.
  std::uint64_t last_request_ = 0;
  std::optional<TimePoint> pinged_at_;
  std::uint64_t nonce_ = 0;
  std::uint64_t repeated_ = 0;
};

}  // namespace sluice::messaging
