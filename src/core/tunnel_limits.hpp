#pragma once

#include <chrono>
#include <cstddef>

#include "core/bytes.hpp"
#include "core/limits.hpp"

/// Bounds of what a tunnel takes of its process: look-ups and attempts to connect, descriptors, memory. As in
/// `core/limits.hpp`, each says where its figure comes from.
namespace sluice::limits {

// --- dialing --------------------------------------------------------------------------------------------

/// How long an attempt to connect is ahead of the next one (RFC 8305 §5, §8: 250 ms recommended).
inline constexpr auto kAttemptDelay = 250ms;
/// How long IPv4 addresses wait for IPv6 ones that have not been looked up yet (RFC 8305 §3, §8).
inline constexpr auto kResolutionDelay = 50ms;
/// Attempts of one connection at the same time, and how long the oldest has before it gives way to the next
/// address: a TCP handshake that lost its first SYN takes 1 s and a round trip (RFC 6298 §2.1).
inline constexpr std::size_t kAttemptsAtOnce = 4;
inline constexpr auto kAttemptPatience = 2s;
/// Addresses of one family that are tried; more than large services publish.
inline constexpr std::size_t kMaxAddresses = 16;
/// Attempts of all connections of a shard beyond the first of each: what racing may take of the descriptors.
inline constexpr std::size_t kSpareAttempts = 32;
/// Threads that wait for name servers, two for a name: only silent servers keep more than a few busy.
inline constexpr std::size_t kLookUpThreads = 32;
/// Look-ups that wait for a thread: as many targets as a command line names, twice over.
inline constexpr std::size_t kLookUpsWaiting = 1024;
/// Answers that are kept; at most 16 addresses each.
inline constexpr std::size_t kCachedNames = 1024;
/// The longest that an answer is kept, whatever its time to live: an hour, so that a mistake in a zone heals.
inline constexpr auto kLongestNameLife = 1h;
/// How long addresses are kept whose time to live nobody tells: /etc/hosts may change at any time.
inline constexpr auto kUnknownNameLife = 5s;
/// How long it is remembered that a name was not found, or that no server answered (RFC 2308 allows more).
inline constexpr auto kMissingNameLife = 2s;

// --- memory ---------------------------------------------------------------------------------------------

/// What is set aside for each session beside its windows: the SCTP buffers of one direction (`kSctpBuffer`;
/// both are full at once only where a peer neither reads nor acknowledges).
inline constexpr Bytes kSessionMemory = 4_MiB;
/// The part of the memory that is set aside for sessions so, at most: at the default for all that there may
/// be.
inline constexpr std::size_t kSessionMemoryPart = 2;
/// What a stream is charged for beside its window: 1.2 KiB when idle (measured), and a dial with its
/// attempts.
inline constexpr Bytes kStreamMemory = 3_KiB;
/// What a packet that waits for an earlier one is charged for beside its payload: the map's node, the buffer
/// and the allocator's own.
inline constexpr Bytes kEarlyPacketMemory{128};
/// What all sessions of a process may make it hold unless it is told otherwise: two clients with every window
/// that a session has, or all that there may be with 4 MiB each.
inline constexpr Bytes kTunnelMemory = 512_MiB;
/// The least that can be set: two sessions and some windows.
inline constexpr Bytes kMinTunnelMemory = 16_MiB;

// --- log ------------------------------------------------------------------------------------------------

/// How often a session logs each kind of rejected or closed connection, by reason and target: the other side
/// decides how many there are.
inline constexpr auto kRejectionLogPause = 1min;
inline constexpr std::size_t kRejectionKinds = 64;

// --- descriptors ----------------------------------------------------------------------------------------

/// Descriptors that are kept for look-ups, racing attempts (`kSpareAttempts`), the hub and libraries; at most
/// a quarter of what there is.
inline constexpr std::size_t kReservedDescriptors = 96;
/// The part of the descriptors that is kept for sessions themselves: what paths to clients take.
inline constexpr std::size_t kSessionDescriptorsPart = 4;

static_assert(kTunnelMemory / kSessionMemoryPart >= kSessionMemory * kMaxSessions);
static_assert(kMinTunnelMemory / kSessionMemoryPart >= kSessionMemory + kFirstWindow * 64);

}  // namespace sluice::limits
