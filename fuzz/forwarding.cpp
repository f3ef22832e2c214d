// Whatever stands in front of a connection or in a forwarding field: no crash, the same however it is cut, an
// address that is one, and nobody's word but a trusted proxy's.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/admission_limits.hpp"
#include "core/ensure.hpp"
#include "core/limits.hpp"
#include "transport/address_block.hpp"
#include "transport/forwarded.hpp"
#include "transport/websocket/proxy_header.hpp"

namespace {

using namespace sluice;

void check_address(const std::string& address) {
  const auto everybody = transport::TrustedProxies::parse({"0.0.0.0/0", "::/0"});
  ENSURE(everybody && everybody->contains(address));
  ENSURE(!transport::address_blocks(address).narrow.empty());
}

void check_header(ByteView bytes) {
  const auto whole = websocket::read_proxy_header(bytes);
  // As it comes: byte by byte, up to the same answer.
  for (std::size_t size = 0; size <= std::min<std::size_t>(bytes.size(), limits::kProxyHeader.count());
       ++size) {
    const auto part = websocket::read_proxy_header(bytes.first(size));
    if (part && !*part) continue;
    ENSURE(part.has_value() == whole.has_value());
    if (!part) return;
    ENSURE(**part == **whole && (*part)->size == size && size <= limits::kProxyHeader.count());
    if (!(*part)->source.empty()) check_address((*part)->source);
    return;
  }
  ENSURE(!whole || !*whole || (*whole)->size > bytes.size());
}

void check_field(transport::Forwarding field, std::string_view text) {
  static const auto kTrusted = transport::TrustedProxies::parse({"10.0.0.0/8", "fd00::/8"}).value();
  std::vector<std::string_view> lines;
  for (std::size_t from = 0; from <= text.size();) {
    const auto to = std::min(text.find('\n', from), text.size());
    lines.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  const auto client = transport::forwarded_client(field, lines, kTrusted);
  if (client) check_address(*client);
  // What stands further left changes nothing, as long as the last hop is no proxy.
  if (!client || kTrusted.contains(*client)) return;
  lines.insert(lines.begin(), "203.0.113.66");
  ENSURE(transport::forwarded_client(field, lines, kTrusted) == client);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  check_header(as_bytes(text));
  check_field(transport::Forwarding::x_forwarded_for, text);
  check_field(transport::Forwarding::forwarded, text);
  if (const auto trusted = transport::TrustedProxies::parse({std::string{text}})) ENSURE(!trusted->empty());
  return 0;
}
