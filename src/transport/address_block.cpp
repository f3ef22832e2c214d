#include "transport/address_block.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <netinet/in.h>

namespace sluice::transport {

std::string address_block(const std::string& address) {
  const std::string unscoped = address.substr(0, address.find('%'));
  in6_addr parsed{};
  if (inet_pton(AF_INET6, unscoped.c_str(), &parsed) != 1) return address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
    in_addr inner{};
    std::memcpy(&inner, &parsed.s6_addr[12], sizeof inner);
    inet_ntop(AF_INET, &inner, text.data(), text.size());
    return text.data();
  }
  std::memset(&parsed.s6_addr[8], 0, 8);
  inet_ntop(AF_INET6, &parsed, text.data(), text.size());
  return std::string{text.data()} + "/64";
}

}  // namespace sluice::transport
