#pragma once

#include <memory>

#include <boost/asio/generic/stream_protocol.hpp>

#include "peer/tunnel/descriptor_waits.hpp"
#include "peer/tunnel/socket.hpp"

namespace sluice::tunnel {

/// A connected TCP or Unix socket as a session's Socket. Turns TCP's Nagle off: what the tunnel delivers has
/// been waited for once; and its keep-alives on (`limits::kKeepAliveIdle`), so that a stream ends whose
/// application's machine has gone without a word.
class TcpSocket final : public Socket {
 public:
  TcpSocket(boost::asio::generic::stream_protocol::socket socket, Report report);
  TcpSocket(const TcpSocket&) = delete;
  TcpSocket& operator=(const TcpSocket&) = delete;
  ~TcpSocket() override;

  Transfer read_some(ByteSpan into) override;
  Transfer write_some(ByteView from) override;
  void shutdown_send() override;
  void close() override;
  void reset() override;

 private:
  using Waits = DescriptorWaits<boost::asio::generic::stream_protocol::socket>;
  std::shared_ptr<Waits> waits_;
};

}  // namespace sluice::tunnel
