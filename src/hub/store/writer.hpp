#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/time.hpp"
#include "hub/store/acknowledgements.hpp"
#include "hub/store/append_queue.hpp"
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

  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] Status append(Append append);
  void acknowledge(Mark mark);
  void set_bound(Bytes bound);
  [[nodiscard]] Reader::Source source() const;
  [[nodiscard]] Health health() const;
  [[nodiscard]] Books books() const;
  [[nodiscard]] bool at_rest() const;  ///< Nothing waits and no commit goes on.

 private:
  Writer(StoreOptions options, Folder folder, OpenedDatabase opened, LogWriter log, std::uint64_t rows);

  void run();
  [[nodiscard]] bool wait_for_work(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] std::optional<TimePoint> next_turn() const;
  [[nodiscard]] bool appends_due(TimePoint now) const;
  struct Task {
    Batch batch;
    Health before;  ///< Of the store.
    Bytes bound;    ///< That is wanted.
  };
  [[nodiscard]] Result<Applied> carry_out(const Task& task);
  void settle(Batch batch, Result<Applied> applied);
  void enter(const Batch& batch, const Applied& applied);
  void note_success();
  void note_failure(Error error);
  void hand_over(const Batch& batch, const Result<Applied>& applied) const;
  void keep_log_short();

  StoreOptions options_;
  Folder folder_;
  std::uint64_t epoch_;
  sqlite::Database database_;
  LogWriter log_;
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
