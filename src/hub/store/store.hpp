#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/hub_limits.hpp"
#include "core/time.hpp"
#include "crypto/secret.hpp"
#include "hub/store/expiry_clock.hpp"
#include "hub/store/message.hpp"
#include "hub/store/reader.hpp"

namespace sluice::hub::store {

/// Milliseconds since 1970 by the system's clock.
[[nodiscard]] UnixMs system_time();
/// The system's clock, and the time since the machine was started, suspends included.
[[nodiscard]] ClockReading system_clocks();
[[nodiscard]] std::uint64_t system_random();
/// The built-in retention, the same for all.
[[nodiscard]] Retention default_retention(const Conversation& of);

/// The outcomes of one commit for one shard, in the order of its appends. Called on the store's thread: it
/// posts them to the shard and returns; it does not throw, wait, or call the store.
using OnStored = std::function<void(std::uint32_t shard, std::vector<Completion> completions)>;

struct QueueLimits {
  std::size_t messages;
  Bytes bytes;
};

struct StoreOptions {
  std::string folder;  ///< `kInMemory`: nothing is kept beyond the store's end.
  OnStored on_stored;
  /// Called on the store's thread for each message that comes; it may change its mind.
  RetentionOf retention = default_retention;
  std::function<ClockReading()> clocks = system_clocks;  ///< From any thread.
  /// Uniform bits, for the epoch.
  std::function<std::uint64_t()> random = system_random;
  /// What the database may hold before the oldest messages of all are evicted; at least
  /// `limits::kMinStoreBytes`. The file itself takes `limits::kStoreSlack` more at the most (than it has,
  /// where that is more than the bound), and its log beside it what `limits::kMaxLogPages` are and one
  /// commit.
  Bytes bound = limits::kStoreBytes;
  /// How many conversations without a message are remembered; with a small `bound` it is one for each KiB.
  std::size_t conversations = limits::kStoredConversations;
  QueueLimits queue{.messages = limits::kStoreQueue, .bytes = limits::kStoreQueueBytes};
  /// How long an append waits for others to share its commit, unless they fill it. A disk makes them wait by
  /// itself.
  Duration gather{};
  /// How long what a user has acknowledged is kept all the same: what was dropped for them before it can be
  /// pulled that long.
  std::chrono::milliseconds grace = std::chrono::minutes{5};
};

/// The hub's messages on a disk (SQLite): inboxes, logs of groups, the log of all. docs/store.md tells what
/// it promises.
///
/// One thread of its own writes. Everything that waits goes into one transaction, which is synced before
/// anybody is told; what comes meanwhile goes into the next. All calls are safe from any thread unless they
/// say otherwise and, but for those that say so, never wait for the disk. Queues are bounded by
/// `StoreOptions::queue` and `limits::kWaitingAcknowledgements`. A commit that fails fails its messages, with
/// the reason; the next is tried after a pause (`limits::kStoreRetry`, doubled up to `kMaxStoreRetry`), in
/// which appends are refused.
class Store {
 public:
  /// Waits for the disk. Errors: those of `Folder::hold` and `open_database`.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(StoreOptions options);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  /// Commits what waits and tells its outcome, then ends the thread. No reader may be left.
  ~Store();

  /// The number of this run: every opening of any store has one of its own, larger than all that this one has
  /// had
  /// (`next_epoch`).
  [[nodiscard]] std::uint64_t epoch() const;

  /// Its outcome comes through `on_stored`. Errors, after which none comes: `busy` (as much waits as may: try
  /// later), `io` (the store has just failed, with the reason: try later).
  [[nodiscard]] Status append(Append append);
  /// The time by which messages expire, in milliseconds: about that of the system's clock, but it goes on
  /// evenly where that one is set (`ExpiryClock`).
  [[nodiscard]] UnixMs time() const;
  /// The ids of what the runs before have stored last, the oldest first: those that were younger than
  /// `limits::kDedupAge` when the last of them ended, within `limits::kStoredIds`. Waits for the disk: for
  /// the start.
  [[nodiscard]] Result<std::vector<RememberedId>> remembered() const;

  /// A device of the user's (empty: a client that names none) has everything up to there. Messages that all
  /// devices have may go. Stored with the next commit, or with one of its own after
  /// `limits::kAcknowledgementDelay`. A position behind a later one changes nothing but that the device is
  /// known.
  void acknowledge(const Conversation& inbox, Position up_to, std::string_view device = {});

  /// `StoreOptions::bound` from the next commit on, which comes at once. Where it is lowered the oldest
  /// messages are evicted, in slices between which others are stored; the file stays as large as it is.
  void set_bound(Bytes bound);

  /// For one thread of the caller's; the store outlives it. Waits for the disk.
  [[nodiscard]] Result<Reader> open_reader() const;
  /// Random bytes that are made at the first call for that name and are the same ever after. Waits for the
  /// disk: for the start.
  [[nodiscard]] Result<crypto::Secret<32>> secret(std::string_view name);

  [[nodiscard]] Health health() const;
  [[nodiscard]] Books books() const;
  /// Whether the books balance and the database holds what they say. Waits for the disk, a second for each
  /// million messages: for shutdowns and tests. Errors: `malformed`, with the difference.
  [[nodiscard]] Status check_books() const;

 private:
  class Writer;
  explicit Store(std::unique_ptr<Writer> writer);

  std::unique_ptr<Writer> writer_;
};

}  // namespace sluice::hub::store
