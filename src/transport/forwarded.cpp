#include "transport/forwarded.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <netinet/in.h>
#include <ranges>

#include "core/admission_limits.hpp"
#include "core/limits.hpp"

namespace sluice::transport {
namespace {

constexpr std::string_view kSpace = " \t";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// 4 or 16 bytes; empty: no numeric address.
std::string bytes_of(std::string_view address) {
  const std::string text{address.substr(0, address.find('%'))};
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return {reinterpret_cast<const char*>(&v4), sizeof v4};
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return {};
  const char* const bytes = reinterpret_cast<const char*>(&v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return {bytes + 12, 4};
  return {bytes, sizeof v6};
}

/// As the system writes it; nothing: no numeric address.
std::optional<std::string> canonical(std::string_view address) {
  const std::string bytes = bytes_of(address);
  if (bytes.empty()) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

bool shares_prefix(const std::string& a, const std::string& b, unsigned bits) {
  if (a.size() != b.size()) return false;
  const std::size_t whole = bits / 8;
  if (a.compare(0, whole, b, 0, whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<unsigned char>(0xFF00U >> (bits % 8));
  return ((static_cast<unsigned char>(a[whole]) ^ static_cast<unsigned char>(b[whole])) & mask) == 0;
}

/// A node as both fields write it: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:80`, and in
/// X-Forwarded-For also `2001:db8::1`.
std::optional<std::string> address_of(std::string_view node) {
  if (node.starts_with('[')) {
    const auto end = node.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = node.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    return canonical(node.substr(1, end - 1));
  }
  const auto colon = node.find(':');
  const bool has_port = colon != std::string_view::npos && colon == node.rfind(':');
  return canonical(has_port ? node.substr(0, colon) : node);
}

/// Whether the next character of a line stands in a quoted string (RFC 9110 §5.6.4).
class Quotes {
 public:
  void pass(char c) {
    if (escaped_) {
      escaped_ = false;
    } else if (open_ && c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      open_ = !open_;
    }
  }
  [[nodiscard]] bool open() const { return open_; }

 private:
  bool open_ = false;
  bool escaped_ = false;
};

/// The elements of a list over all its lines, separators in quoted strings left alone. A line that ends
/// inside quotes is split at every separator: otherwise a client that opens quotes and never closes them
/// would hide what a proxy appends to the same line.
std::vector<std::string_view> elements(const std::vector<std::string_view>& lines, char separator) {
  std::vector<std::string_view> found;
  for (const std::string_view line : lines) {
    Quotes whole;
    for (const char c : line) whole.pass(c);
    Quotes quotes;
    std::size_t from = 0;
    for (std::size_t at = 0; at < line.size(); ++at) {
      quotes.pass(line[at]);
      if (line[at] != separator || (quotes.open() && !whole.open())) continue;
      found.push_back(trimmed(line.substr(from, at - from)));
      from = at + 1;
    }
    found.push_back(trimmed(line.substr(from)));
  }
  return found;
}

/// The `for` of one element of Forwarded; nothing: it has none that can be read.
std::optional<std::string_view> node_of(std::string_view element) {
  for (const std::string_view pair : elements({element}, ';')) {
    const auto equals = pair.find('=');
    if (equals != 3 || !std::ranges::equal(pair.substr(0, 3), std::string_view{"for"},
                                           [](char a, char b) { return (a | 0x20) == b; }))
      continue;
    std::string_view value = pair.substr(4);
    if (value.starts_with('"')) {
      if (value.size() < 2 || !value.ends_with('"') || value.contains('\\')) return std::nullopt;
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return std::nullopt;
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& texts) {
  TrustedProxies trusted;
  if (texts.size() > limits::kMaxTrustedProxies)
    return fail(Errc::invalid_argument,
                "there are more than " + std::to_string(limits::kMaxTrustedProxies) + " trusted proxies");
  for (const std::string& text : texts) {
    const auto slash = text.find('/');
    Network network{.bytes = text.contains('%') ? std::string{} : bytes_of(text.substr(0, slash)), .bits = 0};
    const auto most = static_cast<unsigned>(8 * network.bytes.size());
    network.bits = most;
    bool good = !network.bytes.empty();
    if (slash != std::string::npos) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, network.bits);
      good = good && error == std::errc{} && stop == end && network.bits <= most;
    }
    if (!good) {
      return fail(Errc::invalid_argument,
                  '\'' + text + "' is neither an address nor a network like 10.0.0.0/8");
    }
    trusted.networks_.push_back(std::move(network));
  }
  return trusted;
}

bool TrustedProxies::contains(std::string_view address) const {
  if (networks_.empty()) return false;
  const std::string bytes = bytes_of(address);
  return std::ranges::any_of(networks_, [&bytes](const Network& network) {
    return shares_prefix(bytes, network.bytes, network.bits);
  });
}

std::optional<std::string> forwarded_client(Forwarding field, const std::vector<std::string_view>& lines,
                                            const TrustedProxies& trusted) {
  const bool is_standard = field == Forwarding::forwarded;
  const auto hops = elements(lines, ',');
  std::optional<std::string> last;
  for (const std::string_view hop :
       hops | std::views::reverse | std::views::take(limits::kMaxForwardedHops)) {
    const auto node = is_standard ? node_of(hop) : std::optional{hop};
    auto address = node ? address_of(*node) : std::nullopt;
    if (!address) return last;
    if (!trusted.contains(*address)) return address;
    last = std::move(address);
  }
  return last;
}

}  // namespace sluice::transport
