#pragma once

#include <chrono>
#include <cstddef>

#include "core/bytes.hpp"

/// The bounds on peers that have not proved who they are, beside those of `core/limits.hpp` and in the same
/// manner: each with where its figure comes from. Settings change most; none is absent.
namespace sluice::limits {

using namespace literals;
using namespace std::chrono_literals;

// --- connections of the hub's server ---------------------------------------------------------------------

/// Of one IPv6 /48, which one site is given: four subnets that are as busy as one may be.
inline constexpr std::size_t kMaxConnectionsPerNetwork = 1'024;
/// Before their request is read: with TLS each holds 30 KiB, and what a core shakes hands with in a second.
/// When all are taken the oldest one gives way, so each has a second even while others come at that rate.
inline constexpr std::size_t kPendingHandshakes = 1'024;
/// Beyond the total and still read, so that health checks and metrics are answered by a server that is full:
/// a few scrapers and probes at once.
inline constexpr std::size_t kPageReserve = 64;
/// The shortest time that anyone unauthenticated is left when all slots are taken: a TLS handshake and a
/// request over a round trip of 300 ms.
inline constexpr auto kShortestPatience = 1s;
/// Closed before each pause of the accepting when no descriptor is left, so that their clients learn of it.
inline constexpr int kClosedPerPause = 64;
/// How often the log has one kind of trouble with accepting, and what is rejected for one address; how many
/// addresses are told apart there.
inline constexpr auto kAcceptLogPause = 1s;
inline constexpr auto kRefusalLogPause = 1min;
inline constexpr std::size_t kRefusalLogEntries = 1'024;

// --- proxies in front of it ------------------------------------------------------------------------------

/// A header of the PROXY protocol: version 1 has 107 bytes at the most; version 2 has a length of its own, of
/// which addresses take 36 bytes and a TLS client's certificate names most of the rest.
inline constexpr Bytes kProxyHeader = 2_KiB;
/// Addresses and networks of proxies that are trusted; each connection is held against them in turn.
inline constexpr std::size_t kMaxTrustedProxies = 64;
/// Hops of a forwarding header that are looked at, from the right: more proxies than anybody puts in a row.
inline constexpr std::size_t kMaxForwardedHops = 32;

// --- mailboxes -------------------------------------------------------------------------------------------

/// Connections without a place, and visitors that have said nothing: half of all connections, so that these
/// never take those of the messaging.
inline constexpr std::size_t kMaxMailboxWaiters = 5'000;
/// How long a visitor may keep the second place without a first message, and how long when another visitor
/// wants it: a host's HELLO and the answer over a slow path; one round trip of 2 s.
inline constexpr auto kVisitorFirstMessage = 10s;
inline constexpr auto kVisitorYields = 2s;
/// One host's burns charge one address no more often than this, so that a host which burns whatever comes
/// does not use up the tries of its visitors.
inline constexpr auto kBurnChargePause = 60s;

// --- messaging -------------------------------------------------------------------------------------------

/// Clients that have been upgraded and not been welcomed: as many as are admitted in a second, so that even
/// when they come at that rate the oldest one had a second for its Hello before it gives way.
inline constexpr std::size_t kMaxUnauthenticated = 2'048;
/// How long a proof of resumption is good: within this window of the wall clock, the one before and the one
/// after it, so that a client's clock may be off by five minutes.
inline constexpr auto kResumeProofWindow = 5min;
/// Where a user has as many connections as they may have and another comes, all are asked for a sign of life
/// and have so long to give one: a mobile radio that wakes up answers in less.
inline constexpr auto kProbeWait = 2s;
/// Connections of one user that wait meanwhile for a place.
inline constexpr std::size_t kWaitingForPlace = 4;

}  // namespace sluice::limits
