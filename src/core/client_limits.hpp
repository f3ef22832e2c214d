#pragma once

#include <cstddef>

#include "core/bytes.hpp"
#include "core/hub_limits.hpp"
#include "core/limits.hpp"

/// The bounds of what our own programs take from a hub, a server or a peer, beside those of `core/limits.hpp`
/// and in the same manner: each with where its figure comes from. A count alone bounds nothing where each of
/// what is counted may be large, so there are bytes beside each.
namespace sluice::limits {

// --- answers of a server --------------------------------------------------------------------------------

/// What a client reads of a server's answer to an upgrade (its header, and the page of a proxy that refuses),
/// and of any other answer before it makes sense of it.
inline constexpr Bytes kUnreadAnswer = 64_KiB;
/// One client in a hub's list of them, and every other answer of its administration: 600 bytes are usual,
/// names and agents may be longer.
inline constexpr Bytes kMaxAdminItem = 64_KiB;
/// What the values of one of those may take: a dozen times the text.
inline constexpr Bytes kMaxAdminItemMemory = 1_MiB;

// --- JSON -----------------------------------------------------------------------------------------------

/// What the values of an envelope in JSON may take: a dozen times the largest text, and room.
inline constexpr Bytes kMaxJsonMemory = 8_MiB;
/// The same for a message of the mailbox protocol: they are one object whose text is nearly all of it, so
/// this is for what a hostile side packs into it.
inline constexpr Bytes kMailboxMessageMemory = 256_KiB;
/// And for a file of keys, or a token: a dozen times the text.
inline constexpr Bytes kMaxKeyFileMemory = 1_MiB;

// --- what waits for its owner ---------------------------------------------------------------------------

/// Messages from the hub that wait at a mailbox for their reader, in bytes: a description and
/// `kMaxCandidates` candidates at their largest (80 KiB), twice over, with room for more.
inline constexpr Bytes kMailboxInboxBytes = 256_KiB;
/// Events of a messaging client that wait for its owner before nothing more is read, in bytes of what the hub
/// sent for them: four times what it leaves unacknowledged. One envelope may pass it.
inline constexpr Bytes kClientEventBytes = 1_MiB;
/// What each of them costs beside that: its names and numbers.
inline constexpr Bytes kClientEventCost = 256_B;
/// What such a client has to say while its socket takes nothing. Superfluous answers are replaced meanwhile,
/// so only its owner's own wishes count: several times the most that these may be.
inline constexpr std::size_t kClientUnsent = 4'096;
static_assert(kClientUnsent >= 4 * (kGroupsPerConnection + kClientUnanswered + kRequestsPerConnection));
/// Conversations in which it keeps how far it has come: the groups that one may be in, with their changes
/// over time, its inbox, and everyone's.
inline constexpr std::size_t kClientConversations = 1'024;

// --- a forward and its host -----------------------------------------------------------------------------

/// A tunnel that lasted so long was a good one: the pauses before its host is sought again begin anew. Twice
/// the longest pause, so that one that dies each time it comes up is not sought faster than that.
inline constexpr auto kTunnelSettled = 60s;
/// The shortest pause after a host said that it is full: a place becomes free when somebody leaves, and
/// asking takes its only place for an introduction.
inline constexpr auto kHostFullPause = 3s;

/// How long connections to a forward's ports wait for a tunnel that was lost, before they are reset: as long
/// as a client's socket waits for its target.
inline constexpr auto kEntrancePatience = 30s;
/// A connection over which nothing has come for so long is asked whether the other side is still there; so
/// often; and given up after so many questions without an answer. Three minutes, where the system's own
/// figures make it two hours: firewalls forget a quiet connection after five.
inline constexpr auto kKeepAliveIdle = 120s;
inline constexpr auto kKeepAliveInterval = 15s;
inline constexpr int kKeepAliveProbes = 4;

}  // namespace sluice::limits
