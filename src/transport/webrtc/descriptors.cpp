#include "transport/webrtc/descriptors.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/eventfd.h>
#include <vector>

#include "transport/webrtc/unique_fd.hpp"

namespace sluice::webrtc {
namespace {

/// Of the ICE library: the event descriptors of its context and of its cancellation. Of ours: a duplicate of
/// the selected socket, the data path's own socket, one to ask for the link's MTU.
constexpr std::size_t kBesideSockets = 5;

/// The local addresses that the ICE library makes a socket for.
std::size_t count_local_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return 0;
  std::size_t count = 0;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    const bool usable =
        each->ifa_addr != nullptr && (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_LOOPBACK) == 0;
    if (usable && (each->ifa_addr->sa_family == AF_INET || each->ifa_addr->sa_family == AF_INET6)) ++count;
  }
  ::freeifaddrs(list);
  return count;
}

}  // namespace

std::size_t descriptors_for(const Options& options) {
  constexpr std::size_t kLoopback = 2;  // both families, where there is nothing else
  const std::size_t addresses = options.local_addresses.empty() ? std::max(count_local_addresses(), kLoopback)
                                                                : options.local_addresses.size();
  return addresses * (1 + options.turn.size()) + kBesideSockets;
}

Status check_descriptors(std::size_t count) {
  std::vector<UniqueFd> opened;
  while (opened.size() < count) {
    UniqueFd fd{::eventfd(0, EFD_CLOEXEC)};
    if (!fd) {
      return fail(Errc::limit_exceeded, std::string{"no descriptors left for one more client: "} +
                                            std::strerror(errno) + " (ulimit -n)");
    }
    opened.push_back(std::move(fd));
  }
  return {};
}

}  // namespace sluice::webrtc
