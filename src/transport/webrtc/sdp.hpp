#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "transport/webrtc/certificate.hpp"

namespace sluice::webrtc {

/// Who begins the DTLS handshake (RFC 8842 §5.3): `active` sends the ClientHello, `passive` waits for it,
/// `actpass` leaves the choice to the answerer.
enum class DtlsSetup : std::uint8_t { actpass, active, passive };

/// How the m-line names SCTP over DTLS: as RFC 8841 has it, or as its drafts did before 2017
/// (`m=application 9 DTLS/SCTP 5000` and `a=sctpmap`), which some peers still offer. An answer repeats the
/// offer's.
enum class SctpSyntax : std::uint8_t { rfc8841, draft };

/// An offer or an answer for one data-channel session over one bundled transport: what is negotiated, without
/// the syntax. Sans-I/O, a plain value.
struct SessionDescription {
  std::string ice_ufrag;                           ///< 4 to 256 characters of ice-char (RFC 8839 §5.4).
  std::string ice_pwd;                             ///< 22 to 256 characters of ice-char.
  Fingerprint fingerprint{Fingerprint::Digest{}};  ///< Of the certificate that the DTLS handshake must show.
  DtlsSetup setup = DtlsSetup::actpass;
  std::string mid = "0";
  SctpSyntax syntax = SctpSyntax::rfc8841;
  std::uint16_t sctp_port = 5000;
  /// The largest message that the sender of this description takes; 64 KiB when it says nothing,
  /// `Bytes::max()` when it says 0 (RFC 8841 §6).
  Bytes max_message_size{65536};
  /// The largest SCTP packet that the sender of this description takes. An attribute of Sluice's own,
  /// `a=sluice-max-packet-size`: others keep to buffers of an Ethernet packet's size and say nothing.
  Bytes max_packet_size = limits::kMaxSctpPacketToOthers;
  /// Attribute values, `candidate:...`, in their order.
  std::vector<std::string> candidates{};
  bool end_of_candidates = false;

  bool operator==(const SessionDescription&) const = default;
};

/// The text of a description, lines ended by CRLF. The session id is a fixed number: there is one negotiation
/// a connection, and RFC 8829 §5.2.1 asks for no more than that it differ from that of another one running in
/// the same user agent. Requires credentials of legal characters and length.
[[nodiscard]] std::string write_sdp(const SessionDescription& description);

/// Reads an offer or an answer from a browser, a WebRTC library or `write_sdp`.
///
/// Tolerant of what peers send: LF alone, attributes at session level, unknown lines, several fingerprints
/// (the SHA-256 one counts). Strict about bounds (`limits::kMaxSdpSize`, `kMaxSdpLines`, `kMaxCandidates`),
/// and about what a session cannot be built without. Never throws, whatever the text. Errors: `malformed`,
/// `limit_exceeded`, `unsupported` (media besides the data channel, another hash, no ICE).
[[nodiscard]] Result<SessionDescription> parse_sdp(std::string_view text);

/// A candidate as an SDP attribute carries it (RFC 8839 §5.1), as far as a peer must understand it.
struct Candidate {
  enum class Type : std::uint8_t { host, server_reflexive, peer_reflexive, relayed };
  enum class Use : std::uint8_t {
    usable,     ///< UDP, component 1, a numeric address.
    mdns,       ///< A `.local` name that hides a host address (draft-ietf-mmusic-mdns-ice-candidates).
    tcp,        ///< ICE-TCP or another transport than UDP.
    component,  ///< Of another component than 1: data channels have one only.
  };
  Use use = Use::usable;
  Type type = Type::host;
  std::string address;
  std::uint16_t port = 0;
};

/// Takes `candidate:...`, with or without `a=` before it and blanks after it. Errors: `malformed`.
[[nodiscard]] Result<Candidate> parse_candidate(std::string_view attribute);

/// An `address:port` for people; IPv6 in brackets.
[[nodiscard]] std::string endpoint_text(const std::string& address, std::uint16_t port);

}  // namespace sluice::webrtc
