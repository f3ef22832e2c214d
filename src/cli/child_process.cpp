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
#include <unistd.h>
#include <utility>

#include "cli/interrupts.hpp"

namespace sluice::cli {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kLongestLine = 64 * 1024;
constexpr auto kReapPoll = 5ms;
constexpr int kNone = -1;  // a descriptor that poll(2) passes over

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
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);  // what `Interrupts` blocks is not for the program to inherit
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

Result<std::string> ChildProcess::first_line_of(const std::vector<std::string>& arguments,
                                                const Waiting& waiting) {
  auto process = start(arguments);
  if (!process) return fail(std::move(process.error()));
  const std::string& program = arguments.front();
  auto line = process->read_line(waiting);
  if (!line && line.error().code != Errc::closed) {
    const Errc code = line.error().code;
    return fail(std::move(line.error()).as_cause_of(code, "'" + program + "' was not done"));
  }
  const auto usage = process->wait(waiting);
  if (!usage) return fail(usage.error());
  if (usage->exit_status != 0) {
    return fail(Errc::io, "'" + program + "' failed with exit status " + std::to_string(usage->exit_status));
  }
  if (!line) return fail(Errc::io, "'" + program + "' printed nothing");
  return line;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      pending_(std::move(other.pending_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ != -1) stop({.patience = 0ms});
  close_output();
}

Result<std::string> ChildProcess::read_line(const Waiting& waiting) {
  const auto deadline = steady_clock::now() + waiting.patience;
  while (true) {
    if (const std::size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    if (pending_.size() > kLongestLine) return fail(Errc::limit_exceeded, "a line of output has no end");
    if (output_ == -1) return fail(Errc::closed, "it ended");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left <= 0ms) return fail(Errc::timed_out, "no output in time");
    const auto ready = readable(output_, left, waiting);
    if (!ready) return fail(ready.error());
    if (!*ready) continue;
    if (auto taken = take_output(); !taken) return fail(std::move(taken.error()));
  }
}

Result<ChildProcess::Usage> ChildProcess::wait(const Waiting& waiting) {
  const auto deadline = steady_clock::now() + waiting.patience;
  while (true) {
    int status = 0;
    rusage spent{};
    if (::wait4(pid_, &status, WNOHANG, &spent) == pid_) {
      pid_ = -1;
      return usage_of(status, spent);
    }
    if (steady_clock::now() >= deadline) return fail(Errc::timed_out, "it still runs");
    if (auto woken = readable(kNone, kReapPoll, waiting); !woken) return fail(std::move(woken.error()));
  }
}

ChildProcess::Usage ChildProcess::stop(const Waiting& waiting) {
  ::kill(pid_, SIGINT);
  if (auto ended = wait(waiting)) return *ended;
  ::kill(pid_, SIGKILL);
  int status = 0;
  rusage spent{};
  ::wait4(pid_, &status, 0, &spent);
  pid_ = -1;
  return usage_of(status, spent);
}

/// Whether that descriptor can be read within the limit; empties the drained ones by the way, and may come
/// back early for them.
Result<bool> ChildProcess::readable(int descriptor, std::chrono::milliseconds limit, const Waiting& waiting) {
  std::vector<pollfd> watched;
  const auto watch = [&](int which) { watched.push_back({.fd = which, .events = POLLIN, .revents = 0}); };
  watch(descriptor);
  watch(waiting.interrupts != nullptr ? waiting.interrupts->descriptor() : kNone);
  for (const ChildProcess* child : waiting.drained) watch(child->output_);
  if (::poll(watched.data(), watched.size(), static_cast<int>(limit.count())) <= 0) return false;
  if (watched[1].revents != 0) return fail(Errc::cancelled, "interrupted");
  for (std::size_t i = 0; i < waiting.drained.size(); ++i) {
    if (watched[i + 2].revents != 0) waiting.drained[i]->discard_output();
  }
  return watched.front().revents != 0;
}

Status ChildProcess::take_output() {
  std::array<char, 4096> chunk;
  const ssize_t got = ::read(output_, chunk.data(), chunk.size());
  if (got < 0 && errno != EINTR) return fail(Errc::io, system_message(errno));
  if (got == 0) close_output();
  if (got > 0) pending_.append(chunk.data(), static_cast<std::size_t>(got));
  return {};
}

void ChildProcess::discard_output() {
  if (!take_output()) close_output();
  pending_.clear();
}

void ChildProcess::close_output() {
  if (output_ != -1) ::close(std::exchange(output_, -1));
}

}  // namespace sluice::cli
