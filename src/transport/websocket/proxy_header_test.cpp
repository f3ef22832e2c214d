#include "transport/websocket/proxy_header.hpp"

#include <gtest/gtest.h>

#include "core/admission_limits.hpp"
#include "core/limits.hpp"

namespace sluice::websocket {
namespace {

using namespace std::string_literals;

/// The source and size of a whole header: `192.0.2.1 42`; `more`; or why there is none.
std::string read(std::string_view text) {
  const auto header = read_proxy_header(as_bytes(text));
  if (!header) return std::string{header.error()};
  if (!*header) return "more";
  return (*header)->source + ' ' + std::to_string((*header)->size);
}

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string binary(std::string_view version_and_family, const std::string& body) {
  const auto size = static_cast<unsigned>(body.size());
  return kSignature + std::string{version_and_family} + static_cast<char>(size >> 8) +
         static_cast<char>(size & 0xFF) + body;
}

const std::string kIpv4 = "\xC0\x00\x02\x01\xC6\x33\x64\x02\x12\x34\x00\x50"s;

TEST(ProxyHeader, IsALineInVersion1) {
  const std::string line = "PROXY TCP4 192.0.2.1 198.51.100.2 4660 80\r\n";
  EXPECT_EQ(read(line), "192.0.2.1 43");
  EXPECT_EQ(read(line + "GET / HTTP/1.1\r\n"), "192.0.2.1 43");
  EXPECT_EQ(read("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"), "2001:db8::1 40");
  EXPECT_EQ(read("PROXY UNKNOWN\r\n"), " 15");
  EXPECT_EQ(read("PROXY UNKNOWN ffff:f...f ffff 65535 65535\r\n"), " 43");
  for (std::size_t i = 0; i < line.size(); ++i) EXPECT_EQ(read(line.substr(0, i)), "more") << i;
}

TEST(ProxyHeader, IsBinaryInVersion2) {
  const std::string header = binary("\x21\x11"s, kIpv4);
  EXPECT_EQ(read(header), "192.0.2.1 28");
  EXPECT_EQ(read(header + "\x16\x03"), "192.0.2.1 28") << "TLS begins behind it";
  for (std::size_t i = 0; i < header.size(); ++i) EXPECT_EQ(read(header.substr(0, i)), "more") << i;
  EXPECT_EQ(
      read(binary("\x21\x21"s, "\x20\x01\x0D\xB8"s + std::string(11, '\0') + "\x01" + std::string(20, '\0'))),
      "2001:db8::1 52");
  EXPECT_EQ(read(binary("\x21\x11"s, kIpv4 + "\x03\x00\x04gggg"s)), "192.0.2.1 35")
      << "what else it says is skipped";
  EXPECT_EQ(read(binary("\x20\x00"s, "")), " 16") << "LOCAL: the proxy itself";
  EXPECT_EQ(read(binary("\x20\x11"s, "abc")), " 19");
  EXPECT_EQ(read(binary("\x21\x00"s, "")), " 16") << "unspecified";
  EXPECT_EQ(read(binary("\x21\x31"s, std::string(216, 'u'))), " 232") << "a Unix socket";
}

TEST(ProxyHeader, IsNoneWhenAnythingOfItIsWrong) {
  EXPECT_EQ(read("GET / HTTP/1.1\r\n\r\n"), "no PROXY header");
  EXPECT_EQ(read("\x16\x03\x01"), "no PROXY header");
  EXPECT_EQ(read("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n"), "a PROXY line with a bare line feed");
  EXPECT_EQ(read("PROXY " + std::string(101, 'x')), "a PROXY line without an end");
  for (const std::string& line : std::vector<std::string>{
           "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2x\r\n",
           "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
           "PROXY TCP4 192.0.2.999 198.51.100.2 1 2\r\n", "PROXY TCP4 192.0.2.1  198.51.100.2 1 2\r\n",
           "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
           "PROXY\r\n", "PROXY SCTP 192.0.2.1 198.51.100.2 1 2\r\n"}) {
    EXPECT_TRUE(read(line).starts_with("a PROXY line")) << line << read(line);
  }
  EXPECT_EQ(read(binary("\x11\x11"s, kIpv4)), "a PROXY header of an unknown version");
  EXPECT_EQ(read(binary("\x22\x11"s, kIpv4)), "a PROXY header with an unknown command");
  EXPECT_EQ(read(binary("\x21\x11"s, kIpv4.substr(1))), "a PROXY header without its addresses");
  EXPECT_EQ(read(binary("\x21\x11"s, std::string(limits::kProxyHeader.count() - 15, 'x'))),
            "a PROXY header that is too long");
}

}  // namespace
}  // namespace sluice::websocket
