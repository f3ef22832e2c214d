#include "api/process_figures.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace sluice::api {
namespace {

/// proc(5): the second figure of statm is the resident set, in pages.
std::optional<Bytes> resident() {
  std::ifstream statm{"/proc/self/statm"};
  std::uint64_t size = 0;
  std::uint64_t pages = 0;
  if (!(statm >> size >> pages)) return std::nullopt;
  return Bytes{pages} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator first{"/proc/self/fd", error};
  if (error) return std::nullopt;
  const auto entries = std::distance(begin(first), end(first));
  return static_cast<std::uint64_t>(entries - 1);  // without the one that this reads
}

std::optional<std::uint64_t> max_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return limit.rlim_cur;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::optional<double> cpu_seconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return std::nullopt;
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

ProcessFigures process_figures() {
  return {.resident = resident(),
          .open_descriptors = open_descriptors(),
          .max_descriptors = max_descriptors(),
          .cpu_seconds = cpu_seconds()};
}

}  // namespace sluice::api
