#pragma once

#include <sys/socket.h>

#include "transport/webrtc/unique_fd.hpp"

namespace sluice::webrtc {

/// The UDP socket of the selected pair, to be shared with a data path of one's own.
struct SelectedSocket {
  UniqueFd fd;  ///< A duplicate: closing it does the agent no harm.
  sockaddr_storage remote{};
  socklen_t remote_size = 0;
};

}  // namespace sluice::webrtc
