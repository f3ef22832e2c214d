#include "transport/webrtc/sdp.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/limits.hpp"
#include "transport/webrtc/sdp_text.hpp"

namespace sluice::webrtc {
namespace {

constexpr std::string_view kMaxPacketSize = "sluice-max-packet-size";

constexpr std::size_t kMinUfrag = 4;  // RFC 8839 §5.4, as the three below
constexpr std::size_t kMinPwd = 22;
constexpr std::size_t kMaxCredential = 256;

std::string_view name_of(DtlsSetup setup) {
  switch (setup) {
    case DtlsSetup::actpass:
      return "actpass";
    case DtlsSetup::active:
      return "active";
    case DtlsSetup::passive:
      return "passive";
  }
  return "";
}

/// ice-char = ALPHA / DIGIT / "+" / "/" (RFC 8839 §5.4). Some libraries also use "-" and "_".
bool is_ice_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '-' || c == '_';
  });
}

struct Attribute {
  std::string_view name;
  std::string_view value;
};

Attribute split_attribute(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {.name = line, .value = {}};
  return {.name = line.substr(0, colon), .value = line.substr(colon + 1)};
}

/// Walks the lines once and remembers what was found; `finish` says whether it makes a session.
class Parser {
 public:
  Status take_line(std::string_view line) {
    if (line.size() < 2 || line[1] != '=')
      return fail(Errc::malformed, "The SDP has a line that is no \"x=...\".");
    const std::string_view value = line.substr(2);
    if (line[0] == 'm') return take_media(value);
    if (line[0] == 'a') return take_attribute(split_attribute(value));
    return {};  // v, o, s, t, c, b: nothing in them that a bundled data channel needs
  }

  Result<SessionDescription> finish() {
    if (!has_media_)
      return fail(Errc::unsupported, "The SDP offers no data channel (no m=application line).");
    if (out_.ice_ufrag.empty() || out_.ice_pwd.empty()) {
      return fail(Errc::malformed, "The SDP has no ICE credentials (a=ice-ufrag, a=ice-pwd).");
    }
    if (!has_fingerprint_) {
      return fail(other_hash_ ? Errc::unsupported : Errc::malformed,
                  "The SDP has no SHA-256 fingerprint of the peer's certificate.");
    }
    if (!has_setup_) out_.setup = DtlsSetup::actpass;
    return std::move(out_);
  }

