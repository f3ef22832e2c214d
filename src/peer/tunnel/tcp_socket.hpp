#pragma once

#include <memory>

#include <boost/asio/ip/tcp.hpp>

#include "peer/tunnel/descriptor_waits.hpp"
#include "peer/tunnel/socket.hpp"

namespace sluice::tunnel {

/// A connected TCP socket as a session's Socket. Turns Nagle off: what the tunnel delivers has been waited
/// for once.
class TcpSocket final : public Socket {
 public:
  TcpSocket(boost::asio::ip::tcp::socket socket, Report report);
  TcpSocket(const TcpSocket&) = delete;
  TcpSocket& operator=(const TcpSocket&) = delete;
  ~TcpSocket() override;

  Transfer read_some(ByteSpan into) override;
  Transfer write_some(ByteView from) override;
  void shutdown_send() override;
  void close() override;
  void reset() override;

 private:
  using Waits = DescriptorWaits<boost::asio::ip::tcp::socket>;
  std::shared_ptr<Waits> waits_;
};

}  // namespace sluice::tunnel
