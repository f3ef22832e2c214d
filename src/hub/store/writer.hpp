#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/time.hpp"
#include "hub/store/acknowledgements.hpp"
#include "hub/store/append_queue.hpp"
#include "hub/store/damage.hpp"
#include "hub/store/expiry_clock.hpp"
#include "hub/store/folder.hpp"
#include "hub/store/log_writer.hpp"
#include "hub/store/schema.hpp"
#include "hub/store/store.hpp"

namespace sluice::hub::store {

/// The store's thread and what others leave for it.
///
/// `mutex_` guards the queue, the books, the bound and the health; the database and its writer belong to the
/// thread. Never held while the disk is waited for, nor while `on_stored` is called.
class Store::Writer {
 public:
  static Result<std::unique_ptr<Writer>> open(StoreOptions options);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  [[nodiscard]] std::uint64_t epoch() const { return epochs_.present(); }
  [[nodiscard]] Status append(Append append);
  void acknowledge(Mark mark);
  void set_bound(Bytes bound);
  [[nodiscard]] Reader::Source source() const;
  [[nodiscard]] UnixMs time() const { return clock_.now(options_.clocks()); }
  /// When the run before this one ended, by `time`.
  [[nodiscard]] UnixMs ended_before() const { return ended_before_; }
  [[nodiscard]] Health health() const;
  [[nodiscard]] Books books() const;
  [[nodiscard]] bool at_rest() const;  ///< Nothing waits and no commit goes on.

 private:
  /// What is made before its thread begins.
  struct Parts {
    StoreOptions options;
    Folder folder;
    OpenedDatabase opened;
    std::unique_ptr<Damage> damage;
    LogWriter log;
    ExpiryClock clock;
    UnixMs ended_before;
    std::uint64_t rows;
  };
  explicit Writer(Parts parts);

  void run();
  [[nodiscard]] bool wait_for_work(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] std::optional<TimePoint> next_turn() const;
  [[nodiscard]] bool appends_due(TimePoint now) const;
  struct Task {
    Batch batch;
    Health before;  ///< Of the store.
    Bytes bound;    ///< That is wanted.
  };
  [[nodiscard]] Result<Applied> carry_out(Task& task);
  void settle(Batch batch, Result<Applied> applied);
  void enter(const Batch& batch, const Applied& applied);
  void note_success();
  void note_failure(Error error);
  void hand_over(const Batch& batch, const Result<Applied>& applied) const;
  void keep_log_short();
  [[nodiscard]] ClockRecord look_at_clocks();
  void record_end();

  StoreOptions options_;
  Folder folder_;
  KnownEpochs epochs_;
  sqlite::Database database_;
  std::unique_ptr<Damage> damage_;
  LogWriter log_;
  UnixMs ended_before_;
  const ExpiryClock clock_;
  ExpiryClock watched_;  ///< The same, for jumps: the thread's.
  UnixMs recorded_at_;   ///< The thread's: what the file has of the time.
  Acknowledgements acknowledgements_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  AppendQueue queue_;
  Books books_;
  Health health_;
  Duration pause_{};                            ///< After the failure that was last.
  TimePoint retry_at_{};                        ///< While it fails: nothing is tried before.
  std::optional<TimePoint> acknowledged_at_{};  ///< The oldest mark that waits.
  TimePoint appended_at_{};                     ///< The oldest append that waits, when one does.
  TimePoint sweep_at_{};
  Bytes bound_;        ///< That is wanted; the log has it from the next turn on.
  bool more_ = false;  ///< The last slice left something over.
  bool committing_ = false;
  bool stopping_ = false;

  std::thread thread_;  ///< Last: it begins when everything else is there.
};

}  // namespace sluice::hub::store
