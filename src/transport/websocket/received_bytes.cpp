#include "transport/websocket/received_bytes.hpp"

#include <cstddef>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace sluice::websocket {

std::uint64_t received_bytes(int descriptor) {
  // The system's own header has the figure, glibc's has not, and the two cannot be included together.
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  const bool says = size >= offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received;
  return says ? info.tcpi_bytes_received : 0;
}

}  // namespace sluice::websocket
