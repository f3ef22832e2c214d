#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.hpp"
#include "flow/token_bucket.hpp"
#include "hub/gateway/settings.hpp"
#include "wire/hub/message.hpp"

/// What each envelope costs the client that sends it, whether it is granted or rejected, in tokens of about
/// three microseconds of the hub's time. A client whose tokens are used up is not read from until there are
/// more: to answer it would cost the hub more than to let it wait.
///
/// The rate follows from how many messages and bytes a client may send: one that keeps to those never waits
/// for its tokens, whatever it asks beside them at a usual pace.
namespace sluice::hub::cost {

/// Beside the envelope itself, in tokens: an answer is an envelope of the hub's and a system call.
inline constexpr std::uint64_t kAnswer = 4;
/// A rejection is one that its client has to think about: with the usual rates at most 250 a second are told.
inline constexpr std::uint64_t kRejection = 16;
/// Of a client that joins, leaves or refreshes: mail to other shards, and what is forgotten or begun there.
inline constexpr std::uint64_t kMembership = 8;
/// Users named by one `members`, and messages of a `pull`, for one token.
inline constexpr std::uint64_t kUsersPerToken = 16;
inline constexpr std::uint64_t kMessagesPerToken = 2;
/// Bytes of an envelope for one token, beside the one that each envelope costs.
inline constexpr std::uint64_t kBytesPerToken = 2'048;
/// The tokens that a client has beside those for its messages and bytes, each second and at once.
inline constexpr std::uint64_t kTokensPerSecond = 200;
inline constexpr std::uint64_t kTokenBurst = 400;
/// Reading goes on when so many tokens are there, so that it does not stop after each envelope.
inline constexpr std::uint64_t kGoOn = 32;

/// Acknowledgements cost their bytes alone: `kAnswer` is charged for one that says nothing new.
[[nodiscard]] std::uint64_t of(const wire::hub::FromClient& message, std::size_t size);
/// What does not decode.
[[nodiscard]] std::uint64_t of_malformed(std::size_t size);
[[nodiscard]] flow::TokenRate rate(const Rates& rates);

}  // namespace sluice::hub::cost
