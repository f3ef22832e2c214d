#include "transport/dialing/look_up_threads.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace sluice::dialing {
namespace {

/// How long a thread without work stays: names are looked up in bursts.
constexpr std::chrono::seconds kIdle{10};

}  // namespace

/// Shared by the owner and the threads, which may outlive it.
struct LookUpThreads::Delivery::State {
  explicit State(std::size_t most_threads) : most(most_threads) {}

  const std::size_t most;
  std::mutex mutex;
  std::condition_variable work;  ///< A job has come, or the owner goes.
  std::condition_variable left;  ///< An idle thread has ended.
  std::deque<Job> jobs;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool shut = false;

  static void serve(const std::shared_ptr<State>& self);
};

void LookUpThreads::Delivery::operator()(const std::function<void()>& hand_over) const {
  const std::scoped_lock lock{state_->mutex};
  if (!state_->shut) hand_over();
}

void LookUpThreads::Delivery::State::serve(const std::shared_ptr<State>& self) {
  std::unique_lock lock{self->mutex};
  for (;;) {
    ++self->idle;
    const bool woken =
        self->work.wait_for(lock, kIdle, [&self] { return self->shut || !self->jobs.empty(); });
    --self->idle;
    if (!woken || self->shut) break;
    Job job = std::move(self->jobs.front());
    self->jobs.pop_front();
    lock.unlock();
    job(Delivery{self});
    job = {};
    lock.lock();
  }
  --self->threads;
  self->left.notify_all();
}

LookUpThreads::LookUpThreads(std::size_t most) : state_(std::make_shared<Delivery::State>(most)) {}

LookUpThreads::~LookUpThreads() {
  std::unique_lock lock{state_->mutex};
  state_->shut = true;
  state_->jobs.clear();
  state_->work.notify_all();
  state_->left.wait(lock, [this] { return state_->idle == 0; });
}

LookUpThreads::Taken LookUpThreads::run(Job job) {
  Delivery::State& state = *state_;
  const std::scoped_lock lock{state.mutex};
  if (state.jobs.size() >= limits::kLookUpsWaiting) return Taken::too_many;
  state.jobs.push_back(std::move(job));
  if (state.idle < state.jobs.size() && state.threads < state.most) {
    try {
      // Detached, since a call that hangs must not hold up the process's end. What it uses it owns a share
      // of.
      std::thread{&Delivery::State::serve, state_}.detach();
      ++state.threads;
    } catch (const std::system_error&) {  // no memory or no thread left: those that there are take turns
      if (state.threads == 0) {
        state.jobs.pop_back();
        return Taken::too_many;
      }
    }
  }
  state.work.notify_one();
  return Taken::yes;
}

}  // namespace sluice::dialing
