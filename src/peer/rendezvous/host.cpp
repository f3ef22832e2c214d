#include "peer/rendezvous/host.hpp"

#include <limits>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "crypto/random.hpp"
#include "peer/rendezvous/responder.hpp"

namespace sluice::rendezvous {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> pause(Duration time) {
  asio::steady_timer timer{co_await asio::this_coro::executor, time};
  co_await timer.async_wait(asio::use_awaitable);
}

double chance() {
  constexpr std::uint32_t kSteps = 1U << 24U;
  return static_cast<double>(crypto::random_below(kSteps)) / kSteps;
}

/// Whether a hub that cannot be reached for that reason may be reached later: it may come back, but waiting
/// gives it no other certificate, and an option no other meaning.
bool can_heal(Errc code) {
  return code != Errc::permission_denied && code != Errc::invalid_argument;
}

/// Whether the hub gave a mailbox that a code can name.
bool is_number(const std::string& mailbox) {
  return crypto::Code::parse(crypto::Code{.mailbox = mailbox}.text()).has_value();
}

}  // namespace

asio::awaitable<Failure> HostRendezvous::run() {
  for (;;) {
    MailboxEnd end = co_await serve_mailbox();
    if (end.failure) {
      const bool at_first = stats_.mailboxes == 0 && !setup_.key;
      if (at_first || end.why == MailboxEnd::Why::hub_unfit) co_return std::move(*end.failure);
      ++stats_.hub_failures;
      listener_.on_trouble(*end.failure);
    }
    co_await pause(pause_after(end));
  }
}

Duration HostRendezvous::pause_after(const MailboxEnd& end) {
  switch (end.why) {
    case MailboxEnd::Why::expired:
      break;
    case MailboxEnd::Why::burnt:
      return pace_.burnt();
    case MailboxEnd::Why::hub_lost:
    case MailboxEnd::Why::hub_unfit:
      return pace_.hub_lost(chance());
  }
  return Duration::zero();
}

asio::awaitable<HostRendezvous::MailboxEnd> HostRendezvous::serve_mailbox() {
  auto link = co_await setup_.connect();
  if (!link) {
    co_return MailboxEnd{
        .why = can_heal(link.error().code) ? MailboxEnd::Why::hub_lost : MailboxEnd::Why::hub_unfit,
        .failure = Failure{.phase = Phase::hub, .error = std::move(link).error()}};
  }
  const auto executor = co_await asio::this_coro::executor;
  client::MailboxClient mailbox{executor, std::move(*link), setup_.mailbox_times};
  std::optional<std::string> name;
  if (setup_.key) name = setup_.key->mailbox();
  auto opened = co_await mailbox.open(name);
  if (opened && (name ? opened->mailbox != *name : !is_number(opened->mailbox))) {
    opened = fail(Errc::protocol_violation, "The hub opened another mailbox than the one asked for.");
  }
  if (!opened) {
    const Phase phase = mailbox.gone() ? Phase::hub : Phase::key;
    co_return MailboxEnd{.why = MailboxEnd::Why::hub_lost,
                         .failure = Failure{.phase = phase, .error = std::move(opened).error()}};
  }
  ++stats_.mailboxes;
  pace_.opened(Clock::now());

  std::optional<crypto::Code> code;
  if (!setup_.key) code = crypto::Code::random(opened->mailbox);
  const Credential credential = code ? Credential::of(*code) : Credential::of(*setup_.key);
  listener_.on_waiting(code, opened->expires_in);
  Place place{.mailbox = mailbox, .credential = credential};
  MailboxEnd end = co_await serve_visitors(place);
  co_return closed(std::move(end));
}

/// The end of a mailbox that was open, as the pace sees it.
HostRendezvous::MailboxEnd HostRendezvous::closed(MailboxEnd end) {
  const bool cut_short = pace_.closed(Clock::now()) == HostPace::Life::cut_short;
  if (end.why != MailboxEnd::Why::expired) return end;
  if (cut_short) {
    return {
        .why = MailboxEnd::Why::hub_lost,
        .failure = Failure{.phase = Phase::hub,
                           .error = {.code = Errc::protocol_violation,
                                     .message = "The hub let a mailbox expire that it had just opened."}}};
  }
  ++stats_.codes_expired;
  return end;
}

