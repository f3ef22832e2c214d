#include "cli/child_process.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace sluice::cli {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kLongestLine = 64 * 1024;
constexpr auto kReapPoll = 5ms;

std::string system_message(int error) {
  return std::system_category().message(error);
}

ChildProcess::Usage usage_of(int status, const rusage& spent) {
  const auto micros = [](const timeval& t) {
    return std::chrono::seconds{t.tv_sec} + std::chrono::microseconds{t.tv_usec};
  };
  return {.cpu = micros(spent.ru_utime) + micros(spent.ru_stime),
          .peak_rss = Bytes{static_cast<std::uint64_t>(spent.ru_maxrss)} * 1024,
          .exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)};
}

/// In the child: becomes the program, or says over `report` why it could not.
[[noreturn]] void become(const std::vector<std::string>& arguments, int output, int report) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(output, STDOUT_FILENO);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(report, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& arguments) {
  std::array<int, 2> output{};
  std::array<int, 2> report{};
  if (::pipe2(output.data(), O_CLOEXEC) != 0) return fail(Errc::io, system_message(errno));
  if (::pipe2(report.data(), O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(output[0]);
    ::close(output[1]);
    return fail(Errc::io, system_message(error));
  }
  const pid_t pid = ::fork();
  const int fork_error = errno;
  if (pid == 0) become(arguments, output[1], report[1]);
  ::close(output[1]);
  ::close(report[1]);
  int exec_error = 0;
  // Ends at once either way: exec closes the other end, a failed exec writes to it first.
  const bool failed = pid < 0 || ::read(report[0], &exec_error, sizeof exec_error) > 0;
  ::close(report[0]);
  if (!failed) return ChildProcess{pid, output[0]};
  ::close(output[0]);
  if (pid < 0) return fail(Errc::io, "cannot start a process: " + system_message(fork_error));
  ::waitpid(pid, nullptr, 0);
  return fail(exec_error == ENOENT ? Errc::not_found : Errc::io,
              "cannot start '" + arguments.front() + "': " + system_message(exec_error));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      pending_(std::move(other.pending_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ != -1) stop(0ms);
  if (output_ != -1) ::close(output_);
}

Result<std::string> ChildProcess::read_line(std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (true) {
    if (const std::size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    if (pending_.size() > kLongestLine) return fail(Errc::limit_exceeded, "a line of output has no end");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd ready{.fd = output_, .events = POLLIN, .revents = 0};
    if (left <= 0ms || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) {
      return fail(Errc::timed_out, "no output in time");
    }
    std::array<char, 4096> chunk;
    const ssize_t got = ::read(output_, chunk.data(), chunk.size());
    if (got == 0) return fail(Errc::closed, "it ended");
    if (got > 0) pending_.append(chunk.data(), static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR) return fail(Errc::io, system_message(errno));
  }
}

Result<ChildProcess::Usage> ChildProcess::wait(std::chrono::milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (true) {
    int status = 0;
    rusage spent{};
    if (::wait4(pid_, &status, WNOHANG, &spent) == pid_) {
      pid_ = -1;
      return usage_of(status, spent);
    }
    if (steady_clock::now() >= deadline) return fail(Errc::timed_out, "it still runs");
    std::this_thread::sleep_for(kReapPoll);
  }
}

ChildProcess::Usage ChildProcess::stop(std::chrono::milliseconds patience) {
  ::kill(pid_, SIGINT);
  if (auto ended = wait(patience)) return *ended;
  ::kill(pid_, SIGKILL);
  int status = 0;
  rusage spent{};
  ::wait4(pid_, &status, 0, &spent);
  pid_ = -1;
  return usage_of(status, spent);
}

}  // namespace sluice::cli
