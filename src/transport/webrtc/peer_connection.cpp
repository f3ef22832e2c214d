#include "transport/webrtc/peer_connection.hpp"

#include <utility>

#include "transport/webrtc/session.hpp"

namespace sluice::webrtc {
namespace {

/// The negotiating half of a session; the session itself goes on with the channel.
class WebRtcPeerConnection final : public transport::PeerConnection {
 public:
  explicit WebRtcPeerConnection(std::shared_ptr<Session> session) : session_(std::move(session)) {}
  WebRtcPeerConnection(const WebRtcPeerConnection&) = delete;
  WebRtcPeerConnection& operator=(const WebRtcPeerConnection&) = delete;
  ~WebRtcPeerConnection() override { session_->forget_listener(); }

  Result<std::string> create_offer() override { return session_->create_offer(); }
  Result<std::string> accept_offer(const std::string& sdp) override { return session_->accept_offer(sdp); }
  Status set_answer(const std::string& sdp) override { return session_->set_answer(sdp); }
  Status add_remote_candidate(const std::string& candidate) override {
    return session_->add_remote_candidate(candidate);
  }
  void end_of_remote_candidates() override { session_->end_of_remote_candidates(); }

 private:
  std::shared_ptr<Session> session_;
};

}  // namespace

std::unique_ptr<transport::PeerConnection> make_peer_connection(boost::asio::any_io_executor executor,
                                                                Options options,
                                                                transport::PeerConnectionListener& listener) {
  return std::make_unique<WebRtcPeerConnection>(
      std::make_shared<Session>(std::move(executor), std::move(options), listener));
}

transport::PeerConnectionFactory peer_connection_factory(boost::asio::any_io_executor executor,
                                                         Options options) {
  return [executor = std::move(executor),
          options = std::move(options)](transport::PeerConnectionListener& listener) {
    return make_peer_connection(executor, options, listener);
  };
}

}  // namespace sluice::webrtc
