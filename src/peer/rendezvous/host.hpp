#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "client/mailbox_client.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "crypto/code.hpp"
#include "crypto/key_file.hpp"
#include "peer/rendezvous/host_pace.hpp"
#include "peer/rendezvous/introducer.hpp"
#include "peer/rendezvous/outcome.hpp"
#include "transport/peer_connection.hpp"

namespace sluice::rendezvous {

/// What a host's rendezvous tells its user; on its shard, from its own coroutine, which goes on when the call
/// returns.
class HostListener {
 public:
  virtual ~HostListener() = default;
  /// A client may come now. With a key file there is no code; `expires_in` is the hub's word.
  virtual void on_waiting(const std::optional<crypto::Code>& code, std::optional<Duration> expires_in) = 0;
  /// Somebody tried a wrong code: it no longer works, a new one follows.
  virtual void on_code_burnt(const Error& reason) = 0;
  virtual void on_progress(Progress progress) = 0;
  /// Why a client that has just proved itself cannot be served now, with the code `busy`; nothing: it can. It
  /// is told this, no path is sought, and no code is burnt.
  [[nodiscard]] virtual std::optional<Error> rejection() { return std::nullopt; }
  /// A client that has proved itself. The link is the listener's from now on.
  virtual void on_peer(std::unique_ptr<transport::Link> channel) = 0;
  /// Something went wrong that the host gets over by itself: a visitor who left, a path that was not found, a
  /// hub that is away.
  virtual void on_trouble(const Failure& failure) = 0;
};

struct HostSetup {
  client::Connector connect{};
  transport::PeerConnectionFactory make_peer{};
  std::optional<crypto::SharedKey> key{};  ///< Instead of codes.
  Duration confirmation_limit = limits::kKeyConfirmation;
  Duration introduction_limit = limits::kIntroduction;
  Duration visitor_grace = limits::kVisitorGrace;
  client::MailboxTimes mailbox_times{};
  HostPace::Times pace{};
};

/// What became of all visitors, each counted once, and of all mailboxes.
struct HostStats {
  std::uint64_t visitors = 0;
  std::uint64_t connected = 0;
  std::uint64_t wrong_guesses = 0;  ///< Visitors who tried a wrong code or key.
  std::uint64_t turned_away = 0;    ///< Had the key, and could not be served.
  std::uint64_t failed_before_key = 0;
  std::uint64_t failed_after_key = 0;
  std::uint64_t mailboxes = 0;
  std::uint64_t codes_expired = 0;
  std::uint64_t hub_failures = 0;   ///< A hub that is away, says no, or lets a mailbox expire at once.
  std::uint64_t late_messages = 0;  ///< From visitors who were done with: ignored.
};

/// A host's standing place at the hub: one visitor after the other is introduced, and those that prove
/// themselves become links.
///
/// One shard. A code serves any number of clients until it expires or is burnt by a wrong guess; then a new
/// mailbox with a new code takes its place, later and later while guesses go on. With a key file the mailbox
/// stays the same, a wrong key burns nothing, and the next visitor waits longer. When the hub is lost, or
/// ends a mailbox that has hardly lived, it is sought again, later and later. At most one introduction at a
/// time, each bounded by `introduction_limit`.
class HostRendezvous {
 public:
  /// The listener outlives this.
  HostRendezvous(HostSetup setup, HostListener& listener)
      : setup_(std::move(setup)), listener_(listener), pace_(setup_.pace) {}

  /// Runs until cancelled (throws `operation_aborted`), or returns why the first mailbox could not be opened:
  /// phase `hub`, or `key` when the hub refuses. Somebody waits for the first code; with a key nobody does,
  /// and that failure is got over as later ones are: told to the listener, and tried again. Always returned
  /// are those of the connector that waiting does not mend: `permission_denied` (another certificate than the
  /// pinned or a trusted one) and `invalid_argument`.
  boost::asio::awaitable<Failure> run();

  [[nodiscard]] const HostStats& stats() const { return stats_; }

 private:
  /// Why a mailbox came to its end.
  struct MailboxEnd {
    enum class Why : std::uint8_t { expired, burnt, hub_lost, hub_unfit } why;
    std::optional<Failure> failure{};
  };
  /// The mailbox that is open now.
  struct Place {
    client::MailboxClient& mailbox;
    const Credential& credential;
    /// The visitor who is done with and still there, and how long he may stay.
    struct Leaving {
      client::VisitId visit;
      TimePoint until;
    };
    std::optional<Leaving> leaving{};
  };

  boost::asio::awaitable<MailboxEnd> serve_mailbox();
  boost::asio::awaitable<MailboxEnd> serve_visitors(Place& place);
  boost::asio::awaitable<std::optional<MailboxEnd>> introduce(Place& place, client::VisitId visit);
  boost::asio::awaitable<MailboxEnd> burn(Place& place, Error reason);
  [[nodiscard]] std::optional<MailboxEnd> handle(Place& place, client::MailboxEvent& event);
  [[nodiscard]] MailboxEnd closed(MailboxEnd end);
  [[nodiscard]] Duration pause_after(const MailboxEnd& end);
  void release(Place& place, client::VisitId visit);
  void after_introduction(Place& place, client::VisitId visit, const Introducer& introducer, Outcome outcome);

  HostSetup setup_;
  HostListener& listener_;
  HostPace pace_;
  HostStats stats_;
};

}  // namespace sluice::rendezvous
