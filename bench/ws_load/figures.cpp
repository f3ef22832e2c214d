#include "bench/ws_load/figures.hpp"

#include <algorithm>
#include <stdexcept>

namespace sluice::ws_load {

CpuClock::CpuClock(pid_t process) {
  if (::clock_getcpuclockid(process, &clock_) != 0) throw std::runtime_error{"there is no such process"};
  begin_ = seconds();
}

double CpuClock::seconds() const {
  timespec time{};
  if (::clock_gettime(clock_, &time) != 0) throw std::runtime_error{"the server has ended"};
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9 - begin_;
}

double Latencies::percentile_ms(double part) {
  if (us_.empty()) return 0;
  const auto at = us_.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(us_.size() - 1));
  std::ranges::nth_element(us_, at);
  return *at / 1e3;
}

}  // namespace sluice::ws_load
