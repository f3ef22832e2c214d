#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json/object.hpp>

#include "transport/webrtc/peer_connection.hpp"

namespace sluice::interop {

/// Prints one JSON line on standard output.
void say(const boost::json::object& line);

/// One end of a peer connection that negotiates over JSON lines on standard input and output (README.md has
/// them) and hands over the open channel. Ends the event loop when standard input ends. For test programs:
/// what goes wrong is said as `error` and ends the process.
class JsonPeer : public transport::PeerConnectionListener {
 public:
  enum class Role : std::uint8_t { offer, answer };

  JsonPeer(boost::asio::io_context& shard, Role role, const webrtc::Options& options);
  JsonPeer(const JsonPeer&) = delete;
  JsonPeer& operator=(const JsonPeer&) = delete;
  ~JsonPeer() override;

  /// Makes the offer, or waits for one.
  void begin();

 protected:
  virtual void on_channel(std::unique_ptr<transport::Link> channel) = 0;
  /// `{"type":"close"}` came.
  virtual void on_close_wanted() = 0;

 private:
  void on_local_candidate(const std::string& candidate) override;
  void on_local_candidates_done() override;
  void on_open(std::unique_ptr<transport::Link> channel) override;
  void on_failed(const Error& reason) override;
  void read_line();
  void take_line(std::string_view text);
  void require(const Status& status);

  boost::asio::io_context& shard_;
  Role role_;
  boost::asio::posix::stream_descriptor input_;
  std::string buffer_;
  std::unique_ptr<transport::PeerConnection> connection_;
};

}  // namespace sluice::interop
