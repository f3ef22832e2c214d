#include "peer/tunnel/session.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "core/ensure.hpp"
#include "peer/tunnel/socket_id.hpp"

namespace sluice::tunnel {

namespace {

const Error kClosed{.code = Errc::closed, .message = "the tunnel was closed"};

}  // namespace

Session::Session(Role role, transport::Link& link, SessionShell& shell, SessionOptions options)
    : role_(role),
      link_(link),
      shell_(shell),
      options_(std::move(options)),
      budget_(options_.budget),
      descriptors_(options_.descriptors),
      gate_(options_.gate),
      fair_({.quantum = limits::kFairQuantum, .max_keys = options_.max_streams}) {
  link_.set_buffered_amount_low_threshold(options_.gate.marks.low);
}

Session::Session(transport::Link& link, SessionShell& shell, Targets targets, SessionOptions options)
    : Session(Role::host, link, shell, std::move(options)) {
  targets_ = std::move(targets);
}

Session::~Session() = default;

void Session::start(TimePoint now) {
  hello_deadline_ = now + options_.hello_timeout;
  owes_hello_ = role_ == Role::client;
  send(now);
}

// --- sockets --------------------------------------------------------------------------------------------

void Session::on_readable(wire::SocketId id, TimePoint now) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.stream.on_readable();
  settle(found->second, now);
  send(now);
}

void Session::on_writable(wire::SocketId id, TimePoint now) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.stream.on_writable();
  settle(found->second, now);
  send(now);
}

wire::SocketId Session::choose_id(std::uint32_t hash) const {
  return probe_id(hash, [this](wire::SocketId id) { return streams_.contains(id) || closed_.contains(id); });
}

Status Session::open(wire::SocketId id, std::unique_ptr<Socket> socket, std::string target, TimePoint now) {
  ENSURE(role_ == Role::client && id != wire::kSession && !streams_.contains(id) && !closed_.contains(id));
  const auto refuse_local = [&](Error why) -> Status {
    ++refused_;
    socket->reset();
    return fail(std::move(why));
  };
  if (ended_) return refuse_local(*ended_);
  if (link_end_) return refuse_local(*link_end_);
  if (drain_until_) return refuse_local(kClosed);
  if (!ready()) return refuse_local({.code = Errc::busy, .message = "the tunnel is not ready yet"});
  auto window = take_place(now);
  if (!window) return refuse_local(std::move(window.error()));
  Entry& entry = place(
      streams_
          .try_emplace(id, options_for(id), std::move(*window), totals_, std::move(socket), std::move(target))
          .first->second);
  settle(entry, now);
  send(now);
  return {};
}

void Session::dialed(wire::SocketId id, std::unique_ptr<Socket> socket, TimePoint now) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || !found->second.stream.dialing()) return socket->reset();
  found->second.dialing = false;
  found->second.target = {};
  found->second.stream.connected(std::move(socket));
  settle(found->second, now);
  send(now);
}

void Session::dial_failed(wire::SocketId id, wire::CloseReason reason, TimePoint now) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || !found->second.stream.dialing()) return;
  found->second.dialing = false;
  found->second.stream.close(reason, told_of(std::exchange(found->second.target, {}), reason));
  settle(found->second, now);
  send(now);
}

// --- streams --------------------------------------------------------------------------------------------

/// What a new stream needs of what is shared: a place, a descriptor, a window. `remove` gives them back.
Result<flow::ReceiveWindow> Session::take_place(TimePoint now) {
  if (streams_.size() >= options_.max_streams) {
    return fail(Errc::limit_exceeded, "no place left for one more connection: it carries " +
                                          std::to_string(streams_.size()) + " already, as many as it may");
  }
  if (!descriptors_.take(1)) return fail(Errc::limit_exceeded, "no descriptors left for one more connection");
  auto window = flow::ReceiveWindow::open(budget_, options_.window, now);
  if (!window) descriptors_.give(1);
  return window;
}

Stream::Options Session::options_for(wire::SocketId id) const {
  return {.id = id, .role = role_, .first_send_window = Bytes{peer_->first_window}};
}

/// A new stream's place among the others.
Session::Entry& Session::place(Entry& entry) {
  entry.place = quiet_.insert(quiet_.end(), &entry);
  peak_streams_ = std::max(peak_streams_, streams_.size());
  return entry;
}

/// Puts a stream where it belongs after anything has happened to it.
void Session::settle(Entry& entry, TimePoint now) {
  Stream& stream = entry.stream;
  if (stream.finished()) {
    const StreamEnd end = stream.end();
    return remove(entry, end, now);
  }
  if (const bool owes = stream.owes_packet(); owes != entry.owing) {
    auto& from = entry.owing ? owing_ : quiet_;
    auto& to = entry.owing ? quiet_ : owing_;
    to.splice(to.end(), from, entry.place);
    entry.owing = owes;
  }
  if (stream.can_send()) {
    ENSURE(fair_.activate(stream.id()).has_value());  // it has room for every stream
  } else {
    fair_.deactivate(stream.id());
  }
  if (stream.awaits_connect() || stream.awaits_accept()) {
    if (!entry.deadline) schedule(entry, now + options_.open_timeout);
  } else if (stream.flushing()) {
    if (!entry.deadline) schedule(entry, now + options_.close_flush);
  } else if (entry.deadline) {
    schedule(entry, std::nullopt);
  }
}

