#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"

/// Every bound in one place, each with where its figure comes from. Options change some; none is absent.
namespace sluice::limits {

using namespace literals;
using namespace std::chrono_literals;

// --- flow -----------------------------------------------------------------------------------------------

/// Where a link's writers stop and go on again. High holds half a millisecond of traffic at 500 MB/s, so that
/// a small message behind it waits no longer; low leaves enough queued that the link never runs dry while
/// writers wake.
inline constexpr Bytes kHighWaterMark = 256_KiB;
inline constexpr Bytes kLowWaterMark = 64_KiB;
/// The longest that a writer waits for a link that takes nothing before it reports a stall.
inline constexpr auto kGateStall = 30s;

/// What a socket may be sent before any WINDOW. One DATA packet of the default size; five thousand idle
/// sockets are promised 78 MiB together, and one that moves bytes has more after its first quarter.
inline constexpr Bytes kFirstWindow = 16_KiB;
/// The largest window of one socket: 80 MB/s at 50 ms, more than the SCTP stack moves there (36 MB/s
/// measured).
inline constexpr Bytes kMaxStreamWindow = 4_MiB;
/// What the windows of a session may have above their first ones, all together: four sockets at their
/// largest, and far enough under 64 MiB of memory with the SCTP buffers (8 MiB) and the process itself (20
/// MiB) beside it.
inline constexpr Bytes kSessionGrowth = 16_MiB;
/// All windows of a session together: 5,120 first windows and the growth.
inline constexpr Bytes kSessionWindows = 96_MiB;
/// Shorter round trips than this are taken for this one when a window's growth is decided: on a busy machine
/// a process may wait as long for its turn, and a window must cover that as well.
inline constexpr auto kShortestRoundTrip = 5ms;
/// What a round trip is taken to be until the link has measured one.
inline constexpr auto kAssumedRoundTrip = 100ms;
/// Writers that wait at one gate: a tunnel has one waiter per link, a session that uses the gate for each of
/// its sockets as many as it has sockets.
inline constexpr std::size_t kGateWaiters = 8192;
/// What a stream may send in one turn: a DATA packet of the default size, so that a turn is one packet.
inline constexpr Bytes kFairQuantum = 16_KiB;
/// Keys in one fair queue: as many as a session has sockets.
inline constexpr std::size_t kFairKeys = 8192;

// --- tunnel packets -------------------------------------------------------------------------------------

/// Payload of a DATA packet: never more, whatever a HELLO says. Browsers and RFC 8831 §6.6 make larger ones
/// doubtful.
inline constexpr Bytes kMaxPayload = 64_KiB;
/// What a side sends in one DATA packet unless told otherwise: what RFC 8831 §6.6 advises without
/// interleaving.
inline constexpr Bytes kDefaultPayload = 16_KiB;
/// The smallest figures that a HELLO may carry: below them packets would be mostly header.
inline constexpr Bytes kMinLargestPayload = 1_KiB;
inline constexpr Bytes kMinFirstWindow = 1_KiB;
/// The largest window that a peer may promise: far less than half of what sequence numbers count (2^31
/// packets).
inline constexpr Bytes kMaxWindow{std::uint64_t{1} << 30};
/// A HELLO's payload: 13 bytes today, the rest is room for newer versions.
inline constexpr std::size_t kMaxHelloSize = 1024;
/// A target's name, in bytes: as long as a DNS name may be (RFC 1035 §2.3.4).
inline constexpr std::size_t kMaxTargetName = 255;
/// The text of a CLOSE, in bytes: one sentence.
inline constexpr std::size_t kMaxCloseText = 256;

// --- links ----------------------------------------------------------------------------------------------

/// A link refuses beyond this: only a user that ignores its gate gets here.
inline constexpr Bytes kLinkHardBuffer = 16_MiB;
/// The longest that an orderly close waits for its queue and for the other side.
inline constexpr auto kLinkCloseTimeout = 5s;
/// Candidates taken from one peer: several interfaces, two families, three kinds each.
inline constexpr std::size_t kMaxCandidates = 64;

// --- WebRTC: signalling and paths -----------------------------------------------------------------------

/// A data-channel description is 600 bytes, a candidate 100: room for every candidate and for what browsers
/// add.
inline constexpr Bytes kMaxSdpSize = 16_KiB;
inline constexpr std::size_t kMaxSdpLines = 256;
/// Longer than any attribute that a peer sends: the longest, credentials and fingerprints, stay under 300.
inline constexpr std::size_t kMaxSdpLine = 1024;
/// TURN servers that are asked at once; each costs an allocation per local address.
inline constexpr std::size_t kMaxTurnServers = 4;
/// How long ICE looks for a path before it says that there is none: RFC 8445 checks of 64 x 64 pairs end
/// sooner, a TURN server that does not answer takes libnice 8 s.
inline constexpr auto kIceTimeout = 20s;
/// From the offer or the answer to the open channel, all told: ICE, then DTLS and SCTP with two losses each.
inline constexpr auto kPeerSetupTimeout = 30s;
/// Datagrams that came through the ICE library and wait for their shard: 2 ms at 500 MB/s, the socket holds
/// the rest.
inline constexpr Bytes kIceInbox = 1_MiB;
/// What the ICE library has to tell that is no datagram: candidates and changes of state.
inline constexpr std::size_t kIceEvents = 256;
/// Socket buffers of a data path: half the bandwidth x delay of 1 Gbit/s at 50 ms, granted in whole or in
/// part.
inline constexpr Bytes kUdpSocketBuffer = 4_MiB;
/// One GSO call: 64 segments are the kernel's limit before 6.9, and 65,507 bytes IPv4's.
inline constexpr std::size_t kGsoSegments = 60;
inline constexpr Bytes kGsoBytes{65'000};
/// What a data path holds back while its socket takes nothing; beyond it the datagram is dropped and SCTP
/// resends.
inline constexpr Bytes kPathBacklog = 1_MiB;
/// Reads of up to 64 KiB that one wake-up of a data path makes before others have their turn.
inline constexpr int kPathReadsPerWake = 16;

// --- WebRTC: DTLS, SCTP, data channels ------------------------------------------------------------------

/// Largest datagram of a handshake flight: fits IPv6's smallest MTU (1280 - 40 - 8) with room for a TURN
/// header.
inline constexpr Bytes kDtlsMtu{1200};
/// Datagrams kept before the handshake may begin: a ClientHello is two, and may be sent again before the
/// answer.
inline constexpr std::size_t kDtlsEarlyDatagrams = 8;
/// Largest plaintext of one record (RFC 5246 §6.2.1).
inline constexpr Bytes kDtlsRecord = 16_KiB;
/// First and longest wait before a flight is sent again. RFC 6347 §4.2.4.1 begins at 1 s, but a path that ICE
/// has just measured need not wait so long for a lost datagram; browsers begin at 50 ms.
inline constexpr auto kDtlsFirstTimeout = 200ms;
inline constexpr auto kDtlsLongestTimeout = 3s;
/// Largest SCTP packet before a larger one was shown to pass, a multiple of four as chunks are. With 37 bytes
/// of DTLS 1.2 AES-GCM and 4 of TURN ChannelData it is 1229, under IPv6's 1280 - 40 - 8 = 1232.
inline constexpr Bytes kSctpPathMtu{1188};
/// The same over IPv4: 1200 + 37 + 4 + 28 = 1269 passes links of 1280 bytes, the smallest in use, and carries
/// the 16 KiB payload of a tunnel packet in 14 packets instead of 15.
inline constexpr Bytes kSctpPathMtuIPv4{1200};
/// MTUs of links that are asked for: WireGuard's default, Ethernet, and Ethernet with jumbo frames, which
/// loopback passes too. A larger packet than that saves little: a 16 KiB message is two of them.
inline constexpr std::array kPathMtuLinks{1420_B, 1500_B, 9000_B};
/// The largest SCTP packet that is taken from the peer: what one DTLS record holds (RFC 6347 §4.1).
inline constexpr Bytes kMaxSctpPacket = 16_KiB;
/// The largest that is sent to a peer which does not say what it takes: that of an Ethernet. A longer one
/// ends Chromium's session (its buffer has 2048 bytes), and aiortc reads 1500.
inline constexpr Bytes kMaxSctpPacketToOthers{1432};
/// What IPv6, UDP and a DTLS 1.2 AES-GCM record take of a link's MTU (40 + 8 + 37); IPv4 takes 20 less.
inline constexpr Bytes kPathMtuOverhead{85};
/// How often a size is tried and how long an answer is waited for: a round trip that one can work with. Data
/// flows meanwhile.
inline constexpr int kPathMtuProbes = 3;
inline constexpr auto kPathMtuProbeWait = 300ms;
/// How often a size above the base is shown to pass still (RFC 8899 §4.4): with three waits after it, a path
/// that became narrower is known before `kSctpSilence`.
inline constexpr auto kPathMtuConfirm = 10s;
/// Bytes that may be sent before the first acknowledgement: 16 packets of the base size (RFC 6928 has 10 of
/// 1460).
inline constexpr Bytes kSctpInitialWindow{19'200};
/// Send and receive buffer of an association: 22-36 MB/s at 50 ms round trip, 1 MiB gives 9 (measured).
inline constexpr Bytes kSctpBuffer = 4_MiB;
/// How often the stack's timers want to be run; coarser costs throughput, finer CPU.
inline constexpr auto kSctpTick = 10ms;
/// How often the stack asks an idle peer for a sign of life, and after how long without any packet it counts
/// as dead. The silence outlasts a 5 s outage of the path with two retransmissions (at most 2 s apart) to
/// spare, and is over before a person gives up waiting.
inline constexpr auto kSctpHeartbeat = 2s;
inline constexpr auto kSctpSilence = 12s;
/// How long nothing may leave an association that has something to send: a chunk without an answer is sent
/// again after `kSctpRtoMax` at the latest, so this is a fault of the stack's, which then ends the link
/// rather than hang.
inline constexpr auto kSctpStall = 30s;
/// Bounds of the retransmission timeout, and its value before the first measurement (RFC 9260 §16 has 1 s, 60
/// s, 1 s; the lower ones recover from a lost tail sooner, and 2 s is still above any round trip one can work
/// with).
inline constexpr auto kSctpRtoMin = 200ms;
inline constexpr auto kSctpRtoMax = 2s;
inline constexpr auto kSctpRtoInitial = 1s;
/// Streams in each direction; a channel takes one of each.
inline constexpr std::uint16_t kSctpStreams = 1024;
/// The largest message this side takes, as its SDP says: what browsers take too.
inline constexpr Bytes kMaxReceiveMessage = 256_KiB;
/// The largest message the other side takes when its SDP does not say (RFC 8841 §6.1).
inline constexpr Bytes kDefaultMaxMessageSize = 64_KiB;
/// Channels of one association, open, opening or closing. One is used; a few more for applications beside it.
inline constexpr std::size_t kMaxChannels = 16;
/// Messages held for a channel nobody listens to yet; then the peer is stopped by SCTP's window.
inline constexpr Bytes kChannelHeldMessages = 1_MiB;

// --- HTTP and WebSocket ---------------------------------------------------------------------------------

/// A request's header: browsers send 1 KiB, proxies add as much; nothing of ours reads more.
inline constexpr Bytes kHttpHeader = 8_KiB;
/// From accept to the end of TLS and the request's header, all told: three round trips of a bad mobile path.
inline constexpr auto kHandshakeTimeout = 10s;
/// How long a finished HTTP exchange waits for the other side to hang up first.
inline constexpr auto kHttpLinger = 2s;
/// Open connections of one server: 16 KiB each with TLS are 160 MiB, and well under a raised descriptor
/// limit.
inline constexpr std::size_t kMaxConnections = 10'000;
/// Of these from one address (IPv6: one /64): an office behind one NAT.
inline constexpr std::size_t kMaxConnectionsPerAddress = 256;
/// Listening sockets of one server: two families on a few interfaces.
inline constexpr std::size_t kMaxListeners = 16;
/// A WebSocket that is silent for so long is dead; a ping is sent after half of it.
inline constexpr auto kWebSocketIdle = 30s;
/// What a server's socket holds beyond what is in flight (TCP_NOTSENT_LOWAT); larger hides slow readers,
/// smaller costs wake-ups (measured).
inline constexpr Bytes kNotSentLowWater = 16_KiB;
/// The largest message whose buffer a quiet link keeps: a hub's usual ones are smaller.
inline constexpr Bytes kKeptReadBuffer = 4_KiB;
/// Messages that wait in one link, whatever their size: bounds what the queue's own bookkeeping takes.
inline constexpr std::size_t kLinkHardMessages = 65'536;
/// From the name's look-up to the open WebSocket, all told.
inline constexpr auto kConnectTimeout = 10s;
/// How long the accepting pauses when the system has no descriptor left.
inline constexpr auto kAcceptPause = 100ms;

// --- Mailboxes ------------------------------------------------------------------------------------------

/// Sent to a place and not yet taken by the network; beyond it the place is cut. An introduction is 40 KiB.
inline constexpr Bytes kMailboxPlaceBuffer = 256_KiB;
/// How long a numbered mailbox waits for its visitor: time to read a code aloud and to type it.
inline constexpr auto kMailboxLife = 10min;
/// How long one visitor may keep the second place: PAKE takes two round trips, ICE `kIceTimeout` at most.
inline constexpr auto kMailboxVisit = 60s;
/// Messages and bytes of one introduction, both ways: 64 candidates from each side, two descriptions, the
/// PAKE.
inline constexpr std::size_t kIntroductionMessages = 256;
inline constexpr Bytes kIntroductionBytes = 1_MiB;
/// Mailboxes of a hub, and from one address.
inline constexpr std::size_t kMaxMailboxes = 10'000;
inline constexpr std::size_t kMaxMailboxesPerAddress = 64;
/// Numbers that were given back lately: not handed out again for so long, so that an old code finds nobody.
inline constexpr auto kNumberRest = 30min;
inline constexpr std::size_t kMaxRestingNumbers = 20'000;
/// Failed joins and burnt codes of one address: so many at once, one more each `kTryInterval`. With one guess
/// a code and 2^24 codes a number, guessing stays hopeless; a person who mistypes never notices.
inline constexpr int kTryBurst = 10;
inline constexpr auto kTryInterval = 6s;
/// Addresses whose tries are counted one by one; beyond it the others share one count.
inline constexpr std::size_t kMaxTriedAddresses = 65'536;
/// Requests of one connection: so many at once (every candidate of a peer), one more each `kRequestInterval`.
inline constexpr int kRequestBurst = 256;
inline constexpr auto kRequestInterval = 20ms;
/// How long a connection without a place may say nothing.
inline constexpr auto kPlaceless = 30s;
/// When a refused client is told to come again: an introduction takes about a second; a mailbox, or a dead
/// host's place, is free some seconds later.
inline constexpr auto kRetrySoon = 1000ms;
inline constexpr auto kRetryLater = 5000ms;

// --- rendezvous -----------------------------------------------------------------------------------------

/// A code's text: nine digits and three words of eleven letters, with room for generous spacing.
inline constexpr Bytes kMaxCodeText{128};
inline constexpr std::size_t kMaxMailboxDigits = 9;
/// A mailbox's number, or its name of 32 hexadecimal digits.
inline constexpr std::size_t kMaxMailboxName = 32;
/// A key file is under 120 bytes.
inline constexpr Bytes kMaxKeyFile = 1_KiB;
/// One message of the mailbox protocol, either way (docs/wire/mailbox.md).
inline constexpr Bytes kMaxMailboxMessage = 32_KiB;
/// What such a message can carry for the other side: three quarters of it in base64, and room for its frame.
inline constexpr Bytes kMaxMailboxBody = 23_KiB;
/// Messages from the hub that wait for their reader: a description and `kMaxCandidates` candidates twice
/// over.
inline constexpr std::size_t kMailboxInbox = 160;
/// How often a quiet place at the hub is shown to be alive: under the shortest idle limits of proxies, 30 to
/// 60 s.
inline constexpr auto kMailboxPing = 20s;
/// Two pings and their answers lost: the hub is gone.
inline constexpr auto kMailboxSilence = 50s;
/// A hub that was reached answers within this, or is taken for dead.
inline constexpr auto kMailboxReply = 10s;
/// From HELLO to the confirmed key: three round trips through the hub and no human, so a visitor that takes
/// longer only holds the place.
inline constexpr auto kKeyConfirmation = 10s;
/// One introduction from beginning to end, key and path: what a visitor may hold the host's only place for.
inline constexpr auto kIntroduction = 30s;
/// How long the host leaves a visitor who is done to leave by himself before he is sent off.
inline constexpr auto kVisitorGrace = 2s;
/// Burnt codes in a row that are replaced at once; after them each takes longer, so that somebody who burns
/// codes for sport gets 10 guesses at 2^-24 and then one every few minutes.
inline constexpr int kBurntCodesAtOnce = 10;
/// That pause at first, and at the most; also what a wrong key costs, where nothing is burnt.
inline constexpr auto kGuessPauseFirst = 2s;
inline constexpr auto kGuessPauseLongest = 300s;
/// The longest time that a hub's answer may name: mailboxes live for minutes, and a larger figure would not
/// fit a clock of nanoseconds.
inline constexpr auto kLongestHubTime = 24h;
/// A mailbox that the hub ends sooner counts as a lost hub, so that one that opens and ends them in turn does
/// not make a host spin: as long as the longest pause after it, and far below `kMailboxLife`.
inline constexpr auto kMailboxSettled = 30s;
/// How soon a lost hub is sought again at first, and at the most: a hub restarts within seconds.
inline constexpr auto kHubRetryFirst = 500ms;
inline constexpr auto kHubRetryLongest = 30s;
/// Why a side gave up, in words, as it tells the other.
inline constexpr Bytes kMaxFailureText{512};

// --- tunnel sessions ------------------------------------------------------------------------------------

/// Sockets of one session: more than the windows of a session allow (`kSessionWindows` / `kFirstWindow`), so
/// that memory decides and not this figure.
inline constexpr std::size_t kMaxStreams = 8192;
/// Sockets that are over and whose late packets are still known as such; oldest forgotten first. Four seconds
/// at 2,000 connections a second, where a late packet is at most a round trip and the link's queue behind.
inline constexpr std::size_t kClosedIds = 8192;
/// Packets of one session that wait for one before them; at 112 bytes each beside their payload that is 7
/// MiB. The SCTP stack has no more than some thousand messages on their way.
inline constexpr std::size_t kMaxEarlyPackets = 65'536;
/// Sockets refused without a stream of their own whose CLOSE waits for the link.
inline constexpr std::size_t kMaxRefusals = 1024;
/// From the open channel to the other side's HELLO: two round trips and two losses.
inline constexpr auto kHelloTimeout = 10s;
/// How long a client's socket waits for its target, and packets on the host for their CONNECT: above
/// `kDialTimeout`.
inline constexpr auto kOpenTimeout = 30s;
/// How long a socket that the other side has closed may take to accept what came before.
inline constexpr auto kCloseFlush = 30s;
/// What a session sends before other work of its shard has its turn: half a millisecond at 500 MB/s.
inline constexpr Bytes kTurnBytes = 256_KiB;
/// How long a host tries to reach a target, its name's look-up included.
inline constexpr auto kDialTimeout = 10s;
/// How often a tunnel looks at the clock at least; its own deadlines are met more exactly.
inline constexpr auto kTunnelTick = 1s;
/// Connections that the kernel completes and keeps for us: what it allows at the most on most systems.
inline constexpr int kListenBacklog = 4096;

// --- jobs -----------------------------------------------------------------------------------------------

/// The longest that a stop waits for open streams to finish: a person who pressed Ctrl-C waits no longer.
inline constexpr auto kDrainTimeout = 5s;
/// Clients of one host at the same time: each may make it hold `kSessionWindows` at the worst, and 25 MiB
/// when four of its sockets are busy.
inline constexpr std::size_t kMaxSessions = 64;

}  // namespace sluice::limits
