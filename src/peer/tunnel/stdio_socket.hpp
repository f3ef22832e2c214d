#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "peer/tunnel/descriptor_waits.hpp"
#include "peer/tunnel/socket.hpp"

namespace sluice::tunnel {

/// Two descriptors as one Socket, one to read from and one to write to: standard input and output for
/// `--stdio`, whatever they are (pipes, sockets, files, a terminal). Works on duplicates; the originals'
/// blocking mode is restored at its end. Once its sending is over the output becomes /dev/null, so that its
/// reader sees the end. A reset cannot be passed on to a pipe: the descriptors are closed.
class StdioSocket final : public Socket {
 public:
  struct Descriptors {
    int input = 0;
    int output = 1;
  };
  StdioSocket(const boost::asio::any_io_executor& executor, Descriptors descriptors, Report report);
  StdioSocket(const StdioSocket&) = delete;
  StdioSocket& operator=(const StdioSocket&) = delete;
  ~StdioSocket() override;

  Transfer read_some(ByteSpan into) override;
  Transfer write_some(ByteView from) override;
  void shutdown_send() override;
  void close() override;
  void reset() override;

 private:
  class End;
  std::unique_ptr<End> input_;
  std::unique_ptr<End> output_;
};

}  // namespace sluice::tunnel
