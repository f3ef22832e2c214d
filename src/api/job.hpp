#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "api/stage.hpp"
#include "api/tunnel_status.hpp"
#include "core/limits.hpp"

namespace sluice::api {

/// Something that runs on its shard until it has nothing more to do, fails, or is told to stop: a hub, a
/// host, a forward.
class Job {
 public:
  virtual ~Job() = default;

  /// Runs to the end: nothing when it ended in good order, else why it failed. Called once, by a task that
  /// outlives it.
  virtual boost::asio::awaitable<std::optional<Failure>> run() = 0;

  /// Asks it to end in good order: what is under way is drained, as `ending` says, then `run` returns. More
  /// calls change nothing.
  virtual void stop() = 0;

  /// What happens between `stop` and the end of `run`, for a person who waits for it, and for how long at the
  /// most; zero: it does not take long.
  struct Ending {
    std::string_view what;
    std::chrono::seconds limit{};
  };
  [[nodiscard]] virtual Ending ending() const {
    return {.what = "open streams may finish",
            .limit = std::chrono::duration_cast<std::chrono::seconds>(limits::kDrainTimeout)};
  }

  /// Asks it to read its settings again. False: it has none to read, so that the hang-up means the end.
  virtual bool reload() { return false; }

  /// How it goes now; nothing when there is nothing to tell.
  [[nodiscard]] virtual std::optional<TunnelStatus> status() const = 0;
};

}  // namespace sluice::api
