#include "transport/websocket/spare_descriptor.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace sluice::websocket {

SpareDescriptor::SpareDescriptor() {
  open();
}

SpareDescriptor::SpareDescriptor(SpareDescriptor&& other) noexcept
    : spare_(std::exchange(other.spare_, -1)) {}

SpareDescriptor::~SpareDescriptor() {
  if (spare_ >= 0) ::close(spare_);
}

void SpareDescriptor::open() {
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

std::uint64_t SpareDescriptor::close_some(int listening, int most) {
  if (spare_ < 0) open();
  if (spare_ < 0) return 0;
  ::close(std::exchange(spare_, -1));
  std::uint64_t closed = 0;
  for (int i = 0; i < most; ++i) {
    const int accepted = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0) break;
    ::close(accepted);
    ++closed;
  }
  open();
  return closed;
}

}  // namespace sluice::websocket