asio::awaitable<HostRendezvous::MailboxEnd> HostRendezvous::serve_visitors(Place& place) {
  constexpr auto kLong = std::chrono::hours{1};
  for (;;) {
    while (auto event = place.mailbox.take()) {
      if (const auto* joined = std::get_if<client::PeerJoined>(&*event)) {
        const client::VisitId visit = joined->visit;
        auto end = co_await introduce(place, visit);
        if (end) co_return std::move(*end);
      } else if (auto end = handle(place, *event)) {
        co_return std::move(*end);
      }
    }
    if (place.leaving && Clock::now() >= place.leaving->until) release(place, place.leaving->visit);
    co_await place.mailbox.wait(place.leaving ? place.leaving->until : Clock::now() + kLong);
  }
}

std::optional<HostRendezvous::MailboxEnd> HostRendezvous::handle(Place& place, client::MailboxEvent& event) {
  if (std::holds_alternative<client::PeerLeft>(event)) {
    place.leaving.reset();
  } else if (std::holds_alternative<client::Expired>(event)) {
    return MailboxEnd{.why = MailboxEnd::Why::expired};
  } else if (auto* gone = std::get_if<client::HubGone>(&event)) {
    return MailboxEnd{.why = MailboxEnd::Why::hub_lost,
                      .failure = Failure{.phase = Phase::hub, .error = std::move(gone->error)}};
  } else if (auto* refused = std::get_if<client::Refused>(&event)) {
    listener_.on_trouble({.phase = Phase::hub, .error = std::move(refused->error)});
  } else {
    ++stats_.late_messages;
  }
  return std::nullopt;
}

asio::awaitable<std::optional<HostRendezvous::MailboxEnd>> HostRendezvous::introduce(Place& place,
                                                                                     client::VisitId visit) {
  place.leaving.reset();
  ++stats_.visitors;
  listener_.on_progress(Progress::peer_joined);
  Responder responder{{.mailbox = place.credential.mailbox,
                       .password = place.credential.password.clone(),
                       .entropy = Entropy::random(),
                       .confirmation_limit = setup_.confirmation_limit,
                       .limit = setup_.introduction_limit}};
  Introducer introducer{{.mailbox = place.mailbox,
                         .introduction = responder,
                         .make_peer = setup_.make_peer,
                         .on_progress = [this](Progress progress) { listener_.on_progress(progress); },
                         .visit = visit,
                         .reject = [this] { return listener_.rejection(); }}};
  Outcome outcome = co_await introducer.run();
  if (responder.confirmed()) pace_.confirmed();
  const bool wrong = introducer.guess() == Ended::Guess::wrong;
  if (wrong && !setup_.key) {
    MailboxEnd end = co_await burn(place, std::move(outcome.error().error));
    co_return end;
  }
  after_introduction(place, visit, introducer, std::move(outcome));
  co_return std::nullopt;
}

void HostRendezvous::after_introduction(Place& place, client::VisitId visit, const Introducer& introducer,
                                        Outcome outcome) {
  if (outcome) {
    ++stats_.connected;
    // The client may still be finishing: it leaves by itself, or is sent off after the grace.
    place.leaving = {.visit = visit, .until = Clock::now() + setup_.visitor_grace};
    return listener_.on_peer(std::move(*outcome));
  }
  Failure& failure = outcome.error();
  if (introducer.guess() == Ended::Guess::wrong) {
    ++stats_.wrong_guesses;
    place.leaving = {.visit = visit, .until = Clock::now() + pace_.wrong_key()};
  } else if (failure.error.code == Errc::busy) {
    ++stats_.turned_away;
    release(place, visit);
  } else {
    ++(failure.phase == Phase::path ? stats_.failed_after_key : stats_.failed_before_key);
    release(place, visit);
  }
  // A hub that is gone is reported by whoever finds the mailbox at its end.
  if (failure.phase != Phase::hub) listener_.on_trouble(failure);
}

void HostRendezvous::release(Place& place, client::VisitId visit) {
  place.leaving.reset();
  (void)place.mailbox.send(client::Release{.visit = visit});  // a link that has ended says so in `take`
}

asio::awaitable<HostRendezvous::MailboxEnd> HostRendezvous::burn(Place& place, Error reason) {
  ++stats_.wrong_guesses;
  (void)place.mailbox.send(client::Burn{});
  listener_.on_code_burnt(reason);
  co_await place.mailbox.close();
  co_return MailboxEnd{.why = MailboxEnd::Why::burnt};
}

}  // namespace sluice::rendezvous
