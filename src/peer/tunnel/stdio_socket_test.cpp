#include "peer/tunnel/stdio_socket.hpp"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace sluice::tunnel {
namespace {

struct Notes final : SocketListener {
  void on_readable(wire::SocketId, TimePoint) override { ++readable; }
  void on_writable(wire::SocketId, TimePoint) override { ++writable; }
  int readable = 0;
  int writable = 0;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
  std::array<int, 2> ends{-1, -1};
};

TEST(StdioSocket, ReadsAndWritesPipesAndReportsWhenTheyAreReady) {
  boost::asio::io_context io;
  Notes notes;
  Pipe in;
  Pipe out;
  {
    StdioSocket socket{
        io.get_executor(), {.input = in.ends[0], .output = out.ends[1]}, {.listener = notes, .name = {1}}};
    std::array<std::byte, 16> block{};
    EXPECT_EQ(socket.read_some(block).status, Transfer::Status::would_block);
    ASSERT_EQ(::write(in.ends[1], "abc", 3), 3);
    io.run_one();
    EXPECT_EQ(notes.readable, 1);
    EXPECT_EQ(socket.read_some(block).count, 3U);
    EXPECT_EQ(socket.write_some(as_bytes("answer")).count, 6U);
    socket.shutdown_send();
    std::array<char, 16> answer{};
    EXPECT_EQ(::read(out.ends[0], answer.data(), answer.size()), 6);
    EXPECT_EQ(::read(out.ends[0], answer.data(), answer.size()), 0) << "half-closed";
    EXPECT_NE(::fcntl(in.ends[0], F_GETFL) & O_NONBLOCK, 0);
  }
  EXPECT_EQ(::fcntl(in.ends[0], F_GETFL) & O_NONBLOCK, 0) << "as it was";
}

TEST(StdioSocket, ReadsAFileToItsEnd) {
  boost::asio::io_context io;
  Notes notes;
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fwrite("content", 1, 7, file), 7U);
  ASSERT_EQ(std::fseek(file, 0, SEEK_SET), 0);
  Pipe out;
  {
    StdioSocket socket{io.get_executor(),
                       {.input = ::fileno(file), .output = out.ends[1]},
                       {.listener = notes, .name = {1}}};
    std::array<std::byte, 16> block{};
    EXPECT_EQ(socket.read_some(block).count, 7U);
    io.run_one();
    EXPECT_EQ(notes.readable, 1) << "a read that did not fill its span is followed by a report";
    EXPECT_EQ(socket.read_some(block).status, Transfer::Status::end);
  }
  std::fclose(file);
}

TEST(StdioSocket, WritesToAFile) {
  boost::asio::io_context io;
  Notes notes;
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const int kept = ::dup(::fileno(file));  // the original becomes /dev/null
  Pipe in;
  {
    StdioSocket socket{
        io.get_executor(), {.input = in.ends[0], .output = ::fileno(file)}, {.listener = notes, .name = {1}}};
    EXPECT_EQ(socket.write_some(as_bytes("kept")).count, 4U);
    socket.close();
  }
  std::array<char, 8> read{};
  EXPECT_EQ(::pread(kept, read.data(), read.size(), 0), 4);
  ::close(kept);
  std::fclose(file);
}

TEST(StdioSocket, IsSilentOnceItIsGone) {
  boost::asio::io_context io;
  Notes notes;
  Pipe in;
  Pipe out;
  {
    StdioSocket socket{
        io.get_executor(), {.input = in.ends[0], .output = out.ends[1]}, {.listener = notes, .name = {1}}};
    std::array<std::byte, 16> block{};
    (void)socket.read_some(block);
  }
  io.run();
  EXPECT_EQ(notes.readable, 0);
}

}  // namespace
}  // namespace sluice::tunnel
