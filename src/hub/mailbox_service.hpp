#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/admission_limits.hpp"
#include "core/limits.hpp"
#include "hub/mailbox.hpp"
#include "observe/log_pace.hpp"
#include "transport/http.hpp"

namespace sluice::hub {

struct MailboxServiceOptions {
  MailboxLimits limits{};
  Bytes place_buffer = limits::kMailboxPlaceBuffer;  ///< What may wait for one connection before it is cut.
};

/// Serves mailboxes to whoever connects: messages in, `Mailboxes` decides, messages out.
///
/// One shard. Owns the links that it accepts until they end. Their number is bounded by the server that
/// accepts them, what waits in each by `place_buffer`; dead ones are noticed by the transport's pings.
class MailboxService {
 public:
  MailboxService(boost::asio::any_io_executor executor, MailboxServiceOptions options, Random random);
  MailboxService(const MailboxService&) = delete;
  MailboxService& operator=(const MailboxService&) = delete;
  ~MailboxService();  ///< Cuts what is still connected. `run` must have ended.

  void set_limits(const MailboxLimits& limits) {
    options_.limits = limits;
    mailboxes_.set_limits(limits);
  }

  /// A new connection, of text messages.
  void accept(transport::AcceptedLink accepted);

  /// Lets time pass for mailboxes and frees what has ended, until it is cancelled. To be run once, as a task.
  boost::asio::awaitable<void> run();

  [[nodiscard]] const Mailboxes& mailboxes() const { return mailboxes_; }

 private:
  class Connection;

  void heard(ConnectionId id, ByteView message);
  void ended(ConnectionId id, const Error& reason);
  void carry_out(MailboxActions actions);
  void send(ConnectionId to, const Reply& reply);
  void log_refusal(const Refusal& refusal, const std::string& address);
  void retire(ConnectionId id);
  void reschedule();

  MailboxServiceOptions options_;
  Mailboxes mailboxes_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> retired_;  ///< Ended; freed outside of their own calls.
  std::vector<ConnectionId> too_slow_;                ///< Found while other actions were carried out.
  observe::LogPace refusals_{limits::kRefusalLogPause, limits::kRefusalLogEntries};
  boost::asio::steady_timer timer_;
};

/// Uniform, seeded by the system.
[[nodiscard]] Random system_random();

}  // namespace sluice::hub
