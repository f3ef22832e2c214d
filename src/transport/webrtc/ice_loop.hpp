#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

using GMainContext = struct _GMainContext;
using GMainLoop = struct _GMainLoop;

namespace sluice::webrtc {

/// The GLib main loop that libnice runs on: one thread for the whole process, which does nothing but ICE.
///
/// Started by the first agent, stopped and joined when the process ends, after the agents that are still
/// giving back their TURN allocations have done so or half a second has passed.
class IceLoop {
 public:
  static IceLoop& instance();

  IceLoop(const IceLoop&) = delete;
  IceLoop& operator=(const IceLoop&) = delete;
  ~IceLoop();

  [[nodiscard]] GMainContext* context() const { return context_; }

  /// Runs `task` on the loop's thread, in the order of the calls. Any thread.
  void post(std::move_only_function<void()> task);

  /// Counts the agents that the loop must outlive.
  void agent_made();
  void agent_gone();

 private:
  IceLoop();

  GMainContext* context_;
  GMainLoop* loop_;
  std::mutex mutex_;
  std::condition_variable none_left_;
  std::size_t agents_ = 0;
  std::thread thread_;
};

}  // namespace sluice::webrtc
