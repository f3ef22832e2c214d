#include "peer/rendezvous/message.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "core/byte_io.hpp"
#include "core/limits.hpp"

namespace sluice::rendezvous {
namespace {

// docs/wire/rendezvous.md, "Messages".
enum class Type : std::uint8_t { hello = 1, start = 2, reply = 3, confirm = 4, sealed = 5, refusal = 6 };

struct Encoder {
  ByteWriter writer;

  void type(Type type) { writer.write(static_cast<std::uint8_t>(type)); }
  void operator()(const Hello& hello) {
    type(Type::hello);
    writer.write(hello.newest);
    writer.write(hello.oldest);
    writer.write(hello.features);
    writer.write_bytes(hello.nonce);
  }
  void operator()(const Start& start) {
    type(Type::start);
    writer.write(start.version);
    writer.write(start.features);
    writer.write_bytes(start.nonce);
    writer.write_bytes(start.share);
  }
  void operator()(const Reply& reply) {
    type(Type::reply);
    writer.write_bytes(reply.share);
  }
  void operator()(const Confirm& confirm) {
    type(Type::confirm);
    writer.write_bytes(confirm.tag);
  }
  void operator()(const Sealed& sealed) {
    type(Type::sealed);
    writer.write_bytes(sealed.bytes);
  }
  void operator()(const Refusal& refusal) {
    type(Type::refusal);
    writer.write(static_cast<std::uint8_t>(refusal.reason));
  }
};

/// Reads fields one after the other and remembers when one was missing.
class Fields {
 public:
  explicit Fields(ByteReader reader) : reader_(reader) {}

  template <std::unsigned_integral T>
  void read(T& value) {
    if (const auto read = reader_.read<T>()) {
      value = *read;
    } else {
      whole_ = false;
    }
  }
  template <std::size_t N>
  void read(std::array<std::byte, N>& value) {
    if (const auto read = reader_.read_bytes(N)) {
      std::ranges::copy(*read, value.begin());
    } else {
      whole_ = false;
    }
  }
  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] bool at_end() const { return reader_.rest().empty(); }

 private:
  ByteReader reader_;
  bool whole_ = true;
};

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Errc::malformed, "A rendezvous message does not decode: " + std::string{what} + ".");
}

Result<Message> whole_message(const Fields& fields, Message message) {
  if (!fields.whole()) return malformed("it is cut short");
  if (!fields.at_end()) return malformed("it is longer than it should be");
  return message;
}

Result<Message> decode_hello(Fields fields) {
  Hello hello;
  fields.read(hello.newest);
  fields.read(hello.oldest);
  fields.read(hello.features);
  fields.read(hello.nonce);
  if (fields.whole() && (hello.oldest == 0 || hello.newest < hello.oldest))
    return malformed("versions that cannot be");
  if (fields.whole() && hello.newest > kNewestVersion) return hello;  // whatever else a later version says
  return whole_message(fields, hello);
}

Result<Message> decode_start(Fields fields) {
  Start start;
  fields.read(start.version);
  fields.read(start.features);
  fields.read(start.nonce);
  fields.read(start.share);
  return whole_message(fields, start);
}

Result<Message> decode_reply(Fields fields) {
  Reply reply;
  fields.read(reply.share);
  return whole_message(fields, reply);
}

Result<Message> decode_confirm(Fields fields) {
  Confirm confirm;
  fields.read(confirm.tag);
  return whole_message(fields, confirm);
}

Result<Message> decode_refusal(Fields fields) {
  std::uint8_t reason = 0;
  fields.read(reason);
  constexpr auto kLast = static_cast<std::uint8_t>(Refusal::Reason::gave_up);
  const bool known = reason >= 1 && reason <= kLast;  // a later version's reason still ends the attempt
  return whole_message(fields, Refusal{.reason = known ? Refusal::Reason{reason} : Refusal::Reason::gave_up});
}

}  // namespace

ByteBuffer encode(const Message& message) {
  ByteBuffer out;
  std::visit(Encoder{.writer = ByteWriter{out}}, message);
  return out;
}

Result<Message> decode_message(ByteView body) {
  if (size_of(body) > limits::kMaxMailboxBody) {
    return fail(Errc::limit_exceeded, "A rendezvous message is too large.");
  }
  ByteReader reader{body};
  const auto type = reader.read<std::uint8_t>();
  if (!type) return malformed("it is empty");
  const Fields fields{reader};
  switch (Type{*type}) {
    case Type::hello:
      return decode_hello(fields);
    case Type::start:
      return decode_start(fields);
    case Type::reply:
      return decode_reply(fields);
    case Type::confirm:
      return decode_confirm(fields);
    case Type::sealed:
      return Sealed{.bytes = reader.rest()};
    case Type::refusal:
      return decode_refusal(fields);
  }
  return malformed("no such type");
}

}  // namespace sluice::rendezvous
