#include "transport/websocket/proxy_header.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstdint>
#include <netinet/in.h>
#include <vector>

#include "core/admission_limits.hpp"
#include "core/limits.hpp"

namespace sluice::websocket {
namespace {

using Read = std::expected<std::optional<ProxyHeader>, std::string_view>;

/// Section 2.2: what every header of version 2 begins with.
constexpr std::array<unsigned char, 12> kSignature = {0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                      0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr std::size_t kFixed = 16;  ///< The signature, version and command, family, length.
constexpr std::string_view kWord = "PROXY";
constexpr std::size_t kLongestLine = 107;  ///< Section 2.1, its line end included.

std::uint8_t byte_at(ByteView bytes, std::size_t at) {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

std::string text_of(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, address, text.data(), text.size());
  return text.data();
}

/// As the system writes it; empty: it is none of that family.
std::string canonical(int family, std::string_view address) {
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  if (inet_pton(family, std::string{address}.c_str(), parsed.data()) != 1) return {};
  return text_of(family, parsed.data());
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size();
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t from = 0;;) {
    const auto to = line.find(' ', from);
    words.push_back(line.substr(from, to - from));
    if (to == std::string_view::npos) return words;
    from = to + 1;
  }
}

Read read_line(std::string_view received) {
  constexpr std::string_view kEnd = "\r\n";
  const std::string_view head = received.substr(0, kLongestLine);
  if (!head.starts_with(kWord.substr(0, head.size()))) return std::unexpected("no PROXY header");
  const auto end = head.find('\n');
  if (end == std::string_view::npos) {
    if (head.size() == kLongestLine) return std::unexpected("a PROXY line without an end");
    return std::nullopt;
  }
  if (end == 0 || head[end - 1] != '\r') return std::unexpected("a PROXY line with a bare line feed");
  const auto words = words_of(head.substr(0, end - 1));
  ProxyHeader header{.size = end - 1 + kEnd.size()};
  if (words.size() >= 2 && words[0] == kWord && words[1] == "UNKNOWN") return header;
  if (words.size() != 6 || words[0] != kWord || (words[1] != "TCP4" && words[1] != "TCP6"))
    return std::unexpected("a PROXY line that says nothing known");
  const int family = words[1] == "TCP4" ? AF_INET : AF_INET6;
  header.source = canonical(family, words[2]);
  if (header.source.empty() || canonical(family, words[3]).empty() || !is_port(words[4]) ||
      !is_port(words[5]))
    return std::unexpected("a PROXY line with broken addresses");
  return header;
}

Read read_binary(ByteView received) {
  if (received.size() < kFixed) return std::nullopt;
  const std::uint8_t version_and_command = byte_at(received, 12);
  const std::uint8_t family_and_protocol = byte_at(received, 13);
  const std::size_t length = std::size_t{byte_at(received, 14)} << 8 | byte_at(received, 15);
  if (version_and_command >> 4 != 2) return std::unexpected("a PROXY header of an unknown version");
  const int command = version_and_command & 0x0F;
  if (command > 1) return std::unexpected("a PROXY header with an unknown command");
  if (kFixed + length > limits::kProxyHeader.count())
    return std::unexpected("a PROXY header that is too long");
  const int family = family_and_protocol >> 4;
  const std::size_t addresses = family == 1 ? 12 : family == 2 ? 36 : 0;
  // With LOCAL the rest is to be skipped, whatever it is.
  if (command == 1 && length < addresses) return std::unexpected("a PROXY header without its addresses");
  if (received.size() < kFixed + length) return std::nullopt;
  ProxyHeader header{.size = kFixed + length};
  if (command == 1 && addresses > 0)
    header.source = text_of(family == 1 ? AF_INET : AF_INET6, received.subspan(kFixed).data());
  return header;
}

}  // namespace

Read read_proxy_header(ByteView received) {
  const std::size_t begun = std::min(received.size(), kSignature.size());
  const bool is_binary =
      std::equal(kSignature.begin(), kSignature.begin() + static_cast<std::ptrdiff_t>(begun),
                 received.begin(), [](unsigned char want, std::byte got) { return std::byte{want} == got; });
  if (received.empty()) return std::nullopt;
  if (!is_binary) return read_line(as_text(received));
  return begun < kSignature.size() ? Read{std::nullopt} : read_binary(received);
}

}  // namespace sluice::websocket
