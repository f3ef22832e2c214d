#include "transport/webrtc/usrsctp_stack.hpp"

#include <algorithm>
#include <chrono>

#include <usrsctp.h>

#include "core/ensure.hpp"
#include "core/limits.hpp"

namespace sluice::webrtc {
namespace {

using std::chrono::milliseconds;

/// The stack that there is, if any. One thread uses it, so this needs no lock.
std::weak_ptr<UsrsctpStack>& current() {
  static std::weak_ptr<UsrsctpStack> stack;
  return stack;
}
/// What `output` looks in; apart from the above, since packets still go out while the last owner lets go.
UsrsctpStack* routing = nullptr;
/// The library refused to end and is still set up.
bool left_running = false;

/// Rounds of its clock given to the library to let go of what is left: most of it goes in the first.
constexpr int kFinishRounds = 100;

/// Segments that one acknowledgement may release at once; more overruns socket buffers on the way, less
/// starves (measured together with the initial window).
constexpr std::uint32_t kBurst = 10;
/// Chunks in a send or receive queue: 4 MiB of full segments five times over, bounding small messages
/// instead.
constexpr std::uint32_t kMaxChunks = 20480;

void configure() {
  usrsctp_enable_crc32c_offload();
  usrsctp_sysctl_set_sctp_ecn_enable(0);
  usrsctp_sysctl_set_sctp_asconf_enable(0);
  usrsctp_sysctl_set_sctp_auth_enable(0);
  usrsctp_sysctl_set_sctp_pr_enable(1);  // RFC 8831 §5 requires it to be offered.
  usrsctp_sysctl_set_sctp_max_chunks_on_queue(kMaxChunks);
  usrsctp_sysctl_set_sctp_max_burst_default(kBurst);
  usrsctp_sysctl_set_sctp_fr_max_burst_default(kBurst);
  // A SACK for every second packet or after 20 ms.
  usrsctp_sysctl_set_sctp_sack_freq_default(2);
  usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
  // No limit to how often one chunk is sent again: otherwise a burst of drops in the kernel aborts the
  // association.
  usrsctp_sysctl_set_sctp_max_retran_chunk(0);
}

}  // namespace

std::shared_ptr<UsrsctpStack> UsrsctpStack::acquire() {
  std::shared_ptr<UsrsctpStack> stack = current().lock();
  if (stack == nullptr) {
    stack = std::shared_ptr<UsrsctpStack>{new UsrsctpStack};
    current() = stack;
  }
  return stack;
}

UsrsctpStack::UsrsctpStack() {
  ENSURE(routing == nullptr);
  routing = this;
  if (!left_running) usrsctp_init_nothreads(0, &UsrsctpStack::output, nullptr);
  left_running = false;
  configure();
}

UsrsctpStack::~UsrsctpStack() {
  ENSURE(entries_.empty());
  int round = 0;
  while (usrsctp_finish() != 0 && ++round < kFinishRounds) {
    usrsctp_handle_timers(static_cast<std::uint32_t>(milliseconds{limits::kSctpTick}.count()));
  }
  left_running = round == kFinishRounds;
  routing = nullptr;
}

void UsrsctpStack::handle_timers(TimePoint now) {
  if (!ran_at_.has_value()) ran_at_ = now;
  const auto elapsed = std::chrono::floor<milliseconds>(now - *ran_at_);
  if (elapsed <= milliseconds::zero()) return;
  *ran_at_ += elapsed;
  usrsctp_handle_timers(static_cast<std::uint32_t>(elapsed.count()));
}

void* UsrsctpStack::add(UsrsctpPort& port) {
  entries_.push_back({.address = ++last_address_, .port = &port});
  void* address = reinterpret_cast<void*>(last_address_);  // Only ever compared, by the library too.
  usrsctp_register_address(address);
  return address;
}

void UsrsctpStack::remove(void* address) {
  usrsctp_deregister_address(address);
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.address == reinterpret_cast<std::uintptr_t>(address);
  });
}

int UsrsctpStack::output(void* address, void* packet, std::size_t size, std::uint8_t /*tos*/,
                         std::uint8_t /*dont_fragment*/) {
  if (routing == nullptr) return 0;
  for (const Entry& entry : routing->entries_) {
    if (entry.address != reinterpret_cast<std::uintptr_t>(address)) continue;
    entry.port->on_packet(ByteSpan{static_cast<std::byte*>(packet), size});
    break;
  }
  return 0;
}

}  // namespace sluice::webrtc
