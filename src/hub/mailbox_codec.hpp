#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "hub/mailbox_message.hpp"

namespace sluice::hub {

/// Reads one message of a client: JSON of at most `limits::kMaxMailboxMessage`, nested no deeper than the
/// protocol needs.
///
/// Strict about what it knows (types, lengths, the alphabet of names, numbers and bodies), silent about
/// members that it does not know, so that the protocol can grow. Never throws, whatever the text. Errors:
/// `malformed`, `limit_exceeded`, with a sentence that may be shown to the client.
[[nodiscard]] Result<Request> decode_request(std::string_view text);

[[nodiscard]] std::string encode_reply(const Reply& reply);

}  // namespace sluice::hub
