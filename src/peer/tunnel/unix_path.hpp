#pragma once

#include <string>
#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "core/error.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "peer/tunnel/dial.hpp"

/// Unix sockets as targets, and as places to listen.
namespace sluice::tunnel {

using StreamProtocol = boost::asio::generic::stream_protocol;
using StreamSocket = StreamProtocol::socket;

/// Whether a path can be that of a socket. Errors: `invalid_argument`: it is empty, has a NUL in it, or is
/// longer than the system takes (107 bytes, unix(7)).
[[nodiscard]] Status check_unix_path(const std::string& path);

/// Connects to the socket at that path. A listener whose backlog is full is tried again until `limit`, or
/// until `dial` is given up; no descriptor is open meanwhile. `dial` outlives it. Cancellation throws
/// `operation_aborted`. Requires `check_unix_path`.
[[nodiscard]] boost::asio::awaitable<std::expected<StreamSocket, DialFailure>> connect_unix(
    Dial& dial, std::string path, Duration limit = limits::kDialTimeout);

/// The file of a socket that is listened at, bound with mode 0600; removed with it, if it is still the same
/// one.
///
/// A file that is there already is removed only when it is a socket at which nobody listens: what a process
/// left that was killed (ssh's `StreamLocalBindUnlink`, but without taking a live one's place).
class BoundUnixPath {
 public:
  /// Binds the descriptor to the path. Errors: `address_in_use`: somebody listens there, or it is no socket;
  /// `permission_denied`, `not_found` (folder), `io`.
  [[nodiscard]] static Result<BoundUnixPath> bind(int descriptor, std::string path);

  BoundUnixPath(BoundUnixPath&& other) noexcept;
  BoundUnixPath& operator=(BoundUnixPath&&) = delete;
  ~BoundUnixPath();

 private:
  explicit BoundUnixPath(std::string path) : path_(std::move(path)) {}

  std::string path_;  ///< Empty: moved from.
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace sluice::tunnel
