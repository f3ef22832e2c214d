#include "peer/tunnel/unix_path.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace sluice::tunnel {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kLongestPath = sizeof(sockaddr_un{}.sun_path) - 1;
/// How soon a socket whose backlog is full is tried again: the system tells nobody when it no longer is.
constexpr auto kBacklogPause = std::chrono::milliseconds{20};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), kLongestPath));
  return address;
}

/// 0, or why not.
int connect_to(int descriptor, const std::string& path) {
  const sockaddr_un address = address_of(path);
  const auto* const general = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(descriptor, general, sizeof address) == 0 ? 0 : errno;
}

DialFailure failure_of(const std::string& path, int error) {
  using wire::CloseReason;
  CloseReason reason = CloseReason::unreachable;
  if (error == ECONNREFUSED || error == ENOENT) reason = CloseReason::dial_failed;
  if (error == EAGAIN) reason = CloseReason::dial_timed_out;
  if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
    reason = CloseReason::limit_reached;
  return {.reason = reason, .text = fmt::format("unix:{}: {}", path, std::generic_category().message(error))};
}

/// Or why not. The system connects it at once or not at all: nothing travels.
std::expected<StreamSocket, int> try_unix(const asio::any_io_executor& executor, const std::string& path) {
  asio::local::stream_protocol::socket socket{executor};
  boost::system::error_code error;
  socket.open(asio::local::stream_protocol{}, error);
  if (!error) socket.native_non_blocking(true, error);
  if (error) return std::unexpected(error.value());
  if (const int failed = connect_to(socket.native_handle(), path); failed != 0)
    return std::unexpected(failed);
  return StreamSocket{std::move(socket)};
}

/// A socket's file at which nobody listens.
bool is_stale(const std::string& path) {
  struct stat about{};
  if (::lstat(path.c_str(), &about) != 0 || !S_ISSOCK(about.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const int error = connect_to(probe, path);
  ::close(probe);
  return error == ECONNREFUSED;
}

/// 0, or why not. With mode 0600 from the first moment on; no other thread makes files at that time.
int bind_privately(int descriptor, const std::string& path) {
  const sockaddr_un address = address_of(path);
  const mode_t before = ::umask(0177);
  const int failed = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = failed == 0 ? 0 : errno;
  ::umask(before);
  return error;
}

Errc code_of(int error) {
  if (error == EADDRINUSE) return Errc::address_in_use;
  if (error == EACCES || error == EPERM) return Errc::permission_denied;
  return error == ENOENT || error == ENOTDIR ? Errc::not_found : Errc::io;
}

}  // namespace

Status check_unix_path(const std::string& path) {
  if (path.empty()) return fail(Errc::invalid_argument, "a Unix socket has no path: write unix:/path");
  if (path.find('\0') != std::string::npos)
    return fail(Errc::invalid_argument, "a Unix socket's path has a NUL in it");
  if (path.size() <= kLongestPath) return {};
  return fail(Errc::invalid_argument,
              fmt::format("the path of the Unix socket {} has {} bytes: the system takes {} at most", path,
                          path.size(), kLongestPath));
}

asio::awaitable<std::expected<StreamSocket, DialFailure>> connect_unix(Dial& dial, std::string path,
                                                                       Duration limit) {
  const TimePoint until = Clock::now() + limit;
  const auto executor = co_await asio::this_coro::executor;
  while (!dial.given_up()) {
    auto connected = try_unix(executor, path);
    if (connected) co_return std::move(*connected);
    const int failed = connected.error();
    if (failed != EAGAIN || Clock::now() >= until) co_return std::unexpected(failure_of(path, failed));
    co_await dial.pause_until(Clock::now() + kBacklogPause);
  }
  co_return std::unexpected(DialFailure{.reason = wire::CloseReason::dial_timed_out,
                                        .text = fmt::format("unix:{}: nobody wants it any more", path)});
}

Result<BoundUnixPath> BoundUnixPath::bind(int descriptor, std::string path) {
  int error = bind_privately(descriptor, path);
  if (error == EADDRINUSE && is_stale(path) && ::unlink(path.c_str()) == 0)
    error = bind_privately(descriptor, path);
  if (error != 0) {
    return fail(code_of(error), fmt::format("cannot listen on unix:{}: {}", path,
                                            error == EADDRINUSE ? "somebody listens there, or it is no socket"
                                                                : std::generic_category().message(error)));
  }
  struct stat about{};
  BoundUnixPath bound{std::move(path)};
  if (::lstat(bound.path_.c_str(), &about) == 0) {
    bound.device_ = about.st_dev;
    bound.inode_ = about.st_ino;
  }
  return bound;
}

BoundUnixPath::BoundUnixPath(BoundUnixPath&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

BoundUnixPath::~BoundUnixPath() {
  struct stat about{};
  if (path_.empty() || ::lstat(path_.c_str(), &about) != 0) return;
  if (about.st_dev == device_ && about.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace sluice::tunnel
