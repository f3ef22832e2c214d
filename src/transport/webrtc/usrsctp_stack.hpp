#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace sluice::webrtc {

/// Who gets the packets that the stack makes for one address.
class UsrsctpPort {
 public:
  virtual ~UsrsctpPort() = default;
  /// One packet with room for its checksum, which the stack leaves to us. From inside calls into the stack:
  /// it may not be called.
  virtual void on_packet(ByteSpan packet) = 0;
};

/// The usrsctp library, of which a process has one: its settings, its clock, and whose packets are whose.
///
/// Alive as long as somebody holds it, then ended. All its users share one thread; it has none of its own.
class UsrsctpStack {
 public:
  /// The one stack, set up when nobody held it.
  [[nodiscard]] static std::shared_ptr<UsrsctpStack> acquire();
  UsrsctpStack(const UsrsctpStack&) = delete;
  UsrsctpStack& operator=(const UsrsctpStack&) = delete;
  ~UsrsctpStack();

  /// Runs what is due in all associations of the process; wants to be called every `limits::kSctpTick`.
  /// Several callers do no harm: the time that has passed is counted once.
  void handle_timers(TimePoint now);

  /// Gives out an address that no one else has, and sends its packets to `port` until `remove`.
  [[nodiscard]] void* add(UsrsctpPort& port);
  void remove(void* address);

 private:
  struct Entry {
    std::uintptr_t address;
    UsrsctpPort* port;
  };
  UsrsctpStack();
  static int output(void* address, void* packet, std::size_t size, std::uint8_t tos,
                    std::uint8_t dont_fragment);

  std::vector<Entry> entries_;  ///< One for each association: few.
  std::uintptr_t last_address_ = 0;
  std::optional<TimePoint> ran_at_;
};

}  // namespace sluice::webrtc
