#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace google::protobuf {
class Message;
}

/// Envelopes that would decode but for a text that is no Unicode. Their sender is told which text it is, so
/// that one message is rejected and not the connection ended. Inside this room only; off the usual path.
namespace sluice::wire::hub {

/// A JSON text with `\ufffd` in the place of each half of a surrogate pair, so that it parses.
struct Mended {
  std::string json{};
  std::string where{};  ///< The member that had the first, as in `publish.content.text`.
};
/// Nothing: it has no such halves.
[[nodiscard]] std::optional<Mended> mend_surrogates(std::string_view json);

/// Fills an empty message from Protobuf, and leaves out texts that are no UTF-8. Returns the problem with the
/// first of them. Error: `malformed`: it is no such message.
[[nodiscard]] Result<std::optional<Error>> read_with_bad_texts(ByteView bytes,
                                                               google::protobuf::Message& message);

}  // namespace sluice::wire::hub
