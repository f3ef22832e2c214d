#include "peer/rendezvous/introducer.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "observe/log.hpp"

namespace sluice::rendezvous {

namespace asio = boost::asio;
using observe::log;
using observe::LogLevel;

namespace {

bool is_end(const Action& action) {
  return std::holds_alternative<Ended>(action);
}

}  // namespace

asio::awaitable<Outcome> Introducer::run() {
  perform(parts_.introduction.begin(Clock::now()));
  for (;;) {
    while (!outcome_) {
      auto event = parts_.mailbox.take();
      if (!event) break;
      const bool last = std::holds_alternative<client::HubGone>(*event);
      handle(*event);
      if (last) break;
    }
    while (!outcome_ && !events_.empty()) {
      PeerEvent event = std::move(events_.front());
      events_.pop_front();
      handle(event);
    }
    if (!outcome_) perform(parts_.introduction.expire(Clock::now()));
    if (outcome_) break;
    co_await parts_.mailbox.wait(parts_.introduction.deadline());
  }
  co_return std::move(*outcome_);
}

// --- from the mailbox ---

void Introducer::handle(client::MailboxEvent& event) {
  if (const auto* delivered = std::get_if<client::Delivered>(&event)) {
    return perform(parts_.introduction.receive(delivered->body, Clock::now()));
  }
  if (std::holds_alternative<client::PeerJoined>(event)) return;  // ours was taken before we began
  // Once the other side has its channel it may leave, and the hub is no longer needed.
  if (parts_.introduction.far_connected()) return;
  if (auto* gone = std::get_if<client::HubGone>(&event)) return fail_with(Phase::hub, std::move(gone->error));
  const Phase phase = parts_.introduction.confirmed() ? Phase::path : Phase::key;
  if (const auto* left = std::get_if<client::PeerLeft>(&event)) {
    return fail_with(
        phase, {.code = Errc::link_lost, .message = "The other side left the hub (" + left->reason + ")."});
  }
  if (auto* refused = std::get_if<client::Refused>(&event))
    return fail_with(phase, std::move(refused->error));
  fail_with(phase, {.code = Errc::timed_out, .message = "The hub's time for the introduction has run out."});
}

void Introducer::perform(Actions actions) {
  // What ended the attempt stands, a wrong guess above all, whether or not the hub still takes the last word.
  const auto end = std::ranges::find_if(actions, is_end);
  if (end != actions.end()) guess_ = std::get<Ended>(*end).guess;
  for (Action& action : actions) {
    if (outcome_) return;
    if (const auto* send = std::get_if<SendBody>(&action)) {
      auto sent = parts_.mailbox.send(client::Relay{.body = send->body, .visit = parts_.visit});
      if (!sent && end == actions.end()) fail_with(Phase::hub, std::move(sent).error());
    } else if (std::holds_alternative<KeyConfirmed>(action)) {
      on_key_confirmed();
    } else if (auto* ended = std::get_if<Ended>(&action)) {
      const Phase phase = phase_of(ended->error);
      fail_with(phase, std::move(ended->error));
    } else {
      on_signal(std::get<Signal>(action));
    }
  }
}

void Introducer::on_key_confirmed() {
  report(Progress::key_confirmed);
  if (const auto why = parts_.reject ? parts_.reject() : std::nullopt) return gave_way(*why);
  if (parts_.introduction.makes_offer()) make_offer();
}

/// A host that is full says so before there is anything to do with a path.
Phase Introducer::phase_of(const Error& error) const {
  return parts_.introduction.confirmed() && error.code != Errc::busy ? Phase::path : Phase::key;
}

void Introducer::on_signal(const Signal& signal) {
  if (const auto* offer = std::get_if<Offer>(&signal)) return make_answer(offer->sdp);
  // The other side may only describe itself first, so from here on there is a connection to tell.
  if (const auto* answer = std::get_if<Answer>(&signal)) {
    report(Progress::connecting);
    if (auto taken = peer_->set_answer(answer->sdp); !taken) gave_way(taken.error());
  } else if (const auto* candidate = std::get_if<Candidate>(&signal)) {
    // One that cannot be used is no reason to give up: the others may do.
    if (auto taken = peer_->add_remote_candidate(candidate->text); !taken) {
      log(LogLevel::debug, "rendezvous", [&] { return "candidate ignored: " + describe(taken.error()); });
    }
  } else if (std::holds_alternative<CandidatesDone>(signal)) {
    peer_->end_of_remote_candidates();
  }
}

// --- to and from the peer connection ---

bool Introducer::make_peer() {
  peer_ = parts_.make_peer(*this);
  if (peer_) return true;
  gave_way({.code = Errc::io, .message = "A peer connection cannot be made on this machine."});
  return false;
}

void Introducer::make_offer() {
  if (!make_peer()) return;
  auto sdp = peer_->create_offer();
  if (!sdp) return gave_way(sdp.error());
  perform(parts_.introduction.say(Offer{.sdp = std::move(*sdp)}));
}

void Introducer::make_answer(const std::string& offer) {
  report(Progress::connecting);
  if (!make_peer()) return;
  auto sdp = peer_->accept_offer(offer);
  if (!sdp) return gave_way(sdp.error());
  perform(parts_.introduction.say(Answer{.sdp = std::move(*sdp)}));
}

void Introducer::push(PeerEvent event) {
  events_.push_back(std::move(event));
  parts_.mailbox.wake();
}

void Introducer::on_local_candidate(const std::string& candidate) {
  if (++local_candidates_ > limits::kMaxCandidates) {
    log(LogLevel::debug, "rendezvous", "local candidate not sent: there are more than the other side takes");
    return;
  }
  push(Candidate{.text = candidate});
}

void Introducer::on_local_candidates_done() {
  push(CandidatesEnd{});
}
void Introducer::on_open(std::unique_ptr<transport::Link> channel) {
  push(Opened{.channel = std::move(channel)});
}
void Introducer::on_failed(const Error& reason) {
  push(reason);
}

void Introducer::handle(PeerEvent& event) {
  if (auto* candidate = std::get_if<Candidate>(&event)) {
    perform(parts_.introduction.say(std::move(*candidate)));
  } else if (std::holds_alternative<CandidatesEnd>(event)) {
    perform(parts_.introduction.say(CandidatesDone{}));
  } else if (auto* opened = std::get_if<Opened>(&event)) {
    // The channel is there: whether the hub still takes this word does not matter.
    for (Action& action : parts_.introduction.say(Connected{})) {
      const auto& body = std::get<SendBody>(action).body;
      (void)parts_.mailbox.send(client::Relay{.body = body, .visit = parts_.visit});
    }
    report(Progress::connected);
    outcome_ = std::move(opened->channel);
  } else {
    gave_way(std::get<Error>(event));
  }
}

/// This side cannot go on: the other is told.
void Introducer::gave_way(const Error& error) {
  perform(parts_.introduction.give_up(error));
}

void Introducer::fail_with(Phase phase, Error error) {
  if (!outcome_) outcome_ = std::unexpected(Failure{.phase = phase, .error = std::move(error)});
}

void Introducer::report(Progress progress) {
  if (parts_.on_progress) parts_.on_progress(progress);
}

}  // namespace sluice::rendezvous
