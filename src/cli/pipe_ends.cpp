#include "cli/pipe_ends.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <climits>

namespace sluice::cli {
namespace {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// One of our own for the same file, which may be closed.
int duplicate(int descriptor) {
  const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own == -1) throw std::system_error(errno, std::generic_category(), "cannot use a standard stream");
  return own;
}

/// Regular files cannot be waited for (epoll_ctl(2), EPERM), and need not be: they are always ready.
asio::awaitable<void> wait(stream_descriptor& descriptor, stream_descriptor::wait_type kind) {
  const auto [error] = co_await descriptor.async_wait(kind, kAwait);
  if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
}

bool has_room(int descriptor) {
  pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
  return ::poll(&ready, 1, 0) > 0;
}

}  // namespace

LineReader::LineReader(const asio::any_io_executor& executor, int descriptor, Bytes longest)
    : descriptor_(executor, duplicate(descriptor)), longest_(longest) {}

asio::awaitable<Result<std::optional<std::string>>> LineReader::next() {
  const auto too_long = [this] {
    return fail(Errc::limit_exceeded, "the line is longer than " + std::to_string(longest_.count()) +
                                          " bytes, the limit of a message");
  };
  while (true) {
    const std::size_t end = unread_.find('\n', searched_);
    if (skipping_) {
      skipping_ = end == std::string::npos;
      searched_ = taken_ = skipping_ ? unread_.size() : end + 1;
      if (!skipping_) continue;
    }
    if (end != std::string::npos || (ended_ && taken_ < unread_.size())) {
      std::string line = unread_.substr(taken_, end == std::string::npos ? end : end - taken_);
      searched_ = taken_ = end == std::string::npos ? unread_.size() : end + 1;
      if (line.size() > longest_.count()) co_return too_long();
      co_return std::optional{std::move(line)};
    }
    if (ended_) co_return std::optional<std::string>{};
    // Once for each piece that is read, not for each line: there may be thousands in one.
    unread_.erase(0, std::exchange(taken_, 0));
    searched_ = unread_.size();
    if (searched_ > longest_.count()) {
      skipping_ = true;
      unread_ = {};
      searched_ = 0;
      co_return too_long();
    }
    co_await wait(descriptor_, stream_descriptor::wait_read);
    std::array<char, 16'384> piece;
    const ssize_t got = ::read(descriptor_.native_handle(), piece.data(), piece.size());
    if (got > 0) unread_.append(piece.data(), static_cast<std::size_t>(got));
    if (got == 0) ended_ = true;
    if (got < 0 && errno != EINTR && errno != EAGAIN)
      co_return fail(Errc::io, "cannot read standard input: " + std::generic_category().message(errno));
  }
}

PatientWriter::PatientWriter(const asio::any_io_executor& executor, int descriptor)
    : descriptor_(executor, duplicate(descriptor)) {}

asio::awaitable<bool> PatientWriter::write(std::string text) {
  std::string_view left = text;
  while (!left.empty()) {
    if (!has_room(descriptor_.native_handle())) co_await wait(descriptor_, stream_descriptor::wait_write);
    // A pipe with room takes so much at once (pipe(7)), and so does not block.
    const std::size_t piece = std::min<std::size_t>(left.size(), PIPE_BUF);
    const ssize_t took = ::write(descriptor_.native_handle(), left.data(), piece);
    if (took > 0) left.remove_prefix(static_cast<std::size_t>(took));
    if (took < 0 && errno != EINTR && errno != EAGAIN) co_return false;
  }
  co_return true;
}

}  // namespace sluice::cli
