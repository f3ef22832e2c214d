#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "core/limits.hpp"
#include "transport/webrtc/sdp.hpp"
#include "transport/webrtc/sdp_text.hpp"

namespace sluice::webrtc {
namespace {

/// Splits off what stands before the next blank.
std::string_view next_word(std::string_view& rest) {
  const std::size_t begin = std::min(rest.find_first_not_of(' '), rest.size());
  rest.remove_prefix(begin);
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

bool is_numeric_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  return inet_pton(AF_INET, text.c_str(), parsed.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), parsed.data()) == 1;
}

std::optional<Candidate::Type> type_named(std::string_view word) {
  if (word == "host") return Candidate::Type::host;
  if (word == "srflx") return Candidate::Type::server_reflexive;
  if (word == "prflx") return Candidate::Type::peer_reflexive;
  if (word == "relay") return Candidate::Type::relayed;
  return std::nullopt;
}

bool ends_with_local(std::string_view name) {
  constexpr std::string_view kSuffix = ".local";
  return name.size() > kSuffix.size() &&
         text::equal_ignoring_case(name.substr(name.size() - kSuffix.size()), kSuffix);
}

}  // namespace

Result<Candidate> parse_candidate(std::string_view attribute) {
  if (attribute.size() > limits::kMaxSdpLine) return fail(Errc::limit_exceeded, "A candidate is too long.");
  if (attribute.starts_with("a=")) attribute.remove_prefix(2);
  if (!text::is_printable(attribute)) return fail(Errc::malformed, "A candidate holds control characters.");
  constexpr std::string_view kName = "candidate:";
  if (!attribute.starts_with(kName))
    return fail(Errc::malformed, "A candidate does not begin with \"candidate:\".");
  std::string_view rest = attribute.substr(kName.size());
  const std::string_view foundation = next_word(rest);
  const auto component = text::parse_number<std::uint16_t>(next_word(rest));
  const std::string_view transport = next_word(rest);
  const auto priority = text::parse_number<std::uint32_t>(next_word(rest));
  const std::string_view address = next_word(rest);
  const auto port = text::parse_number<std::uint16_t>(next_word(rest));
  const bool has_type = next_word(rest) == "typ";
  const auto type = type_named(next_word(rest));
  if (foundation.empty() || foundation.size() > 32 || !component || !priority || address.empty() || !port ||
      !has_type || !type) {
    return fail(Errc::malformed, fmt::format("Not a candidate as RFC 8839 has it: \"{}\".", attribute));
  }
  Candidate candidate{.type = *type, .address = std::string{address}, .port = *port};
  if (!text::equal_ignoring_case(transport, "udp")) {
    candidate.use = Candidate::Use::tcp;
  } else if (*component != 1) {
    candidate.use = Candidate::Use::component;
  } else if (ends_with_local(address)) {
    candidate.use = Candidate::Use::mdns;
  } else if (!is_numeric_address(candidate.address) || *port == 0) {
    return fail(Errc::malformed, fmt::format("A candidate's address is not numeric: \"{}\".", attribute));
  }
  return candidate;
}

std::string endpoint_text(const std::string& address, std::uint16_t port) {
  return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                : fmt::format("[{}]:{}", address, port);
}

}  // namespace sluice::webrtc
