#include "peer/tunnel/stdio_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "peer/tunnel/descriptor_waits.hpp"

namespace sluice::tunnel {

namespace asio = boost::asio;

/// One descriptor, non-blocking while it is ours.
class StdioSocket::End {
 public:
  End(const asio::any_io_executor& executor, int original, Report report)
      : original_(original),
        flags_(::fcntl(original, F_GETFL)),
        waits_(std::make_shared<Waits>(asio::posix::stream_descriptor{executor}, report)) {
    boost::system::error_code ignored;  // a descriptor that cannot be used says so when it is
    if (const int copy = ::fcntl(original, F_DUPFD_CLOEXEC, 3); copy >= 0)
      waits_->waitable.assign(copy, ignored);
    waits_->waitable.non_blocking(true, ignored);
  }
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() {
    waits_->listener = nullptr;
    close();
    if (flags_ >= 0) ::fcntl(original_, F_SETFL, flags_);
  }

  void close() {
    boost::system::error_code ignored;
    waits_->waitable.close(ignored);
  }

  /// Lets whoever reads from it see the end now: the process keeps the original, so that becomes /dev/null,
  /// whose number nothing else can take then.
  void end() {
    if (!waits_->waitable.is_open()) return;
    ::shutdown(fd(), SHUT_WR);  // where it is a socket that others hold too
    if (flags_ >= 0) ::fcntl(original_, F_SETFL, std::exchange(flags_, -1));
    close();
    if (const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC); nothing >= 0) {
      ::dup2(nothing, original_);
      ::close(nothing);
    }
  }

  using Waits = DescriptorWaits<asio::posix::stream_descriptor>;
  [[nodiscard]] Waits& waits() { return *waits_; }
  [[nodiscard]] int fd() const { return waits_->waitable.native_handle(); }

 private:
  int original_;
  int flags_;
  std::shared_ptr<Waits> waits_;
};

StdioSocket::StdioSocket(const asio::any_io_executor& executor, Descriptors descriptors, Report report)
    : input_(std::make_unique<End>(executor, descriptors.input, report)),
      output_(std::make_unique<End>(executor, descriptors.output, report)) {}

StdioSocket::~StdioSocket() = default;

Transfer StdioSocket::read_some(ByteSpan into) {
  return finish_read(input_->waits(), ::read(input_->fd(), into.data(), into.size()), into.size());
}

Transfer StdioSocket::write_some(ByteView from) {
  return finish_write(output_->waits(), ::write(output_->fd(), from.data(), from.size()), from.size());
}

void StdioSocket::shutdown_send() {
  output_->end();
}

void StdioSocket::close() {
  input_->close();
  output_->end();
}

void StdioSocket::reset() {
  close();
}

}  // namespace sluice::tunnel
