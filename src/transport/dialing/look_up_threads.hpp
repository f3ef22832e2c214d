#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "core/tunnel_limits.hpp"

namespace sluice::dialing {

/// Threads for calls that block and that nothing can interrupt: getaddrinfo(3) takes up to 40 s where no name
/// server answers.
///
/// A thread is made when a job comes and none is idle, up to `most`; further jobs wait, up to
/// `limits::kLookUpsWaiting`. What jobs bring goes through `Delivery`, which is shut when this is destroyed:
/// idle threads have ended by then, and those in the middle of a call end by themselves and bring nothing.
class LookUpThreads {
 public:
  /// Where a job's result goes. Any thread.
  class Delivery {
   public:
    /// Calls `hand_over`, unless the threads' owner is gone; that cannot go meanwhile.
    void operator()(const std::function<void()>& hand_over) const;

   private:
    friend class LookUpThreads;
    struct State;
    explicit Delivery(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
  };
  using Job = std::move_only_function<void(const Delivery&)>;

  explicit LookUpThreads(std::size_t most = limits::kLookUpThreads);
  LookUpThreads(const LookUpThreads&) = delete;
  LookUpThreads& operator=(const LookUpThreads&) = delete;
  ~LookUpThreads();

  enum class Taken : std::uint8_t { yes, too_many };
  /// Runs the job soon, in one of the threads.
  [[nodiscard]] Taken run(Job job);

 private:
  std::shared_ptr<Delivery::State> state_;
};

}  // namespace sluice::dialing
