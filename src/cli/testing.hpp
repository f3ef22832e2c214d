#pragma once

#include <array>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>

#include <gtest/gtest.h>

/// For tests of what a command prints.
namespace sluice::cli::testing {

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
  std::string take_all() {
    std::string all;
    std::array<char, 4096> chunk{};
    for (ssize_t got = 0; (got = ::read(ends_[0], chunk.data(), chunk.size())) > 0;)
      all.append(chunk.data(), static_cast<std::size_t>(got));
    return all;
  }
  void close_read_end() { ::close(std::exchange(ends_[0], -1)); }

 private:
  std::array<int, 2> ends_{};
};

}  // namespace sluice::cli::testing
