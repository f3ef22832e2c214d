#include "transport/address_block.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <netinet/in.h>

namespace sluice::transport {
namespace {

std::string prefix_of(in6_addr address, std::size_t bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  std::memset(&address.s6_addr[bytes], 0, sizeof address.s6_addr - bytes);
  inet_ntop(AF_INET6, &address, text.data(), text.size());
  return std::string{text.data()} + '/' + std::to_string(8 * bytes);
}

}  // namespace

AddressBlocks address_blocks(const std::string& address) {
  const std::string unscoped = address.substr(0, address.find('%'));
  in6_addr parsed{};
  if (inet_pton(AF_INET6, unscoped.c_str(), &parsed) != 1) return {.narrow = address, .wide = address};
  if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
    std::array<char, INET_ADDRSTRLEN> text{};
    in_addr inner{};
    std::memcpy(&inner, &parsed.s6_addr[12], sizeof inner);
    inet_ntop(AF_INET, &inner, text.data(), text.size());
    return {.narrow = text.data(), .wide = text.data()};
  }
  return {.narrow = prefix_of(parsed, 8), .wide = prefix_of(parsed, 6)};
}

std::string address_block(const std::string& address) {
  return address_blocks(address).narrow;
}

}  // namespace sluice::transport
