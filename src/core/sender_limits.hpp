#pragma once

#include <cstddef>

/// How the store knows whose messages fill an inbox, or the store.
namespace sluice::limits {

/// Inboxes whose senders are known while they are at their bounds, and the senders of all of them: 6 MB. How
/// many of them one commit counts: 10,000 rows each at the usual bounds, 10 ms.
inline constexpr std::size_t kTalliedInboxes = 1'024;
inline constexpr std::size_t kTalliedSenders = 100'000;
inline constexpr std::size_t kTalliesPerCommit = 2;
/// Classes into which senders fall by a keyed hash, to tell who fills the store: half a MiB, and a sender
/// shares one with a given other in 65,536 hubs once. Rows that one commit counts after a start: 3 ms.
inline constexpr std::size_t kSenderClasses = 65'536;
inline constexpr std::size_t kCensusSlice = 2'000;

}  // namespace sluice::limits
