#include "peer/rendezvous/signal.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "core/byte_io.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"

namespace sluice::rendezvous {
namespace {

// docs/wire/rendezvous.md, "Signals".
enum class Type : std::uint8_t {
  offer = 1,
  answer = 2,
  candidate = 3,
  candidates_done = 4,
  connected = 5,
  gave_up = 6
};

/// Why a side gives up, as it travels: the index is the value. What is not here travels as `refused`.
constexpr std::array kGaveUpCodes = {
    Errc::refused,   Errc::unreachable, Errc::timed_out,          Errc::limit_exceeded,
    Errc::malformed, Errc::wrong_code,  Errc::protocol_violation, Errc::cancelled,
    Errc::busy};

std::uint8_t wire_value(Errc code) {
  const auto found = std::ranges::find(kGaveUpCodes, code);
  return static_cast<std::uint8_t>(found == kGaveUpCodes.end() ? 0 : found - kGaveUpCodes.begin());
}

struct Encoder {
  ByteWriter writer;

  void type(Type type) { writer.write(static_cast<std::uint8_t>(type)); }
  void operator()(const Offer& offer) {
    type(Type::offer);
    writer.write_bytes(as_bytes(offer.sdp));
  }
  void operator()(const Answer& answer) {
    type(Type::answer);
    writer.write_bytes(as_bytes(answer.sdp));
  }
  void operator()(const Candidate& candidate) {
    type(Type::candidate);
    writer.write_bytes(as_bytes(candidate.text));
  }
  void operator()(const CandidatesDone&) { type(Type::candidates_done); }
  void operator()(const Connected&) { type(Type::connected); }
  void operator()(const GaveUp& gave_up) {
    type(Type::gave_up);
    writer.write(wire_value(gave_up.code));
    writer.write_bytes(as_bytes(utf8_prefix(gave_up.text, limits::kMaxFailureText.count())));
  }
};

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Errc::malformed, "A signal of the other side does not decode: " + std::string{what} + ".");
}

Result<std::string> text_up_to(Bytes most, ByteView bytes) {
  if (size_of(bytes) > most) return fail(Errc::limit_exceeded, "A signal of the other side is too large.");
  if (!is_utf8(as_text(bytes))) return malformed("its text is not UTF-8");
  return std::string{as_text(bytes)};
}

template <typename T>
Result<Signal> with_text(Result<std::string> text) {
  if (!text) return fail(std::move(text).error());
  return T{std::move(*text)};
}

Result<Signal> alone(ByteView rest, Signal signal) {
  if (!rest.empty()) return malformed("something follows where nothing should");
  return signal;
}

Result<Signal> decode_gave_up(ByteReader reader) {
  const auto value = reader.read<std::uint8_t>();
  if (!value) return malformed("it is cut short");
  auto text = text_up_to(limits::kMaxFailureText, reader.rest());
  if (!text) return fail(std::move(text).error());
  const Errc code = *value < kGaveUpCodes.size() ? kGaveUpCodes[*value] : Errc::refused;
  return GaveUp{.code = code, .text = std::move(*text)};
}

}  // namespace

ByteBuffer encode(const Signal& signal) {
  ByteBuffer out;
  std::visit(Encoder{.writer = ByteWriter{out}}, signal);
  return out;
}

Result<Signal> decode_signal(ByteView plain) {
  ByteReader reader{plain};
  const auto type = reader.read<std::uint8_t>();
  if (!type) return malformed("it is empty");
  switch (Type{*type}) {
    case Type::offer:
      return with_text<Offer>(text_up_to(limits::kMaxSdpSize, reader.rest()));
    case Type::answer:
      return with_text<Answer>(text_up_to(limits::kMaxSdpSize, reader.rest()));
    case Type::candidate:
      return with_text<Candidate>(text_up_to(Bytes{limits::kMaxSdpLine}, reader.rest()));
    case Type::candidates_done:
      return alone(reader.rest(), CandidatesDone{});
    case Type::connected:
      return alone(reader.rest(), Connected{});
    case Type::gave_up:
      return decode_gave_up(reader);
  }
  return malformed("no such type");
}

}  // namespace sluice::rendezvous
