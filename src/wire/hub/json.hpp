#pragma once

#include <optional>

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace google::protobuf {
class Message;
}

/// The JSON mapping of the schema's messages (https://protobuf.dev/programming-guides/json/), driven by their
/// descriptors. Inside this room only. Protobuf's own converter takes 16 µs to read a small Publish, where
/// this takes 1; it takes what is no JSON, and it takes a name that an enum has not for its zero.
///
/// Covers what the schema has: messages, lists, texts, bytes, booleans, enums and whole numbers.
namespace sluice::wire::hub {

/// Appends one object. Fields that have their default are left out; numbers of 64 bits are strings.
void append_json(ByteBuffer& out, const google::protobuf::Message& message);

/// Fills an empty message from strict JSON (RFC 8259). Members are called as in JSON or as in the schema;
/// unknown ones are skipped, null is as good as absent, an enum's unknown name is -1. Nothing recurses deeper
/// than the schema. A member whose value does not fit it is left out, and so is half a surrogate pair
/// (RFC 8259 section 8.2): the first such problem is returned, and the message has everything else. Errors:
/// `malformed`: it is no JSON object, deeper than `limits::kMaxJsonDepth`, or has two of the top level's
/// messages.
[[nodiscard]] Result<std::optional<Error>> read_json(ByteView text, google::protobuf::Message& message);

}  // namespace sluice::wire::hub
