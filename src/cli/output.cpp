#include "cli/output.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

#include <climits>

namespace sluice::cli {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

/// An error counts as room: the write then tells it, without waiting.
bool has_room(int descriptor, steady_clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
    const int found = ::poll(&ready, 1, static_cast<int>(std::max(0ms, left).count()));
    if (found >= 0 || errno != EINTR) return found != 0;
  }
}

}  // namespace

bool Output::write(std::string_view text, std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  std::string whole{torn_ ? "\n" : ""};
  whole += text;
  std::string_view left = whole;
  while (!left.empty() && has_room(descriptor_, deadline)) {
    const ssize_t took = ::write(descriptor_, left.data(), std::min<std::size_t>(left.size(), PIPE_BUF));
    if (took > 0) left.remove_prefix(static_cast<std::size_t>(took));
    if (took < 0 && errno != EINTR) break;
  }
  if (left.size() < whole.size()) torn_ = !left.empty();
  return left.empty();
}

bool Output::takes_more() const {
  return has_room(descriptor_, steady_clock::now());
}

bool Output::is_terminal() const {
  return ::isatty(descriptor_) == 1;
}

std::size_t Output::columns() const {
  winsize size{};
  constexpr std::size_t kUsual = 80;
  return ::ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace sluice::cli
