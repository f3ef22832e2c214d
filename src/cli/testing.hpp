#pragma once

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

/// For tests of what a command prints.
namespace sluice::cli::testing {

/// What a descriptor that does not block holds now.
inline std::string read_all(int descriptor) {
  std::string all;
  std::array<char, 4096> chunk{};
  for (ssize_t got = 0; (got = ::read(descriptor, chunk.data(), chunk.size())) > 0;)
    all.append(chunk.data(), static_cast<std::size_t>(got));
  return all;
}

/// A pipe whose write end blocks, as a program's standard output does.
class Pipe {
 public:
  Pipe() {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    close_read_end();
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int write_end() const { return ends_[1]; }
  [[nodiscard]] std::size_t capacity() const {
    return static_cast<std::size_t>(::fcntl(ends_[1], F_GETPIPE_SZ));
  }

  /// Writes until nothing more goes in.
  void fill() {
    ::fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    const std::string filling(capacity(), '.');
    while (::write(ends_[1], filling.data(), filling.size()) > 0) {
    }
    ::fcntl(ends_[1], F_SETFL, 0);
  }
  /// What is in it now.
  std::string take_all() { return read_all(ends_[0]); }
  void close_read_end() { ::close(std::exchange(ends_[0], -1)); }

 private:
  std::array<int, 2> ends_{};
};

/// A terminal of that width, read from its other side.
class Terminal {
 public:
  explicit Terminal(unsigned short columns = 80) : ours_(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) {
    EXPECT_EQ(::grantpt(ours_), 0);
    EXPECT_EQ(::unlockpt(ours_), 0);
    theirs_ = ::open(::ptsname(ours_), O_RDWR | O_NOCTTY);
    EXPECT_NE(theirs_, -1);
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::ioctl(theirs_, TIOCSWINSZ, &size), 0);
  }
  ~Terminal() {
    ::close(theirs_);
    ::close(ours_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] int descriptor() const { return theirs_; }
  /// What was written to it by now; it makes `\r\n` of a line's end.
  std::string take_all() { return read_all(ours_); }

 private:
  int ours_;
  int theirs_ = -1;
};

}  // namespace sluice::cli::testing
