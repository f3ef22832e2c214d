#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"

/// The bounds of the hub's messaging, beside those of `core/limits.hpp` and in the same manner: each with
/// where its figure comes from. Options change some; none is absent.
namespace sluice::limits {

using namespace literals;
using namespace std::chrono_literals;

// --- what waits for one receiver ------------------------------------------------------------------------

/// Where a receiver counts as unwritable and as writable again: Netty's defaults, which operators know.
inline constexpr Bytes kOutboxHigh = 64_KiB;
inline constexpr Bytes kOutboxLow = 32_KiB;
/// Everything that may wait for one receiver, critical messages included: sixteen of the largest.
inline constexpr Bytes kOutboxHard = 1_MiB;
/// Pieces of drops that one receiver is told of exactly before they are put together, for each source and
/// reason.
inline constexpr std::size_t kExactDrops = 32;
/// The age of the oldest byte at which a receiver is cut.
inline constexpr auto kCloseUnwritableAfter = 2s;
/// What a client that acknowledges may leave unacknowledged: a second's worth of 1,000 messages of 256 bytes.
inline constexpr Bytes kDeliveryWindow = 256_KiB;
/// Sends to a client that acknowledges none of them, where the window is off or large: eight times what fits
/// into the usual one.
inline constexpr std::size_t kUnacknowledged = 65'536;

/// Of the window, what requests may take: a client that keeps up with its conversations is not made late by
/// what others ask it.
inline constexpr std::uint64_t kRequestWindowShare = 2;
/// Of the hard limit, what may wait for a client that gets one more reply with its content: the client's own
/// requests, whose number is limited, and not the size of what others answer.
inline constexpr std::uint64_t kReplyShare = 2;
/// Changes of presence that wait for one slow watcher, and how many are told at once when it takes more: 100
/// bytes each, so half a MiB and a tenth of the high mark.
inline constexpr std::size_t kPendingPresence = 4'096;
inline constexpr std::size_t kPresenceSlice = 64;

// --- what the process holds -----------------------------------------------------------------------------

/// All bytes that wait anywhere in the hub: a quarter of a small machine of 2 GiB.
inline constexpr Bytes kMemoryLimit = 512_MiB;
/// Of one user, over all their connections.
inline constexpr Bytes kUserMemory = 4_MiB;

/// What the shards still have to hand out, as bytes times receivers: two tenths of a second of a core's work
/// at 300 bytes each. Beyond it publishes are refused: they come faster than they can go.
inline constexpr Bytes kFanoutBacklog = 64_MiB;

/// What one sender may have of it: four times what is free, so that one alone gets four fifths. And what of
/// it anybody may have, however full it is.
inline constexpr std::uint64_t kFanoutWeight = 4;
inline constexpr std::uint64_t kFanoutFreeShare = 64;
/// What is handed out in one turn of the loop, and of one conversation before the next has its turn: as many
/// receivers as `kFanoutSlice` says may be of large messages.
inline constexpr Bytes kFanoutTurnBytes = 1_MiB;
inline constexpr Bytes kFanoutTopicBytes = 256_KiB;
inline constexpr std::size_t kFanoutTopicSlice = 64;

// --- conversations --------------------------------------------------------------------------------------

/// Messages that are sent together: a quarter of the high mark, which one batch may overshoot; a system call
/// for 64 messages of 256 bytes.
inline constexpr Bytes kBatchBytes = 16_KiB;
/// How long a second copy of a message is recognised, and how many are remembered by a shard: a client that
/// comes back repeats what was not answered, within minutes. Every sender has an equal part of them; what one
/// leaves of it others may use.
inline constexpr auto kDedupAge = 5min;
inline constexpr std::size_t kDedupEntries = 200'000;
/// Messages of one conversation whose senders wait for their delivery.
inline constexpr std::size_t kAwaitedDeliveries = 4'096;
/// Second copies in one conversation whose senders may hear of the delivery of the first.
inline constexpr std::size_t kHopedDeliveries = 1'024;
/// The same of one sender: as many as may be unanswered.
inline constexpr std::size_t kAwaitedOfConnection = 1'024;
/// Conversations that nobody uses and whose numbering the hub still remembers, where it is nowhere else.
inline constexpr std::size_t kIdleHomes = 10'000;
/// When to try again what found something full.
inline constexpr auto kRetryAfterFull = 1s;
/// What is read from a log at once, for one client: under its high mark.
inline constexpr Bytes kPageBytes = 32_KiB;
inline constexpr std::size_t kPageMessages = 128;

// --- clients --------------------------------------------------------------------------------------------

/// What one client may send: a busy service; a person's client stays far under it.
inline constexpr std::uint64_t kMessagesPerSecond = 2'000;
inline constexpr std::uint64_t kMessageBurst = 4'000;
inline constexpr Bytes kBytesPerSecond = 4_MiB;
inline constexpr Bytes kByteBurst = 8_MiB;
/// Publishes that wait for their answer, before nothing more is read from the client.
inline constexpr std::size_t kUnanswered = 1'024;
/// How many times the usual a token may grant, unless the operator says otherwise: a backend that speaks for
/// ten of the busiest clients.
inline constexpr std::uint64_t kMostByToken = 10;
/// From the upgrade to the Hello.
inline constexpr auto kHubHelloTimeout = 10s;
inline constexpr auto kHubHeartbeat = 15s;
/// How long a session that has ended is remembered for its Welcome, and how many are.
inline constexpr auto kResumeWindow = 10min;
inline constexpr std::size_t kEndedSessions = 20'000;
inline constexpr std::size_t kEndedSessionsPerUser = 64;
/// How long a user whose connection has ended may take to be back before watchers are told that they are
/// offline: a page that is loaded again, a phone that changes its network.
inline constexpr auto kPresenceGrace = 5s;
inline constexpr std::size_t kConnectionsPerUser = 16;
inline constexpr std::size_t kGroupsPerConnection = 256;
/// Requests about groups whose answer is missing, and answers that wait behind one, before nothing more is
/// read from the client: four times what a `resume` with all its groups asks for.
inline constexpr std::size_t kGroupAnswers = 4 * kGroupsPerConnection;
/// Requests that one client has asked and that wait for their reply; how long one may wait.
inline constexpr std::size_t kRequestsPerConnection = 256;
/// The same that one client was asked by others and has not answered: sixteen connections' worth, of which
/// one asker may have half.
inline constexpr std::size_t kAskedOfConnection = 4'096;
inline constexpr auto kRequestTimeout = 30s;
inline constexpr auto kMaxRequestTimeout = 5min;
/// Receivers that are reached in one turn of the loop: about half a millisecond of sends.
inline constexpr std::size_t kFanoutSlice = 256;
/// A conversation's messages leave together, at most so long after each other (`./dev bench fanout`).
inline constexpr auto kFanoutTick = 2ms;
/// Clients that are sent away at each sweep, by a hub that shuts down or because their tokens have expired:
/// 10,000 of them in 5 s.
inline constexpr std::size_t kDrainSlice = 100;
/// The longest that a hub which shuts down waits for its clients to go: the 5 s above, and one close
/// handshake.
inline constexpr auto kHubDrainTimeout = 10s;
/// How often slow clients are looked at.
inline constexpr auto kSweep = 50ms;
/// How often their pressure is written down.
inline constexpr auto kPressureInterval = 250ms;

// --- the store ------------------------------------------------------------------------------------------

/// Messages that wait for their commit, those that are being committed included: sixteen commits, so half a
/// second of a disk that takes 30 ms for each.
inline constexpr std::size_t kStoreQueue = 16'384;
inline constexpr Bytes kStoreQueueBytes = 16_MiB;
/// What one sender may have of both: eight times what is free, so that one alone gets eight ninths.
inline constexpr std::uint64_t kStoreQueueWeight = 8;
/// One commit: more save little (a commit costs 4 ms for its fsync and these 5 ms of work) and everybody
/// waits for the last (`./dev bench store`).
inline constexpr std::size_t kCommitMessages = 1'000;
inline constexpr Bytes kCommitBytes = 1_MiB;
/// How long messages wait for each other where no disk sets the pace: a commit costs as much as ten messages
/// in it, and until then they are read from where they wait.
inline constexpr auto kMemoryGather = 10ms;
/// What a row is taken to need beside its texts: its numbers, its entries in two indexes, the cells' headers.
inline constexpr Bytes kRowOverhead = 96_B;
/// Rows that a commit may remove, beside two for each that it adds: 5 ms.
inline constexpr std::size_t kRemovalSlice = 512;
/// Positions that users have acknowledged and no commit has taken along yet; they go with the next commit, or
/// with one of their own after the delay.
inline constexpr std::size_t kWaitingAcknowledgements = 100'000;
inline constexpr auto kAcknowledgementDelay = 200ms;
/// Epochs of which a conversation remembers where they began: a month of daily restarts. 20 bytes each, so
/// that a conversation and its history stay within the KiB of the file that each is counted as.
inline constexpr std::size_t kRememberedEpochs = 32;
/// Openings that a store remembers: ten years of daily restarts, in 64 KiB. Every epoch up to the last that
/// is forgotten is taken for one of its own.
inline constexpr std::size_t kRememberedOpenings = 4'096;
/// How often it is looked for what has expired while nothing else goes on.
inline constexpr auto kExpirySweep = 1s;
/// After a commit that failed: the first pause, and the longest.
inline constexpr auto kStoreRetry = 100ms;
inline constexpr auto kMaxStoreRetry = 5s;
/// A writer and a reader of one process wait for each other for the time of a commit; a backup for longer.
inline constexpr auto kStoreLockWait = std::chrono::milliseconds{5'000};
/// Pages of 4 KiB in the write-ahead log at which they are moved into the file, and at which commits wait for
/// it: 16 MiB, in which most pages of a busy store are written many times; and four times as much.
inline constexpr int kLogPages = 4'096;
inline constexpr int kMaxLogPages = 16'384;
/// What the writer's connection and each reader's may cache.
inline constexpr Bytes kWriterCache = 4_MiB;
inline constexpr Bytes kReaderCache = 2_MiB;
/// The store's own bound unless told otherwise, and the least: below it its own tables would be most of it.
inline constexpr Bytes kStoreBytes = 1024_MiB;
inline constexpr Bytes kMinStoreBytes = 1_MiB;
/// What the file may have above the bound: what commits add before enough has been evicted.
inline constexpr Bytes kStoreSlack = 32_MiB;
/// Conversations whose numbering is remembered without a message in them: 100 MB of rows.
inline constexpr std::size_t kStoredConversations = 1'000'000;
/// Ids that are kept for the next run, at 48 bytes each: those of two shards' memories and some more; and of
/// the store's bound at most one part in so many.
inline constexpr std::size_t kStoredIds = 500'000;
inline constexpr std::uint64_t kStoredIdsPart = 16;
/// A stop that is longer than this is taken for a wrong clock: nobody would want a hub that comes back after
/// it to delete a week's messages at once. What a wall clock may be off, within one look at it (a second),
/// and is still taken for a drift: NTP steps it by less than that where it can slew it (128 ms).
inline constexpr auto kClockJump = 24h;
inline constexpr auto kClockDrift = 2s;
/// How often the store writes down what time it is.
inline constexpr auto kClockRecordEvery = 60s;
/// Conversations of which the log says, within that time, that something of theirs is damaged.
inline constexpr std::size_t kDamagedTold = 64;
inline constexpr auto kDamagedToldEvery = 60s;
/// How long nothing is removed after the database could not be read where it was tried.
inline constexpr auto kRemovalPause = 60s;
/// How often the indexes of a damaged database are made anew: it takes seconds in which nothing is stored.
inline constexpr auto kReindexEvery = 1h;
/// Conversations that one commit forgets at the most.
inline constexpr std::size_t kForgetSlice = 128;
/// Files up to this size are checked as a whole at the start (half a second), of larger ones the small
/// tables.
inline constexpr Bytes kCheckedStore = 256_MiB;
/// How long a conversation's messages are kept unless told otherwise, and how much of them.
inline constexpr auto kKeptFor = std::chrono::hours{24 * 7};
inline constexpr std::uint64_t kKeptMessages = 10'000;
inline constexpr Bytes kKeptBytes = 16_MiB;

// --- who may come, and what an operator may write --------------------------------------------------------

/// Upgrades in a second and at once: a core does 10,000 with TLS in 5 s.
inline constexpr std::uint64_t kAdmissionsPerSecond = 2'000;
inline constexpr std::uint64_t kAdmissionBurst = 2'000;
/// One part in three of both is kept for those that resume a session.
inline constexpr std::uint64_t kAdmissionResumeShare = 3;
/// Between these, at random, comes back who was sent away: 10,000 clients make 1,100 a second of it.
inline constexpr auto kRetryAfterMin = 1s;
inline constexpr auto kRetryAfterMax = 10s;
/// An operator's routes: each publish is held against them in their order.
inline constexpr std::size_t kMaxRoutes = 64;
/// The file of settings: a hundred times a long one. And how many of its problems are told at once.
inline constexpr Bytes kMaxSettingsFile = 1_MiB;
inline constexpr std::size_t kSettingsProblems = 8;

/// The secret of those who administrate: 16 characters are 80 random bits even in base 32.
inline constexpr Bytes kMinAdminToken = 16_B;
/// A change of settings: ten times one that names every key.
inline constexpr Bytes kMaxAdminBody = 64_KiB;
/// Clients in one list, unless told otherwise and at the most: 600 bytes each.
inline constexpr std::size_t kClientsListed = 1'000;
inline constexpr std::size_t kMaxClientsListed = 10'000;
/// What our own client takes of an answer: the longest list, and twice as much.
inline constexpr Bytes kMaxAdminAnswer = 16_MiB;

// --- sockets --------------------------------------------------------------------------------------------

/// What one connection is read at a time before others have their turn: four TLS records. One such buffer for
/// all connections of a shard.
inline constexpr Bytes kSocketReadBuffer = 64_KiB;
/// Messages and control frames of one connection that are handled before other connections have their turn: a
/// read of 64 KiB may hold 4,000 of the shortest, which is 10 ms of work.
inline constexpr std::size_t kFramesPerTurn = 32;
/// Frames that carry no message, in tokens: a control frame costs `kControlFrameCost`, a fragment below
/// `kSmallFragment` costs one. So 20 pings a second and 100 at once, where libraries send one in 5 s or more,
/// and 1,000 small fragments a second.
inline constexpr std::uint64_t kFrameTokensPerSecond = 1'000;
inline constexpr std::uint64_t kFrameTokenBurst = 5'000;
inline constexpr std::uint64_t kControlFrameCost = 50;
inline constexpr Bytes kSmallFragment = 256_B;
/// How often in a row, without having stayed within its rate meanwhile, reading from a connection stops for
/// its control frames before it is disconnected: each stop takes a second.
inline constexpr int kFrameStrikes = 10;
/// Pings in a row without a word from the client at which it is taken for dead.
inline constexpr int kMissedPings = 3;

/// How long a page's handler may take to answer a request: as long as the request may take to come.
inline constexpr auto kPageTimeout = 10s;

// --- one message ----------------------------------------------------------------------------------------

/// A whole envelope from a client, encoded.
inline constexpr Bytes kMaxEnvelope = 64_KiB;
/// What is still read of a welcomed client's envelope, so that its answer can name the message that is too
/// large instead of ending the connection: a text of twice the limit as JSON with every byte escaped. All
/// connections of a user together hold no more of it than their share of the memory.
inline constexpr Bytes kMaxRejectedEnvelope = kMaxEnvelope * 4;
/// The same from the hub: what was Protobuf may go on as JSON, where one byte of a content takes six at the
/// most (\u0001) and one of a name two (\"), and an answer to Who names `kMaxMembersNamed` users.
inline constexpr Bytes kMaxHubEnvelope = 512_KiB;
/// How deep JSON may nest: the schema does six levels, a later one's unknown members may do more.
inline constexpr std::size_t kMaxJsonDepth = 16;
/// Epochs and offsets are stored as SQLite's integers, which have a sign.
inline constexpr std::uint64_t kMaxPosition = std::uint64_t{1} << 62;
/// Epochs that begin with the time are larger than this; hubs of earlier versions counted theirs from 1, and
/// the same number may stand for another history there. A hub that is started every second for 30 years is
/// below.
inline constexpr std::uint64_t kFirstUniqueEpoch = 1'000'000'000;
/// Names of users and groups: two UUIDs with a word in front of each, `tenant:UUID:room:UUID`, take 84; the
/// longest file name and DNS name, which names are often made of, 255.
inline constexpr Bytes kMaxName = 255_B;
/// Ids and keys of messages: twice a UUID. They come with each delivery, and each of these bytes would too.
inline constexpr Bytes kMaxId = 64_B;
/// Texts that explain: as long as a close frame's reason could be, twice.
inline constexpr Bytes kMaxExplanation = 256_B;
/// A JWT with a few dozen groups.
inline constexpr Bytes kMaxToken = 8_KiB;
/// How far the clocks of an issuer and a hub may be apart: RFC 7519 §4.1.4 has "a few minutes" at the most.
inline constexpr auto kTokenSkew = 30s;
/// How long a client whose token has expired may go on listening, unless it comes with another.
inline constexpr auto kCloseExpiredAfter = 30s;
/// In each list of a token's rights: what fits into a token with names of some length.
inline constexpr std::size_t kMaxPatterns = 64;
/// Keys that tokens are checked with: several issuers, each with an old one and a new one. A token without an
/// id may cost a check by each.
inline constexpr std::size_t kMaxKeys = 32;
/// A file of keys: so many of the largest in a JWK set.
inline constexpr Bytes kMaxKeyFileText = 64_KiB;
/// The least by RFC 7518 §3.3; twice the most that anybody uses, so that no check takes long.
inline constexpr int kMinRsaBits = 2'048;
inline constexpr int kMaxRsaBits = 8'192;
/// Positions in a Resume: one for each group that one may be in, and the inbox.
inline constexpr std::size_t kMaxPositions = 257;
inline constexpr std::size_t kMaxMembersNamed = 1'000;  ///< In one answer to Who.
static_assert(kMaxHubEnvelope > (kMaxName * 2 + 3_B) * (kMaxMembersNamed + 1) + 1_KiB);
static_assert(kMaxHubEnvelope > kMaxEnvelope * 6 + kMaxName * 4 + 2_KiB);
inline constexpr std::size_t kPressureSamples = 32;  ///< In one history.

// --- our own clients ------------------------------------------------------------------------------------

/// Publishes that a client keeps until they are answered: a quarter of what the hub lets wait, and as many as
/// leave 5 ms of a commit unnoticed at 50,000/s.
inline constexpr std::size_t kClientUnanswered = 256;
inline constexpr Bytes kClientUnansweredBytes = 1_MiB;
/// What a delivery has beside its content: two names of 255 bytes, three ids and keys of 64, and the numbers.
inline constexpr Bytes kEnvelopeNames{1'024};
static_assert(kEnvelopeNames >= kMaxName * 2 + kMaxId * 3 + 128_B);
/// Names of conversations in a `resume`, with their positions: what does not fit is joined by itself. With
/// two tokens it stays under `kMaxEnvelope`.
inline constexpr Bytes kResumePositions = 44_KiB;
static_assert(kResumePositions + kMaxToken * 2 + kMaxName * 2 + kMaxExplanation + 1_KiB < kMaxEnvelope);
/// What a `publish` has in Protobuf beside its content, names, ids and keys: nine tags and lengths, a number
/// of 64 bits, two of 32.
inline constexpr Bytes kPublishNumbers{64};
/// Deliveries after which they are acknowledged, and the time: far below the hub's two seconds.
inline constexpr std::size_t kClientAckEvery = 64;
inline constexpr auto kClientAckAfter = 50ms;
/// Events that wait for their owner before nothing more is read.
inline constexpr std::size_t kClientEvents = 1'024;
/// Holes in a conversation that a client keeps apart, and gaps that it pulls.
inline constexpr std::size_t kClientHoles = 64;
/// Messages that a client knows again when a hub that was killed numbers them anew: what 16 senders may have
/// unanswered.
inline constexpr std::size_t kClientRecent = 4'096;
/// A connection that lasted so long was a good one: the pauses between attempts begin anew.
inline constexpr auto kClientSettled = 10s;
/// Before a pull is tried again that came too early.
inline constexpr auto kClientPullPause = 100ms;

// --- load runs ------------------------------------------------------------------------------------------

/// What a client has to send and its connection does not take, before it sends nothing more.
inline constexpr Bytes kLoadBacklog = 64_KiB;
/// What the system keeps for a client that is to be slow: it doubles it, and takes no less.
inline constexpr Bytes kLoadSlowBuffer = 4_KiB;
/// For all clients to come in, or back.
inline constexpr auto kLoadConnect = 60s;
/// For what was sent last to come: twice a slow client's usual rest.
inline constexpr auto kLoadSettle = 10s;
/// For the connections to close in good order.
inline constexpr auto kLoadClose = 200ms;

}  // namespace sluice::limits
