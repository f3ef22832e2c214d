#include "peer/rendezvous/client.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>

#include "peer/rendezvous/initiator.hpp"
#include "peer/rendezvous/introducer.hpp"

namespace sluice::rendezvous {

namespace asio = boost::asio;

asio::awaitable<Outcome> connect_as_client(ClientSetup setup) {
  const auto executor = co_await asio::this_coro::executor;
  auto link = co_await setup.connect();
  if (!link) co_return std::unexpected(Failure{.phase = Phase::hub, .error = std::move(link).error()});

  client::MailboxClient mailbox{executor, std::move(*link), setup.mailbox_times};
  auto joined = co_await mailbox.join(setup.credential.mailbox, Clock::now() + setup.limit);
  if (!joined) {
    const Phase phase = mailbox.gone() ? Phase::hub : Phase::key;
    co_return std::unexpected(Failure{.phase = phase, .error = std::move(joined).error()});
  }
  if (setup.on_progress) setup.on_progress(Progress::waiting);

  // The host greets at once, so all of the time may be needed for the rest.
  Initiator initiator{{.mailbox = setup.credential.mailbox,
                       .password = std::move(setup.credential.password),
                       .entropy = Entropy::random(),
                       .confirmation_limit = setup.limit,
                       .limit = setup.limit}};
  Introducer introducer{{.mailbox = mailbox,
                         .introduction = initiator,
                         .make_peer = setup.make_peer,
                         .on_progress = setup.on_progress,
                         .visit = {},
                         .reject = {}}};
  Outcome outcome = co_await introducer.run();
  co_await mailbox.close();  // so that the last word arrives
  co_return outcome;
}

}  // namespace sluice::rendezvous
