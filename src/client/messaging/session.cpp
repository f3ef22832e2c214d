#include "client/messaging/session.hpp"

#include <algorithm>
#include <utility>

#include "core/ensure.hpp"
#include "core/utf8.hpp"

/// What a session does for its owner, and how it comes by its connections. What it hears: session_heard.cpp.
namespace sluice::messaging {

using wire::hub::Conversation;
using wire::hub::Position;
using wire::hub::Reason;

namespace {

/// After these the next connection would end the same way.
bool is_final(Reason reason) {
  switch (reason) {
    case Reason::malformed:
    case Reason::protocol_violation:
    case Reason::too_large:
    case Reason::unsupported:
    case Reason::unauthenticated:
    case Reason::token_invalid:
    case Reason::token_expired:
    case Reason::kicked:
    case Reason::superseded:
      return true;
    default:
      return false;
  }
}

bool is_final(Errc code) {
  return code == Errc::invalid_argument || code == Errc::permission_denied;
}

Conversation group_of(const std::string& name) {
  return {.kind = Conversation::Kind::group, .name = name};
}

/// What a position takes as JSON, where it takes most: two numbers of 64 bits as strings, the members' names,
/// and what has to be escaped.
Bytes size_in_resume(std::string_view name) {
  const auto escaped = std::ranges::count_if(name, [](char c) { return c == '"' || c == '\\'; });
  return Bytes{96 + name.size() + static_cast<std::size_t>(escaped)};
}

Status check(const wire::hub::Content& content) {
  if (content.kind == wire::hub::Content::Kind::text && !is_utf8(content.bytes))
    return fail(Errc::invalid_argument, "The text is not UTF-8.");
  return {};
}

Status check(const Draft& draft) {
  const bool named = draft.to.kind == Conversation::Kind::all || wire::hub::is_name(draft.to.name);
  if (!named) return fail(Errc::invalid_argument, "'" + draft.to.name + "' is no name of a user or group.");
  if (!wire::hub::is_id(draft.id)) return fail(Errc::invalid_argument, "'" + draft.id + "' is no id.");
  if (!wire::hub::is_label(draft.key, limits::kMaxId))
    return fail(Errc::invalid_argument, "'" + draft.key + "' is no key.");
  return check(draft.content);
}

}  // namespace

Session::Session(SessionOptions options) : options_(std::move(options)), backoff_(options_.backoff) {
  ENSURE(options_.most_unanswered > 0 && options_.most_unanswered <= limits::kUnanswered);
  for (const auto& [conversation, position] : options_.positions) progress_[conversation].begin_at(position);
}

// --- connections

std::optional<TimePoint> Session::connect_at() const {
  if (state_ != State::waiting) return std::nullopt;
  return connect_at_;
}

void Session::opened(TimePoint now) {
  ENSURE(state_ == State::waiting);
  state_ = State::greeting;
  welcome_by_ = now + limits::kHubHelloTimeout;
  last_seq_ = counted_ = processed_ = acknowledged_ = 0;
  heard_since_ack_ = {};
  acknowledge_at_.reset();
  pinged_at_.reset();
  kick_.reset();
  violation_.reset();
  outgoing_.clear();
  counted_in_queue_ = 0;
  for (Queued& queued : events_) queued.counted = false;
  for (Unanswered& unanswered : unanswered_) unanswered.publish.seq = 0;
  for (Pulling& pulling : pulls_) pulling.sent = false;
  say(hello());
}

wire::hub::Hello Session::hello() {
  resumed_.clear();
  wire::hub::Hello hello{.token = options_.token,
                         .user = options_.user,
                         .acknowledges = options_.acknowledge == SessionOptions::Acknowledge::yes,
                         .agent = options_.agent,
                         .device = options_.device};
  if (options_.session_token.empty()) return hello;
  hello.resume = wire::hub::Resume{.session_token = options_.session_token};
  Bytes room = limits::kResumePositions;
  for (const auto& [conversation, progress] : progress_) {
    const auto reached = progress.reached();
    if (!reached) continue;
    const auto& [kind, name] = conversation;
    if (kind == Conversation::Kind::all) continue;  // not replayed
    if (kind == Conversation::Kind::group) {
      // What a resume joins has no presence: such a group is joined by itself.
      const auto wanted = groups_.find(name);
      if (wanted == groups_.end() || wanted->second.presence) continue;
    }
    const Bytes size = size_in_resume(name);
    if (hello.resume->positions.size() == limits::kMaxPositions || size > room) continue;  // joined by itself
    room -= size;
    hello.resume->positions.push_back({.conversation = conversation, .position = *reached});
    if (kind == Conversation::Kind::group) resumed_.insert(name);
  }
  return hello;
}

std::vector<wire::hub::PositionIn> Session::positions() const {
  std::map<Conversation, std::optional<Position>> done;
  for (const auto& [conversation, progress] : progress_) done.emplace(conversation, progress.done());
  for (const Queued& queued : events_) {
    if (!queued.before) continue;
    const auto found = done.find(queued.before->of);
    if (found != done.end()) found->second = std::min(found->second, queued.before->done);
  }
  std::vector<wire::hub::PositionIn> all;
  for (const auto& [conversation, position] : done) {
    if (position) all.push_back({.conversation = conversation, .position = *position});
  }
  return all;
}

Session::Place Session::place_in(const Conversation& conversation) const {
  const auto known = progress_.find(conversation);
  return {.of = conversation, .done = known == progress_.end() ? std::nullopt : known->second.done()};
}

void Session::rejoin(bool resumed) {
  for (auto& [name, join] : groups_) {
    const auto progress = progress_.find(group_of(name));
    const auto reached = progress == progress_.end() ? std::nullopt : progress->second.reached();
    if (resumed && resumed_.contains(name)) continue;
    wire::hub::Join again = join;
    if (reached) again.from = reached;
    say(std::move(again));
  }
}

void Session::closed(End end, TimePoint now) {
  if (state_ == State::over) return;
  const auto kick = std::exchange(kick_, std::nullopt);
  const Reason reason = kick ? kick->reason : Reason::none;
  const bool was_open = state_ == State::open;
  if (was_open && now - open_since_ >= limits::kClientSettled) backoff_.reset();
  state_ = State::waiting;
  welcome_by_.reset();
  acknowledge_at_.reset();
  outgoing_.clear();
  abandon_requests();
  // The close frame behind it says the same once more.
  if (kick && !kick->message.empty())
    end.why = Error{.code = Errc::refused, .message = "The hub ended it: " + kick->message};
  // A token that expired meanwhile may have been renewed by the next connection.
  const bool may_be_renewed = reason == Reason::token_expired && was_open;
  if ((is_final(reason) && !may_be_renewed) || is_final(end.why.code)) {
    state_ = State::over;
    return tell(Over{.why = std::move(end.why), .reason = reason});
  }
  Duration wait = backoff_.next(end.random);
  if (kick && kick->retry_after_ms > 0)
    wait = std::max<Duration>(wait, std::chrono::milliseconds{kick->retry_after_ms});
  if (end.retry_after) wait = std::max(wait, *end.retry_after);
  connect_at_ = now + wait;
  tell(Lost{.why = std::move(end.why), .reason = reason, .retry_in = wait});
}

TimePoint Session::next_tick() const {
  TimePoint next = TimePoint::max();
  if (welcome_by_) next = std::min(next, *welcome_by_);
  if (acknowledge_at_) next = std::min(next, *acknowledge_at_);
  if (state_ == State::open && !pulls_.empty() && !pulls_.front().sent)
    next = std::min(next, pulls_.front().not_before);
  return next;
}

bool Session::tick(TimePoint now) {
  if (welcome_by_ && now >= *welcome_by_) return true;
  note_processed(now);
  pull_next(now);
  return false;
}

std::vector<wire::hub::FromClient> Session::take_outgoing() {
  return std::exchange(outgoing_, {});
}

std::optional<wire::hub::FromClient> Session::too_large(const wire::hub::FromClient& message, Bytes size) {
  const std::string why = "The message has " + std::to_string(size.count()) + " bytes; the limit is " +
                          std::to_string(limits::kMaxEnvelope.count()) + ".";
  if (const auto* const publish = std::get_if<wire::hub::Publish>(&message)) {
    const auto which =
        std::ranges::find(unanswered_, publish->seq, [](const Unanswered& one) { return one.publish.seq; });
    if (which != unanswered_.end()) {
      finish(which, {.seq = publish->seq, .id = publish->id, .reason = Reason::too_large, .message = why});
    }
  } else if (const auto* const request = std::get_if<wire::hub::Request>(&message)) {
    if (requests_.erase(request->id) > 0)
      tell(wire::hub::Reply{.request = request->id, .reason = Reason::too_large, .message = why});
  } else if (const auto* const reply = std::get_if<wire::hub::Reply>(&message)) {
    // The client that asked must not wait for it.
    return wire::hub::Reply{.request = reply->request, .reason = Reason::too_large, .message = why};
  }
  return std::nullopt;
}

void Session::say(wire::hub::FromClient message) {
  // One that waits before it is superfluous: only the latest ping need be answered, and the later
  // acknowledgement holds the earlier.
  const bool replaces =
      !outgoing_.empty() && outgoing_.back().index() == message.index() &&
      (std::holds_alternative<wire::hub::Pong>(message) || std::holds_alternative<wire::hub::Ack>(message));
  if (replaces) {
    outgoing_.back() = std::move(message);
  } else {
    outgoing_.push_back(std::move(message));
  }
  if (outgoing_.size() > limits::kClientUnsent && !violation_) {
    violation_ = Error{.code = Errc::limit_exceeded,
                       .message = "The hub asks for more and more, and takes none of the answers."};
  }
}

// --- events

void Session::tell(Event event, std::optional<Place> before) {
  const Bytes size = hearing_ + limits::kClientEventCost;
  events_bytes_ += size;
  events_.push_back({.event = std::move(event), .size = size, .before = std::move(before)});
}

Progress* Session::progress_in(const Conversation& conversation) {
  const auto known = progress_.find(conversation);
  if (known != progress_.end()) return &known->second;
  if (progress_.size() < limits::kClientConversations) return &progress_[conversation];
  if (!violation_) {
    violation_ = Error{.code = Errc::limit_exceeded,
                       .message = "The hub sends from more conversations than a client can be in."};
  }
  return nullptr;
}

std::optional<Event> Session::take_event() {
  if (events_.empty()) return std::nullopt;
  Queued first = std::move(events_.front());
  events_.pop_front();
  events_bytes_ -= first.size;
  if (first.counted) --counted_in_queue_;
  in_hand_ = true;
  return std::move(first.event);
}

void Session::processed(TimePoint now) {
  in_hand_ = false;
  note_processed(now);
}

void Session::settle(TimePoint now) {
  processed(now);
  if (!acknowledge_at_) return;
  acknowledge_at_ = now;
  note_processed(now);
}

/// Counted events leave the queue in their order, so all but those that wait there are processed.
void Session::note_processed(TimePoint now) {
  if (state_ != State::open || options_.acknowledge == SessionOptions::Acknowledge::no) return;
  if (!in_hand_) processed_ = counted_ - counted_in_queue_;
  if (processed_ == acknowledged_) return;
  if (!acknowledge_at_) acknowledge_at_ = now + options_.acknowledge_after;
  const bool many = processed_ - acknowledged_ >= options_.acknowledge_every;
  if (!many && heard_since_ack_ < window_ / 4 && now < *acknowledge_at_) return;
  acknowledged_ = processed_;
  heard_since_ack_ = {};
  acknowledge_at_.reset();
  say(wire::hub::Ack{.seq = acknowledged_});
}

// --- what the owner wants

bool Session::can_publish() const {
  return state_ != State::over && unanswered_.size() < options_.most_unanswered &&
         unanswered_bytes_ < limits::kClientUnansweredBytes;
}

Result<std::uint64_t> Session::publish(Draft draft) {
  if (state_ == State::over) return fail(Errc::closed, "The session is over.");
  if (!can_publish()) return fail(Errc::limit_exceeded, "Too many messages wait for their answer.");
  if (draft.id.empty()) draft.id = options_.id_prefix + '-' + std::to_string(last_number_ + 1);
  if (auto right = check(draft); !right) return fail(right.error());
  const Bytes size{draft.content.bytes.size()};
  const Bytes names{draft.to.name.size() + draft.id.size() + draft.key.size()};
  if (size + names + limits::kPublishNumbers > limits::kMaxEnvelope) {
    return fail(Errc::limit_exceeded, "The message has " +
                                          std::to_string((size + names + limits::kPublishNumbers).count()) +
                                          " bytes with its names; the limit is " +
                                          std::to_string(limits::kMaxEnvelope.count()) + ".");
  }
  unanswered_.push_back({.number = ++last_number_,
                         .publish = {.id = std::move(draft.id),
                                     .to = std::move(draft.to),
                                     .content = std::move(draft.content),
                                     .level = draft.level,
                                     .key = std::move(draft.key),
                                     .ttl_ms = draft.ttl_ms},
                         .size = size});
  unanswered_bytes_ += size;
  if (state_ == State::open) send_publish(unanswered_.back());
  return last_number_;
}

void Session::send_publish(Unanswered& unanswered) {
  unanswered.publish.seq = ++last_seq_;
  say(unanswered.publish);
}

Status Session::join(wire::hub::Join join) {
  if (!wire::hub::is_name(join.group))
    return fail(Errc::invalid_argument, "'" + join.group + "' is no name of a group.");
  if (groups_.contains(join.group)) return {};
  if (groups_.size() >= limits::kGroupsPerConnection)
    return fail(Errc::limit_exceeded, "One may be in no more groups.");
  const auto known = progress_.find(group_of(join.group));
  wire::hub::Join first = join;
  if (known != progress_.end() && known->second.reached()) first.from = known->second.reached();
  groups_.emplace(join.group, std::move(join));
  if (state_ == State::open) say(std::move(first));
  return {};
}

void Session::leave(const std::string& group) {
  if (groups_.erase(group) == 0) return;
  progress_.erase(group_of(group));
  if (state_ == State::open) say(wire::hub::Leave{.group = group});
}

Status Session::pull(wire::hub::Pull pull) {
  if (state_ != State::open) return fail(Errc::link_lost, "There is no connection to pull over.");
  if (pulls_.size() >= limits::kClientHoles) return fail(Errc::busy, "Too much is being pulled.");
  Progress* const progress = progress_in(pull.conversation);
  if (progress == nullptr) return fail(Errc::limit_exceeded, "There are too many conversations.");
  progress->want({.first = pull.first, .last = pull.last});
  pulls_.push_back({.pull = std::move(pull)});
  pull_next(TimePoint::min());
  return {};
}

void Session::pull_next(TimePoint now) {
  if (state_ != State::open || pulls_.empty() || pulls_.front().sent) return;
  if (pulls_.front().not_before > now && pulls_.front().not_before != TimePoint{}) return;
  pulls_.front().sent = true;
  say(pulls_.front().pull);
}

Status Session::who(std::string group) {
  if (state_ != State::open) return fail(Errc::link_lost, "There is no connection to ask over.");
  if (!wire::hub::is_name(group))
    return fail(Errc::invalid_argument, "'" + group + "' is no name of a group.");
  say(wire::hub::Who{.group = std::move(group)});
  return {};
}

Result<std::string> Session::ask(Question question) {
  if (state_ != State::open) return fail(Errc::link_lost, "There is no connection to ask over.");
  if (!wire::hub::is_name(question.user))
    return fail(Errc::invalid_argument, "'" + question.user + "' is no name of a user.");
  if (auto right = check(question.content); !right) return fail(right.error());
  if (requests_.size() >= limits::kRequestsPerConnection)
    return fail(Errc::limit_exceeded, "Too many requests wait for their reply.");
  std::string id = options_.id_prefix + "-q" + std::to_string(++last_request_);
  requests_.emplace(id, ++last_seq_);
  say(wire::hub::Request{.seq = last_seq_,
                         .id = id,
                         .user = std::move(question.user),
                         .content = std::move(question.content),
                         .timeout_ms = question.timeout_ms});
  return id;
}

void Session::abandon_requests() {
  for (const auto& [id, seq] : requests_) {
    tell(wire::hub::Reply{.request = id,
                          .reason = Reason::connection_lost,
                          .message = "The connection was lost before the reply."});
  }
  requests_.clear();
}

void Session::reply(wire::hub::Reply reply) {
  if (state_ == State::open) say(std::move(reply));
}

void Session::refresh(std::string token) {
  options_.token = std::move(token);
  if (state_ == State::open) say(wire::hub::Refresh{.token = options_.token});
}

void Session::ping(TimePoint now) {
  if (state_ != State::open) return;
  pinged_at_ = now;
  say(wire::hub::Ping{.nonce = ++nonce_});
}

}  // namespace sluice::messaging
