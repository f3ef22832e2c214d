#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "core/error.hpp"
#include "transport/webrtc/datagram_path.hpp"
#include "transport/webrtc/selected_socket.hpp"

namespace sluice::webrtc {

/// A UDP socket of our own on the very address and port that the ICE library has selected, so that records
/// cross from kernel to shard without a second thread, up to 60 of them a system call (UDP GSO and GRO,
/// Linux 4.18 and 5.0).
///
/// Both sockets share the port (SO_REUSEPORT), and a classic BPF program sends each datagram to its reader by
/// its first byte (RFC 7983): 20..63, DTLS, comes here, all else, STUN and so consent, stays with the
/// library. This one is not connected: a connected socket would be preferred to the group and take the STUN
/// too.
///
/// One shard. Bounded: `limits::kPathReadsPerWake` reads a wake-up, `limits::kPathBacklog` bytes unsent; when
/// the kernel takes nothing more the batch waits for writability.
class FastPath final : public DatagramPath {
 public:
  /// Errors: `unsupported`, `io`, with what the kernel refused; the library's socket works on as before.
  static Result<std::unique_ptr<DatagramPath>> make(boost::asio::any_io_executor executor,
                                                    const SelectedSocket& selected, transport::Path info,
                                                    DatagramReceiver& receiver);
  ~FastPath() override;

  void send(ByteView datagram) override;
  void send_whole(ByteView datagram) override;
  [[nodiscard]] std::optional<Bytes> link_mtu() const override;
  void flush() override;
  [[nodiscard]] const transport::Path& info() const override;
  [[nodiscard]] const PathStats& stats() const override;

 private:
  class Impl;
  explicit FastPath(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::webrtc
