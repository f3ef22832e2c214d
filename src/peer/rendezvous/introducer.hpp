#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <boost/asio/awaitable.hpp>

#include "client/mailbox_client.hpp"
#include "peer/rendezvous/introduction.hpp"
#include "peer/rendezvous/outcome.hpp"
#include "transport/peer_connection.hpp"

namespace sluice::rendezvous {

/// Carries out what one `Introduction` decides: its messages go through a mailbox, its signals to a peer
/// connection.
///
/// One shard; lives in the coroutine that runs it. What the peer connection reports waits in a queue that
/// holds `limits::kMaxCandidates` candidates and the few other events that there are; further candidates are
/// not sent.
class Introducer final : private transport::PeerConnectionListener {
 public:
  struct Parts {
    client::MailboxClient& mailbox;
    Introduction& introduction;
    const transport::PeerConnectionFactory& make_peer;
    std::function<void(Progress)> on_progress;
    std::optional<client::VisitId> visit;  ///< On the host: whom its messages are for.
    /// On the host: why a visitor that has proved itself is not served, if it is not. It is told so under
    /// seal, before anything is spent on a path.
    std::function<std::optional<Error>()> reject{};
  };
  explicit Introducer(Parts parts) : parts_(std::move(parts)) {}
  Introducer(const Introducer&) = delete;
  Introducer& operator=(const Introducer&) = delete;
  ~Introducer() override = default;

  /// The channel, or why there is none; by the introduction's deadline at the latest. The mailbox stays as it
  /// is: the caller leaves it. Cancellation: throws, and ends the peer connection; the mailbox's end tells
  /// the other side.
  boost::asio::awaitable<Outcome> run();

  /// After `run`: whether the other side tried a wrong code.
  [[nodiscard]] Ended::Guess guess() const { return guess_; }

 private:
  struct CandidatesEnd {};
  struct Opened {
    std::unique_ptr<transport::Link> channel;
  };
  using PeerEvent = std::variant<Candidate, CandidatesEnd, Opened, Error>;

  void on_local_candidate(const std::string& candidate) override;
  void on_local_candidates_done() override;
  void on_open(std::unique_ptr<transport::Link> channel) override;
  void on_failed(const Error& reason) override;
  void push(PeerEvent event);

  void handle(client::MailboxEvent& event);
  void handle(PeerEvent& event);
  void perform(Actions actions);
  void on_key_confirmed();
  [[nodiscard]] Phase phase_of(const Error& error) const;
  void on_signal(const Signal& signal);
  void make_offer();
  void make_answer(const std::string& offer);
  void fail_with(Phase phase, Error error);
  void gave_way(const Error& error);
  [[nodiscard]] bool make_peer();
  void report(Progress progress);

  Parts parts_;
  std::deque<PeerEvent> events_;
  std::size_t local_candidates_ = 0;
  std::optional<Outcome> outcome_;
  Ended::Guess guess_ = Ended::Guess::none;
  std::unique_ptr<transport::PeerConnection> peer_;  // last: it may call us until it is gone
};

}  // namespace sluice::rendezvous
