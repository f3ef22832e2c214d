#include "cli/output.hpp"

#include <csignal>
#include <fcntl.h>
#include <string>
#include <string_view>

#include <climits>
#include <gtest/gtest.h>

#include "cli/testing.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using testing::Pipe;

TEST(Output, WritesWhatFitsAndSaysSo) {
  Pipe pipe;
  Output output{pipe.write_end()};
  EXPECT_TRUE(output.takes_more());
  EXPECT_TRUE(output.write("hello\n", 0ms));
  EXPECT_EQ(pipe.take_all(), "hello\n");
}

TEST(Output, GivesUpOnAFullPipeAndGoesOnWhenItIsRead) {
  Pipe pipe;
  pipe.fill();
  Output output{pipe.write_end()};
  EXPECT_FALSE(output.takes_more());
  EXPECT_FALSE(output.write("lost\n", 0ms));
  EXPECT_FALSE(output.write("lost\n", 20ms));
  EXPECT_EQ(pipe.take_all().find("lost"), std::string::npos);
  EXPECT_TRUE(output.write("kept\n", 0ms));
  EXPECT_EQ(pipe.take_all(), "kept\n");
}

TEST(Output, BeginsANewLineAfterOneThatWentInPart) {
  Pipe pipe;
  Output output{pipe.write_end()};
  const std::string long_line = std::string(2 * pipe.capacity(), 'x') + '\n';
  EXPECT_FALSE(output.write(long_line, 0ms));
  const std::string part = pipe.take_all();
  EXPECT_EQ(part.find('\n'), std::string::npos);
  EXPECT_GE(part.size(), pipe.capacity() - PIPE_BUF);
  EXPECT_TRUE(output.write("next\n", 0ms));
  EXPECT_TRUE(output.write("last\n", 0ms));
  EXPECT_EQ(pipe.take_all(), "\nnext\nlast\n");
}

TEST(Output, DoesNotWaitForAReaderThatIsGone) {
  std::signal(SIGPIPE, SIG_IGN);  // as main() does
  Pipe pipe;
  pipe.fill();
  pipe.close_read_end();
  Output output{pipe.write_end()};
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(output.write("lost\n", 60s));
  EXPECT_LT(std::chrono::steady_clock::now() - before, 30s);
}

}  // namespace
}  // namespace sluice::cli
