#include "cli/pipe_ends.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

#include "cli/testing.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;
using namespace literals;
using namespace std::chrono_literals;

struct Shard {
  void start(asio::awaitable<void> task) { asio::co_spawn(context, std::move(task), asio::detached); }
  void settle() {
    context.restart();
    context.poll();
  }
  asio::io_context context;
};

/// Everything that a reader gives, until its end or its error.
asio::awaitable<void> read_all_lines(LineReader& reader, std::vector<std::string>& lines, Errc& error) {
  while (true) {
    auto line = co_await reader.next();
    if (!line) {
      error = line.error().code;
      co_return;
    }
    if (!*line) {
      lines.emplace_back("<end>");
      co_return;
    }
    lines.push_back(std::move(**line));
  }
}

struct Reading {
  explicit Reading(int descriptor, Bytes longest = 10_B)
      : reader(shard.context.get_executor(), descriptor, longest) {
    shard.start(read_all_lines(reader, lines, error));
    shard.settle();
  }
  Shard shard;
  LineReader reader;
  std::vector<std::string> lines;
  Errc error{};
};

using Lines = std::vector<std::string>;

TEST(LineReader, GivesLinesAsTheyCome) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  Reading reading{ends[0]};
  ::close(ends[0]);  // it has one of its own
  EXPECT_TRUE(reading.lines.empty());
  EXPECT_EQ(::write(ends[1], "one\n\ntw", 7), 7);
  reading.shard.settle();
  EXPECT_EQ(reading.lines, (Lines{"one", ""}));
  EXPECT_EQ(::write(ends[1], "o\nlast", 6), 6);
  ::close(ends[1]);
  reading.shard.settle();
  reading.shard.settle();
  EXPECT_EQ(reading.lines, (Lines{"one", "", "two", "last", "<end>"}));
}

TEST(LineReader, ReadsFilesToo) {
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  std::fputs("a\nb\n", file);
  std::rewind(file);
  Reading reading{::fileno(file)};
  EXPECT_EQ(reading.lines, (Lines{"a", "b", "<end>"}));
  std::fclose(file);
}

TEST(LineReader, RefusesALineThatIsTooLong) {
  for (const std::string_view text : {"short\n12345678901", "12345678901\n"}) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    const Reading reading{ends[0]};
    EXPECT_EQ(reading.error, Errc::limit_exceeded) << text;
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST(LineReader, GoesOnBehindALineThatIsTooLong) {
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const std::string text = "a\n" + std::string(40'000, 'x') + "\nb\n" + std::string(30'000, 'y');
  ASSERT_EQ(std::fwrite(text.data(), 1, text.size(), file), text.size());
  std::rewind(file);
  Shard shard;
  LineReader reader{shard.context.get_executor(), ::fileno(file), 10_B};
  std::vector<std::string> lines;
  for (int call = 0; call < 5; ++call) {
    Errc error{};
    std::vector<std::string> one;
    shard.start([](LineReader& from, std::vector<std::string>& to, Errc& why) -> asio::awaitable<void> {
      auto line = co_await from.next();
      if (!line) {
        why = line.error().code;
      } else {
        to.push_back(*line ? **line : "<end>");
      }
    }(reader, one, error));
    shard.settle();
    lines.push_back(one.empty() ? std::string{name_of(error)} : one.front());
  }
  EXPECT_EQ(lines, (Lines{"a", "limit_exceeded", "b", "limit_exceeded", "<end>"}));
  std::fclose(file);
}

asio::awaitable<void> write(PatientWriter& writer, std::string text, std::vector<bool>& written) {
  const bool done = co_await writer.write(std::move(text));
  written.push_back(done);
}

TEST(PatientWriter, WaitsForItsReader) {
  testing::Pipe pipe;
  pipe.fill();
  Shard shard;
  PatientWriter writer{shard.context.get_executor(), pipe.write_end()};
  std::vector<bool> written;
  shard.start(write(writer, std::string(100'000, 'x'), written));
  shard.settle();
  EXPECT_TRUE(written.empty());
  std::string all;
  for (int i = 0; i < 100 && written.empty(); ++i) {
    all += pipe.take_all();
    shard.settle();
  }
  all += pipe.take_all();
  EXPECT_EQ(written, std::vector<bool>{true});
  EXPECT_EQ(std::ranges::count(all, 'x'), 100'000);
}

TEST(PatientWriter, SaysWhenNobodyReadsAnyMore) {
  testing::Pipe pipe;
  pipe.close_read_end();
  Shard shard;
  PatientWriter writer{shard.context.get_executor(), pipe.write_end()};
  std::vector<bool> written;
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  shard.start(write(writer, "x", written));
  shard.settle();
  std::signal(SIGPIPE, before);
  EXPECT_EQ(written, std::vector<bool>{false});
}

}  // namespace
}  // namespace sluice::cli