void Session::schedule(Entry& entry, std::optional<TimePoint> deadline) {
  if (entry.deadline) deadlines_.erase({*entry.deadline, entry.stream.id()});
  entry.deadline = deadline;
  if (deadline) deadlines_.emplace(*deadline, entry.stream.id());
}

void Session::remove(Entry& entry, const StreamEnd& end, TimePoint now) {
  const wire::SocketId id = entry.stream.id();
  if (entry.dialing) shell_.forget_dial(id);
  without_credit_ += entry.stream.without_credit(now);
  fair_.deactivate(id);
  schedule(entry, std::nullopt);
  (entry.owing ? owing_ : quiet_).erase(entry.place);
  streams_.erase(id);
  (void)charge_early_packets();  // it only shrinks
  descriptors_.give(1);
  closed_.add(id);
  shell_.on_stream_end(id, end);
}

// --- time and the end -----------------------------------------------------------------------------------

std::optional<TimePoint> Session::next_deadline() const {
  if (ended_) return std::nullopt;
  std::optional<TimePoint> next;
  const auto consider = [&next](std::optional<TimePoint> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  if (!ready() && !link_end_) consider(hello_deadline_);
  if (!deadlines_.empty()) consider(deadlines_.begin()->first);
  consider(gate_.next_deadline());
  consider(drain_until_);
  return next;
}

void Session::expire(TimePoint now) {
  if (ended_) return;
  if (!ready() && !link_end_ && now >= hello_deadline_) {
    return end({.code = Errc::timed_out, .message = "the other side did not begin the tunnel in time"}, now);
  }
  if (!link_end_ && !gate_.expire(now).empty()) return end(gate_.stall_error(), now);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    Entry& entry = streams_.at(deadlines_.begin()->second);
    schedule(entry, std::nullopt);
    Stream& stream = entry.stream;
    if (stream.awaits_connect()) {
      ignore(stream.id(), Ignored::never_opened);
      remove(entry, {.by = StreamEnd::By::local, .reason = wire::CloseReason::stalled, .text = ""}, now);
      continue;
    }
    if (stream.flushing()) {
      stream.close(wire::CloseReason::stalled, "the connection took nothing of what was left for it");
    } else {
      stream.close(wire::CloseReason::dial_timed_out, "the other side did not answer");
    }
    settle(entry, now);
  }
  (void)charge_early_packets();  // it only shrinks
  send(now);
}

void Session::drain(TimePoint until, TimePoint now) {
  if (ended_) return;
  drain_until_ = std::min(until, drain_until_.value_or(until));
  send(now);
}

/// While it drains, or after its link: ends once nothing is left, and closes what outstays the limit.
void Session::finish_drain(TimePoint now) {
  if ((!drain_until_ && !link_end_) || ended_) return;
  if (drain_until_ && now >= *drain_until_) {
    for (auto next = streams_.begin(); next != streams_.end();) {
      Entry& entry = next++->second;
      entry.stream.close(wire::CloseReason::shutting_down, "the tunnel is shutting down");
      settle(entry, now);
    }
    // The last words do not wait for the gate: they are small, and the link takes far more than its high
    // mark.
    while (!ended_ && (!owing_.empty() || !refusals_.empty())) (void)send_next(now);
  }
  if (!ended_ && streams_.empty() && refusals_.empty()) end(link_end_.value_or(kClosed), now);
}

void Session::on_link_closed(const Error& reason, TimePoint now) {
  if (reason.code != Errc::closed) return end(reason, now);
  if (!ended_ && !link_end_) outlive_link(reason, now);
}

void Session::outlive_link(const Error& reason, TimePoint now) {
  link_end_ = reason;
  wants_turn_ = false;
  owes_hello_ = false;
  refusals_.clear();
  (void)gate_.close(reason, now);
  ticket_.reset();
  for (auto next = streams_.begin(); next != streams_.end();) {
    Entry& entry = next++->second;
    if (entry.stream.outlive_link()) {
      settle(entry, now);
    } else {
      remove(entry,
             {.by = StreamEnd::By::session, .reason = wire::CloseReason::reset, .text = reason.message}, now);
    }
  }
  send(now);
}

void Session::end(Error why, TimePoint now) {
  if (ended_) return;
  ended_ = std::move(why);
  wants_turn_ = false;
  refusals_.clear();
  (void)gate_.close(*ended_, now);
  ticket_.reset();
  while (!streams_.empty()) {
    Entry& entry = streams_.begin()->second;
    remove(entry, {.by = StreamEnd::By::session, .reason = wire::CloseReason::reset, .text = ended_->message},
           now);
  }
}

SessionStats Session::stats(TimePoint now) const {
  Duration without_credit = without_credit_;
  for (const auto& [id, entry] : streams_) without_credit += entry.stream.without_credit(now);
  return {.totals = totals_,
          .streams = streams_.size(),
          .peak_streams = peak_streams_,
          .refused = refused_,
          .gate = gate_.stats(now),
          .without_credit = without_credit,
          .windows = budget_.stats(),
          .turns = fair_.stats(),
          .link_buffered = ended_ ? Bytes{} : link_.buffered_amount()};
}

}  // namespace sluice::tunnel
