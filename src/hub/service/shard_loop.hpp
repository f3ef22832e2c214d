#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "hub/gateway/shard.hpp"
#include "hub/service/client_socket.hpp"
#include "hub/service/common.hpp"
#include "hub/service/envelopes.hpp"
#include "hub/service/mail_inbox.hpp"
#include "hub/service/shard_events.hpp"
#include "hub/service/stored_log.hpp"
#include "hub/store/message.hpp"

namespace sluice::hub::service {

/// One shard of the hub on an event loop and a thread of its own.
///
/// What comes in (messages, mail of other shards, outcomes of the store) changes the shard at once; what
/// follows from it is handed out in turns of the loop, each bounded by the fan-out slice, so that one busy
/// group does not hold up the rest.
class ShardLoop final : public ShardPort, public ClientEvents {
 public:
  /// `common` outlives it. `id_key`: for the hashes by which messages are known again, also by the next run.
  ShardLoop(ShardId self, std::size_t shards, Common& common, StoredLog log,
            const crypto::ShortHashKey& id_key, GatewaySettings settings);
  ShardLoop(const ShardLoop&) = delete;
  ShardLoop& operator=(const ShardLoop&) = delete;
  ~ShardLoop() override;  ///< After `stop`.

  /// `remembered`: as for `Shard::begin`.
  void start(const std::vector<RememberedMessage>& remembered);
  /// Ends the loop where it is and joins its thread. What waits is left, sockets close with the shard.
  void stop();

  [[nodiscard]] boost::asio::any_io_executor executor() { return io_.get_executor(); }

  // from any thread
  void put(std::vector<Mail> mail);
  void stored(std::vector<store::Completion> completions);

  // on its loop
  void accept(transport::AcceptedSocket accepted);
  void set_settings(GatewaySettings settings);
  void begin_drain();
  bool kick(ConnectionRef connection, std::string message);
  [[nodiscard]] const Shard& shard() const { return shard_; }
  [[nodiscard]] const ShardTotals& totals() const { return events_.totals(); }

 private:
  // ShardPort
  void post(ShardId to, Mail mail) override;
  SharedFrames encode(const std::vector<wire::hub::FromHub>& messages, wire::hub::Encoding encoding) override;
  std::expected<auth::Identity, Stranger> identify(const wire::hub::Hello& hello,
                                                   wire::hub::UnixMs now) override;
  std::string session_token(std::string_view user, std::string_view session) override;
  std::optional<std::string> session_of(std::string_view token, std::string_view user) override;
  std::string new_session() override;
  std::uint64_t random(std::uint64_t below) override;

  // ClientEvents
  void on_message(ConnectionRef from, wire::hub::Encoding encoding, ByteView message) override;
  void on_writable(ConnectionRef from) override;
  void on_closed(ConnectionRef from, const Error& reason) override;

  void wake();
  void turn();
  void read_mail(Moment now);
  void send_mail();
  void arm_timer();

  ShardId self_;
  Common& common_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  boost::asio::steady_timer timer_{io_};
  std::optional<TimePoint> armed_for_;
  MailInbox inbox_;
  std::deque<Mail> own_mail_;           ///< To itself, read in the next turn.
  std::vector<std::vector<Mail>> out_;  ///< To each shard, sent at the turn's end.
  Envelopes envelopes_;
  StoredLog log_;
  ShardEvents events_;
  Shard shard_;
  bool awake_ = false;  ///< A turn is on its way.
  std::thread thread_;
};

}  // namespace sluice::hub::service
