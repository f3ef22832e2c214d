#include "transport/webrtc/sdp.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/limits.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;

std::string sample(const std::string& name) {
  std::ifstream file{std::filesystem::path{SLUICE_TEST_DATA} / name};
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

SessionDescription some_description() {
  Fingerprint::Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::byte>(i * 7);
  return {.ice_ufrag = "uFr4",
          .ice_pwd = "aVeryLongPassword+/0123",
          .fingerprint = Fingerprint{digest},
          .setup = DtlsSetup::actpass,
          .max_message_size = 256_KiB,
          .max_packet_size = 9000_B,
          .candidates = {"candidate:1 1 UDP 2015363327 192.0.2.1 40000 typ host"},
          .end_of_candidates = true};
}

std::string without(std::string text, std::string_view line_start) {
  const std::size_t begin = text.find(line_start);
  EXPECT_NE(begin, std::string::npos) << line_start;
  return text.erase(begin, text.find('\n', begin) + 1 - begin);
}

std::string with(std::string text, std::string_view line) {
  return text.append(line).append("\r\n");
}

Errc error_of(const std::string& text) {
  const auto parsed = parse_sdp(text);
  EXPECT_FALSE(parsed.has_value()) << text;
  return parsed ? Errc::cancelled : parsed.error().code;
}

TEST(Sdp, ReadsWhatItWrites) {
  const SessionDescription description = some_description();
  const auto parsed = parse_sdp(write_sdp(description));
  ASSERT_TRUE(parsed.has_value()) << describe(parsed.error());
  EXPECT_EQ(*parsed, description);
}

TEST(Sdp, ReadsAnythingThatItCanWrite) {
  const auto ice_text = [](std::size_t least, std::size_t most) {
    return rc::gen::mapcat(rc::gen::inRange(least, most + 1), [](std::size_t length) {
      return rc::gen::container<std::string>(
          length, rc::gen::elementOf(
                      std::string{"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"}));
    });
  };
  EXPECT_TRUE(rc::check("write_sdp then parse_sdp", [&] {
    SessionDescription description = some_description();
    description.ice_ufrag = *ice_text(4, 256);
    description.ice_pwd = *ice_text(22, 256);
    description.setup = *rc::gen::element(DtlsSetup::actpass, DtlsSetup::active, DtlsSetup::passive);
    description.syntax = *rc::gen::element(SctpSyntax::rfc8841, SctpSyntax::draft);
    description.sctp_port = *rc::gen::inRange<std::uint16_t>(1, 65535);
    description.max_message_size = *rc::gen::oneOf(
        rc::gen::just(Bytes::max()),
        rc::gen::map(rc::gen::inRange<std::uint64_t>(1, 1ULL << 40), [](auto n) { return Bytes{n}; }));
    description.max_packet_size = Bytes{*rc::gen::inRange<std::uint64_t>(0, 1ULL << 40)};
    description.mid = *ice_text(1, 16);
    description.candidates.assign(*rc::gen::inRange<std::size_t>(0, limits::kMaxCandidates),
                                  "candidate:1 1 UDP 1 192.0.2.1 9 typ host");
    description.end_of_candidates = *rc::gen::arbitrary<bool>();
    const auto parsed = parse_sdp(write_sdp(description));
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(*parsed == description);
  }));
}

TEST(Sdp, NeverThrowsOnMangledText) {
  const std::string valid = write_sdp(some_description());
  EXPECT_TRUE(rc::check("mangled", [&] {
    std::string text = valid;
    const auto changes = *rc::gen::inRange<std::size_t>(1, 8);
    for (std::size_t i = 0; i < changes && !text.empty(); ++i) {
      const auto place = *rc::gen::inRange<std::size_t>(0, text.size());
      if (*rc::gen::arbitrary<bool>()) {
        text[place] = *rc::gen::arbitrary<char>();
      } else {
        text.erase(place, *rc::gen::inRange<std::size_t>(1, 40));
      }
    }
    const auto parsed = parse_sdp(text);
    RC_ASSERT(parsed.has_value() || !parsed.error().message.empty());
  }));
}

TEST(Sdp, ReadsWhatChromiumOffers) {
  const auto offer = parse_sdp(sample("chromium-offer.sdp"));
  ASSERT_TRUE(offer.has_value()) << describe(offer.error());
  EXPECT_EQ(offer->setup, DtlsSetup::actpass);
  EXPECT_EQ(offer->max_message_size, 256_KiB);
  EXPECT_EQ(offer->syntax, SctpSyntax::rfc8841);
  ASSERT_FALSE(offer->candidates.empty());
  EXPECT_EQ(parse_candidate(offer->candidates.front())->use, Candidate::Use::mdns);
}

TEST(Sdp, ReadsWhatPionAnswers) {
  const auto answer = parse_sdp(sample("pion-answer.sdp"));
  ASSERT_TRUE(answer.has_value()) << describe(answer.error());
  EXPECT_EQ(answer->setup, DtlsSetup::active);
  EXPECT_FALSE(answer->candidates.empty());
  EXPECT_TRUE(answer->end_of_candidates);
  EXPECT_EQ(answer->max_message_size, 64_KiB);  // it does not say
}

TEST(Sdp, ReadsTheDraftSyntaxThatAiortcOffersAndAnswersInIt) {
  auto offer = parse_sdp(sample("aiortc-offer.sdp"));
  ASSERT_TRUE(offer.has_value()) << describe(offer.error());
  EXPECT_EQ(offer->syntax, SctpSyntax::draft);
  EXPECT_EQ(offer->sctp_port, 5000);
  const std::string answer = write_sdp(*offer);
  EXPECT_NE(answer.find("m=application 9 DTLS/SCTP 5000\r\n"), std::string::npos);
  EXPECT_NE(answer.find("a=sctpmap:5000 webrtc-datachannel "), std::string::npos);
}

TEST(Sdp, TakesLinesEndedByLineFeedAlone) {
  std::string text = write_sdp(some_description());
  std::erase(text, '\r');
  EXPECT_TRUE(parse_sdp(text).has_value());
}

TEST(Sdp, TakesTransportAttributesAtSessionLevel) {
  std::string text = write_sdp(some_description());
  const std::size_t media = text.find("m=");
  const std::size_t ufrag = text.find("a=ice-ufrag");
  const std::size_t mid = text.find("a=mid");
  const std::string moved = text.substr(0, media) + text.substr(ufrag, mid - ufrag) +
                            text.substr(media, ufrag - media) + text.substr(mid);
  const auto parsed = parse_sdp(moved);
  ASSERT_TRUE(parsed.has_value()) << describe(parsed.error());
  EXPECT_EQ(*parsed, some_description());
}

TEST(Sdp, IgnoresUnknownLinesAndOtherHashes) {
  const std::string text =
      with(with(write_sdp(some_description()), "a=fingerprint:sha-512 AB:CD"), "a=x-new:1");
  EXPECT_TRUE(parse_sdp(with(text, "b=AS:30")).has_value());
}

TEST(Sdp, MissingMessageSizeMeans64KiBAndZeroNoLimit) {
  const std::string text = without(write_sdp(some_description()), "a=max-message-size");
  EXPECT_EQ(parse_sdp(text)->max_message_size, 64_KiB);
  EXPECT_EQ(parse_sdp(with(text, "a=max-message-size:0"))->max_message_size, Bytes::max());
}

TEST(Sdp, MissingPacketSizeMeansThatOfAnEthernet) {
  const std::string text = without(write_sdp(some_description()), "a=sluice-max-packet-size");
  EXPECT_EQ(parse_sdp(text)->max_packet_size, limits::kMaxSctpPacketToOthers);
}

TEST(Sdp, RefusesWhatASessionCannotBeBuiltFrom) {
  const std::string text = write_sdp(some_description());
  EXPECT_EQ(error_of(""), Errc::unsupported);
  EXPECT_EQ(error_of(without(text, "m=application")), Errc::unsupported);
  EXPECT_EQ(error_of(without(text, "a=ice-ufrag")), Errc::malformed);
  EXPECT_EQ(error_of(without(text, "a=ice-pwd")), Errc::malformed);
  EXPECT_EQ(error_of(without(text, "a=fingerprint")), Errc::malformed);
  EXPECT_EQ(error_of(with(without(text, "a=fingerprint"), "a=fingerprint:sha-1 AB")), Errc::unsupported);
  EXPECT_EQ(error_of(with(text, "a=ice-lite")), Errc::unsupported);
  EXPECT_EQ(error_of(with(text, "m=audio 9 UDP/TLS/RTP/SAVPF 111")), Errc::unsupported);
  EXPECT_EQ(
      error_of(with(without(text, "m=application"), "m=application 0 UDP/DTLS/SCTP webrtc-datachannel")),
      Errc::unsupported);
}

TEST(Sdp, RefusesMalformedLines) {
  const std::string text = write_sdp(some_description());
  for (const std::string_view line :
       {"nonsense", "a=ice-ufrag:ab", "a=ice-pwd:short", "a=ice-ufrag:with blank",
        "a=fingerprint:sha-256 AB:CD", "a=fingerprint:sha-256", "a=sctp-port:0", "a=sctp-port:70000",
        "a=max-message-size:-1", "a=sluice-max-packet-size:x", "a=mid:", "a=x\x07"}) {
    EXPECT_EQ(error_of(with(text, line)), Errc::malformed) << line;
  }
}

TEST(Sdp, RefusesTwoCertificatesSinceThatWouldBeTwoChances) {
  std::string line = "a=fingerprint:sha-256 " + some_description().fingerprint.format();
  EXPECT_TRUE(parse_sdp(with(write_sdp(some_description()), line)).has_value());
  line.back() = line.back() == '0' ? '1' : '0';
  EXPECT_EQ(error_of(with(write_sdp(some_description()), line)), Errc::unsupported);
}

TEST(Sdp, HoldsItsBounds) {
  const std::string text = write_sdp(some_description());
  EXPECT_EQ(error_of(text + std::string(limits::kMaxSdpSize.count(), 'a')), Errc::limit_exceeded);
  EXPECT_EQ(error_of(with(text, "a=" + std::string(limits::kMaxSdpLine, 'a'))), Errc::limit_exceeded);
  std::string lines = text;
  std::string candidates = text;
  for (std::size_t i = 0; i < limits::kMaxSdpLines; ++i) lines = with(std::move(lines), "a=x");
  for (std::size_t i = 0; i < limits::kMaxCandidates; ++i)
    candidates = with(std::move(candidates), "a=candidate:x");
  EXPECT_EQ(error_of(lines), Errc::limit_exceeded);
  EXPECT_EQ(error_of(candidates), Errc::limit_exceeded);
}

TEST(Candidate, ReadsEachTypeAndAddress) {
  const auto host = parse_candidate("candidate:1 1 UDP 2015363327 192.0.2.1 40000 typ host");
  ASSERT_TRUE(host.has_value());
  EXPECT_EQ(host->type, Candidate::Type::host);
  EXPECT_EQ(host->address, "192.0.2.1");
  EXPECT_EQ(host->port, 40000);
  const auto relay = parse_candidate(
      "a=candidate:99 1 udp 41885439 2001:db8::1 3478 typ relay raddr 0.0.0.0 rport 0 generation 0 ufrag x ");
  ASSERT_TRUE(relay.has_value());
  EXPECT_EQ(relay->type, Candidate::Type::relayed);
  EXPECT_EQ(endpoint_text(relay->address, relay->port), "[2001:db8::1]:3478");
}

TEST(Candidate, TellsWhichOnesCannotBeUsed) {
  const auto use_of = [](std::string_view attribute) { return parse_candidate(attribute)->use; };
  EXPECT_EQ(use_of("candidate:1 1 udp 1 6f1d1f2e-0000-4000-8000-000000000000.local 5 typ host"),
            Candidate::Use::mdns);
  EXPECT_EQ(use_of("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active"), Candidate::Use::tcp);
  EXPECT_EQ(use_of("candidate:1 2 udp 1 192.0.2.1 9 typ host"), Candidate::Use::component);
}

TEST(Candidate, RefusesWhatIsNone) {
  for (const std::string_view text :
       {"", "candidate:", "candidate:1 1 udp 1 192.0.2.1", "candidate:1 1 udp 1 192.0.2.1 9 typ",
        "candidate:1 1 udp 1 192.0.2.1 9 typ other", "candidate:1 1 udp 1 example.org 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host", "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 x udp 1 192.0.2.1 9 typ host", "candidate:1 1 udp 1 192.0.2.1 9\ntyp host",
        "1 1 udp 1 a 9"}) {
    const auto parsed = parse_candidate(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::malformed) << text;
  }
}

}  // namespace
}  // namespace sluice::webrtc
