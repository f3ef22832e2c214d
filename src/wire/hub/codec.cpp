#include "wire/hub/codec.hpp"

#include <array>
#include <cstddef>
#include <google/protobuf/arena.h>
#include <google/protobuf/stubs/logging.h>
#include <sluice/v1/envelope.pb.h>
#include <utility>

#include <fmt/format.h>

#include "core/ensure.hpp"
#include "core/hub_limits.hpp"
#include "wire/hub/json.hpp"
#include "wire/hub/schema.hpp"

namespace sluice::wire::hub {
namespace {

/// An empty envelope, whose parts lie side by side on the stack as long as they are few.
class Scratch {
 public:
  Scratch() : arena_(first_.data(), first_.size()) {
    envelope_ = google::protobuf::Arena::CreateMessage<v1::Envelope>(&arena_);
  }
  v1::Envelope& envelope() { return *envelope_; }

 private:
  alignas(std::max_align_t) std::array<char, 4096> first_;
  google::protobuf::Arena arena_;
  v1::Envelope* envelope_;
};

/// Protobuf writes to stderr of each text that is no UTF-8: whoever sends one could fill the log.
void silence_protobuf() {
  static const bool done = (google::protobuf::SetLogHandler(nullptr), true);
  (void)done;
}

Status read(Encoding encoding, ByteView message, Bytes most, v1::Envelope& envelope) {
  if (size_of(message) > most) {
    return fail(Errc::limit_exceeded,
                fmt::format("It has {} bytes, {} at the most are taken.", message.size(), most.count()));
  }
  if (encoding == Encoding::json) return read_json(message, envelope);
  silence_protobuf();
  if (envelope.ParseFromArray(message.data(), static_cast<int>(message.size()))) return {};
  return fail(Errc::malformed, "It is no envelope, or has a text that is no UTF-8.");
}

void write(ByteBuffer& out, Encoding encoding, const v1::Envelope& envelope) {
  if (encoding == Encoding::json) return append_json(out, envelope);
  const std::size_t before = out.size();
  out.resize(before + envelope.ByteSizeLong());
  auto* const place = reinterpret_cast<std::uint8_t*>(out.data()) + before;
  ENSURE(envelope.SerializeWithCachedSizesToArray(place) == place + (out.size() - before));
}

}  // namespace

Result<FromClient> decode_from_client(Encoding encoding, ByteView message) {
  Scratch scratch;
  if (auto status = read(encoding, message, limits::kMaxEnvelope, scratch.envelope()); !status) {
    return fail(std::move(status.error()));
  }
  return take_from_client(scratch.envelope());
}

Result<FromHub> decode_from_hub(Encoding encoding, ByteView message) {
  Scratch scratch;
  if (auto status = read(encoding, message, limits::kMaxHubEnvelope, scratch.envelope()); !status) {
    return fail(std::move(status.error()));
  }
  return take_from_hub(scratch.envelope());
}

Reason reason_for(const Error& error) {
  switch (error.code) {
    case Errc::limit_exceeded:
      return Reason::too_large;
    case Errc::unsupported:
      return Reason::unsupported;
    case Errc::protocol_violation:
      return Reason::protocol_violation;
    default:
      return Reason::malformed;
  }
}

void append(ByteBuffer& out, Encoding encoding, const FromHub& message) {
  Scratch scratch;
  fill(scratch.envelope(), message);
  write(out, encoding, scratch.envelope());
}

void append(ByteBuffer& out, Encoding encoding, const FromClient& message) {
  Scratch scratch;
  fill(scratch.envelope(), message);
  write(out, encoding, scratch.envelope());
}

}  // namespace sluice::wire::hub