 private:
  Status take_media(std::string_view value) {
    std::array<std::string_view, 4> words{};
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = value.substr(0, i + 1 < words.size() ? value.find(' ') : value.size());
      value.remove_prefix(std::min(words[i].size() + 1, value.size()));
    }
    const auto [kind, port, protocol, format] = words;
    if (kind != "application" || has_media_) {
      return fail(Errc::unsupported, "The SDP has media besides one data channel.");
    }
    if (protocol == "UDP/DTLS/SCTP" || protocol == "TCP/DTLS/SCTP") {
      if (format != "webrtc-datachannel")
        return fail(Errc::unsupported, "The m=application line is no data channel.");
    } else if (protocol == "DTLS/SCTP") {
      const auto sctp_port = text::parse_number<std::uint16_t>(format);
      if (!sctp_port || *sctp_port == 0)
        return fail(Errc::malformed, "The m=application line has no SCTP port.");
      out_.syntax = SctpSyntax::draft;
      out_.sctp_port = *sctp_port;
    } else {
      return fail(Errc::unsupported, "The m=application line is no data channel.");
    }
    if (port == "0") return fail(Errc::unsupported, "The peer has turned the data channel off (port 0).");
    has_media_ = true;
    return {};
  }

  Status take_attribute(Attribute attribute) {
    const auto& [name, value] = attribute;
    if (name == "ice-ufrag") return take_credential(value, out_.ice_ufrag, kMinUfrag);
    if (name == "ice-pwd") return take_credential(value, out_.ice_pwd, kMinPwd);
    if (name == "fingerprint") return take_fingerprint(value);
    if (name == "setup") return take_setup(value);
    if (name == "mid") return take_mid(value);
    if (name == "sctp-port") return take_sctp_port(value);
    if (name == "max-message-size") return take_max_message_size(value);
    if (name == kMaxPacketSize) return take_max_packet_size(value);
    if (name == "ice-lite") {
      return fail(Errc::unsupported, "The peer is an ICE-lite server, which this program does not talk to.");
    }
    if (name == "end-of-candidates") out_.end_of_candidates = true;
    if (name == "candidate") {
      if (out_.candidates.size() == limits::kMaxCandidates) {
        return fail(Errc::limit_exceeded, "The SDP has too many candidates.");
      }
      out_.candidates.push_back(fmt::format("candidate:{}", value));
    }
    return {};
  }

  static Status take_credential(std::string_view value, std::string& out, std::size_t least) {
    if (value.size() < least || value.size() > kMaxCredential || !is_ice_text(value)) {
      return fail(Errc::malformed, "The SDP's ICE credentials are not as RFC 8839 has them.");
    }
    out = value;
    return {};
  }

  Status take_fingerprint(std::string_view value) {
    const std::size_t blank = value.find(' ');
    if (!text::equal_ignoring_case(value.substr(0, blank), "sha-256")) {
      other_hash_ = true;
      return {};
    }
    const auto parsed = Fingerprint::parse(blank == std::string_view::npos ? "" : value.substr(blank + 1));
    if (!parsed) return fail(parsed.error());
    // Two certificates of one hash would be two chances to match: a data channel has one.
    if (has_fingerprint_ && !(*parsed == out_.fingerprint)) {
      return fail(Errc::unsupported, "The SDP names two certificates.");
    }
    out_.fingerprint = *parsed;
    has_fingerprint_ = true;
    return {};
  }

  Status take_setup(std::string_view value) {
    for (const DtlsSetup setup : {DtlsSetup::actpass, DtlsSetup::active, DtlsSetup::passive}) {
      if (value != name_of(setup)) continue;
      out_.setup = setup;
      has_setup_ = true;
      return {};
    }
    return fail(Errc::unsupported, "The SDP's a=setup is none of actpass, active, passive.");
  }

  Status take_mid(std::string_view value) {
    if (value.empty() || value.size() > kMaxCredential || !text::is_printable(value) ||
        value.find(' ') != std::string_view::npos) {
      return fail(Errc::malformed, "The SDP's a=mid is not a token.");
    }
    out_.mid = value;
    return {};
  }

  Status take_sctp_port(std::string_view value) {
    const auto port = text::parse_number<std::uint16_t>(value);
    if (!port || *port == 0) return fail(Errc::malformed, "The SDP's a=sctp-port is not a port.");
    out_.sctp_port = *port;
    return {};
  }

  Status take_max_message_size(std::string_view value) {
    const auto size = text::parse_number<std::uint64_t>(value);
    if (!size) return fail(Errc::malformed, "The SDP's a=max-message-size is not a number.");
    out_.max_message_size = *size == 0 ? Bytes::max() : Bytes{*size};
    return {};
  }

  Status take_max_packet_size(std::string_view value) {
    const auto size = text::parse_number<std::uint64_t>(value);
    if (!size) return fail(Errc::malformed, "The SDP's a=sluice-max-packet-size is not a number.");
    out_.max_packet_size = Bytes{*size};
    return {};
  }

  SessionDescription out_;
  bool has_media_ = false;
  bool has_fingerprint_ = false;
  bool has_setup_ = false;
  bool other_hash_ = false;
};

}  // namespace

std::string write_sdp(const SessionDescription& description) {
  const bool draft = description.syntax == SctpSyntax::draft;
  std::string out = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
  const auto line = [&out]<typename... Args>(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
    out += "\r\n";
  };
  line("a=group:BUNDLE {}", description.mid);
  if (draft) {
    line("m=application 9 DTLS/SCTP {}", description.sctp_port);
  } else {
    line("m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
  }
  line("c=IN IP4 0.0.0.0");
  line("a=ice-ufrag:{}", description.ice_ufrag);
  line("a=ice-pwd:{}", description.ice_pwd);
  line("a=ice-options:trickle");
  line("a=fingerprint:sha-256 {}", description.fingerprint.format());
  line("a=setup:{}", name_of(description.setup));
  line("a=mid:{}", description.mid);
  if (draft) {
    line("a=sctpmap:{} webrtc-datachannel 1024", description.sctp_port);
  } else {
    line("a=sctp-port:{}", description.sctp_port);
  }
  const bool unlimited = description.max_message_size == Bytes::max();
  line("a=max-message-size:{}", unlimited ? 0 : description.max_message_size.count());
  line("a={}:{}", kMaxPacketSize, description.max_packet_size.count());
  for (const std::string& candidate : description.candidates) line("a={}", candidate);
  if (description.end_of_candidates) line("a=end-of-candidates");
  return out;
}

Result<SessionDescription> parse_sdp(std::string_view text) {
  if (text.size() > limits::kMaxSdpSize.count()) return fail(Errc::limit_exceeded, "The SDP is too long.");
  Parser parser;
  for (std::size_t lines = 0; !text.empty(); ++lines) {
    if (lines == limits::kMaxSdpLines) return fail(Errc::limit_exceeded, "The SDP has too many lines.");
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.size() > limits::kMaxSdpLine)
      return fail(Errc::limit_exceeded, "The SDP has a line that is too long.");
    if (!text::is_printable(line)) return fail(Errc::malformed, "The SDP holds control characters.");
    if (auto taken = parser.take_line(line); !taken) return fail(std::move(taken.error()));
  }
  return parser.finish();
}

}  // namespace sluice::webrtc
