#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "peer/tunnel/socket.hpp"
#include "timeline.hpp"

namespace sluice::sim {

/// What an application at one end of a tunnelled socket does.
struct AppPlan {
  std::uint64_t sends = 0;                                                      ///< Bytes.
  enum class Ending : std::uint8_t { fin, reset, never } ending = Ending::fin;  ///< After them.
  std::size_t chunk = 4096;                 ///< Most that it writes or reads at once,
  Duration pause{};                         ///< and how long it waits at the most in between.
  std::uint64_t stalls_after = UINT64_MAX;  ///< Reads so much, then nothing
  Duration stall{};                         ///< for so long; `Duration::max()`: for ever.
  std::optional<Duration> breaks_off;       ///< Resets its socket at this time after its start.
  std::size_t kernel_buffer = 16 * 1024;    ///< Each way.
};

/// An application, its kernel's buffers, and the socket through which a tunnel speaks with it.
///
/// No byte is stored: what is read from a socket is made from its place, what is written to it is compared at
/// once.
class SimulatedApp : public std::enable_shared_from_this<SimulatedApp> {
 public:
  struct Directions {
    std::uint32_t sends;
    std::uint32_t receives;
  };
  SimulatedApp(Timeline& timeline, Dice& dice, AppPlan plan, Directions directions)
      : timeline_(timeline), dice_(dice), plan_(plan), directions_(directions) {}

  /// The tunnel's side of the connection; once. The reports go to the session.
  struct Reports {
    std::function<void()> readable;
    std::function<void()> writable;
  };
  std::unique_ptr<tunnel::Socket> connect();
  void report_to(Reports reports) { reports_ = std::move(reports); }
  void start();

  // What a run checks when all is over.
  [[nodiscard]] std::uint64_t read_by_tunnel() const { return taken_; }
  [[nodiscard]] std::uint64_t written_by_tunnel() const { return given_; }
  [[nodiscard]] bool corrupt() const { return corrupt_; }
  [[nodiscard]] bool saw_end() const { return shut_; }  ///< The tunnel ended its direction in good order.
  enum class TunnelEnd : std::uint8_t { none, closed, reset };
  [[nodiscard]] TunnelEnd tunnel_end() const { return tunnel_end_; }
  [[nodiscard]] bool broke_off() const { return broken_; }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] const AppPlan& plan() const { return plan_; }
  /// The tunnel misused the socket: touched it after its end, or shut it twice.
  [[nodiscard]] bool misused() const { return misused_; }

 private:
  class End;
  void act();
  void act_later();
  void break_off();
  void tell_readable();
  void tell_writable();

  tunnel::Transfer read_some(ByteSpan into);
  tunnel::Transfer write_some(ByteView from);
  void shutdown_send();
  void end(TunnelEnd how);

  Timeline& timeline_;
  Dice& dice_;
  AppPlan plan_;
  Directions directions_;
  Reports reports_;
  TimePoint stalled_until_{};
  std::uint64_t sent_ = 0;   // by the application, into the kernel
  std::uint64_t taken_ = 0;  // by the tunnel, of it
  std::uint64_t given_ = 0;  // by the tunnel, into the kernel
  std::uint64_t read_ = 0;   // by the application, of it
  bool ended_sending_ = false;
  bool broken_ = false;
  bool shut_ = false;
  bool connected_ = false;
  bool acting_ = false;
  bool corrupt_ = false;
  bool misused_ = false;
  bool readable_armed_ = false;
  bool writable_armed_ = false;
  TunnelEnd tunnel_end_ = TunnelEnd::none;
};

}  // namespace sluice::sim
