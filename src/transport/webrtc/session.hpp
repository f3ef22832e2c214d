#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "transport/peer_connection.hpp"
#include "transport/webrtc/data_transport.hpp"
#include "transport/webrtc/datagram_path.hpp"
#include "transport/webrtc/ice_agent.hpp"
#include "transport/webrtc/options.hpp"
#include "transport/webrtc/sdp.hpp"
#include "transport/webrtc/ticker.hpp"

namespace sluice::webrtc {

/// Everything between the signalling and the channel of one peer connection: the ICE agent, the path that it
/// found, and the data transport on top, joined.
///
/// Owned together by the PeerConnection while that lives and by the open channel; the last of them to go ends
/// it. One shard. Work comes in turns: datagrams or timers go in, `process` delivers what they brought, what
/// goes out is flushed once at the end.
class Session final : public ChannelOwner,
                      public std::enable_shared_from_this<Session>,
                      private IceListener,
                      private DatagramReceiver,
                      private DataTransportListener,
                      private Ticker::Member {
 public:
  Session(boost::asio::any_io_executor executor, Options options,
          transport::PeerConnectionListener& listener);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  /// Tells the peer, if there is one, with an ABORT and a close_notify; tells nobody here.
  ~Session() override;

  Result<std::string> create_offer();
  Result<std::string> accept_offer(const std::string& sdp);
  Status set_answer(const std::string& sdp);
  Status add_remote_candidate(const std::string& attribute);
  void end_of_remote_candidates();
  /// The listener is going: nothing more reaches it.
  void forget_listener() { listener_ = nullptr; }

  [[nodiscard]] transport::Path path() const override;

 private:
  enum class State : std::uint8_t { fresh, negotiating, open, ended };

  // What the parts below have to say.
  void on_ice_candidate(const std::string& attribute) override;
  void on_ice_candidates_done() override;
  void on_ice_path(const transport::Path& path) override;
  void on_ice_failed(const Error& reason) override;
  void on_path_datagram(ByteView datagram) override;
  void on_path_batch_end() override;
  void on_datagram(ByteView datagram) override;
  void on_probe_datagram(ByteView datagram) override;
  void on_work() override;
  void on_secure() override;
  void on_channel(std::unique_ptr<DataChannel> channel) override;
  void on_ended(const Error& reason) override;
  void on_tick(TimePoint now) override;

  Status begin(IceRole role);
  std::string describe_here(DtlsSetup setup) const;
  void take_description(SessionDescription remote, DtlsRole role);
  void use_path(const transport::Path& path);
  void start_transport();
  void finish_turn(TimePoint now);
  void post_turn();
  void fail_with(const Error& reason);
  void post_shut();
  void shut();
  void log_path_stats() const;

  boost::asio::any_io_executor executor_;
  const Options options_;
  transport::PeerConnectionListener* listener_;
  State state_ = State::fresh;
  IceRole role_ = IceRole::controlling;
  Certificate certificate_;
  DataTransport transport_;
  std::unique_ptr<IceAgent> agent_;
  std::unique_ptr<DatagramPath> path_;  ///< Before the agent, which it may use, is gone.
  transport::Path last_path_;
  std::optional<SessionDescription> remote_;
  std::optional<DtlsRole> dtls_role_;
  std::vector<std::string> early_candidates_;  ///< Came before the description that they belong to.
  bool early_end_ = false;
  std::size_t candidates_taken_ = 0;
  bool started_ = false;  ///< The data transport, by us.
  bool over_ = false;     ///< The data transport, by itself or by us.
  bool in_turn_ = false;
  bool turn_posted_ = false;
  boost::asio::steady_timer deadline_;
};

}  // namespace sluice::webrtc
