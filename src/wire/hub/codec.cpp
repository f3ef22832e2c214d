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
#include "wire/hub/bad_texts.hpp"
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

Error too_large(ByteView message, Bytes most) {
  return {.code = Errc::limit_exceeded,
          .message = fmt::format("The message has {} bytes; the limit is {}.", message.size(), most.count())};
}

/// The first field that could not be taken, if any: the envelope has all others. Error: it is no envelope.
Result<std::optional<Error>> read(Encoding encoding, ByteView message, v1::Envelope& envelope) {
  if (encoding == Encoding::json) return read_json(message, envelope);
  silence_protobuf();
  if (envelope.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  return read_with_bad_texts(message, envelope);
}

void write(ByteBuffer& out, Encoding encoding, const v1::Envelope& envelope) {
  if (encoding == Encoding::json) return append_json(out, envelope);
  const std::size_t before = out.size();
  out.resize(before + envelope.ByteSizeLong());
  auto* const place = reinterpret_cast<std::uint8_t*>(out.data()) + before;
  ENSURE(envelope.SerializeWithCachedSizesToArray(place) == place + (out.size() - before));
}

}  // namespace

std::expected<FromClient, Undecoded> decode_from_client(Encoding encoding, ByteView message) {
  if (size_of(message) > limits::kMaxRejectedEnvelope)
    return std::unexpected(undecoded(too_large(message, limits::kMaxEnvelope)));
  Scratch scratch;
  auto problem = read(encoding, message, scratch.envelope());
  const bool fits = size_of(message) <= limits::kMaxEnvelope;
  // What is no envelope either way is too large first of all: that is what its sender can change.
  if (!problem) {
    return std::unexpected(
        undecoded(fits ? std::move(problem.error()) : too_large(message, limits::kMaxEnvelope)));
  }
  if (!fits) *problem = too_large(message, limits::kMaxEnvelope);
  return take_from_client(scratch.envelope(), std::move(*problem));
}

Result<FromHub> decode_from_hub(Encoding encoding, ByteView message) {
  if (size_of(message) > limits::kMaxHubEnvelope) return fail(too_large(message, limits::kMaxHubEnvelope));
  Scratch scratch;
  auto problem = read(encoding, message, scratch.envelope());
  if (!problem) return fail(std::move(problem.error()));
  if (*problem) return fail(std::move(**problem));
  return take_from_hub(scratch.envelope());
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
