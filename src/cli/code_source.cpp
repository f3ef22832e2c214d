#include "cli/code_source.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include "core/secret_file.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t kLongestCode = 256;  // far longer than any code; a wrong file is noticed early

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Result<std::string> first_line(std::FILE* file, const std::string& name) {
  std::string line;
  for (int c = std::fgetc(file); c != EOF && c != '\n'; c = std::fgetc(file)) {
    if (line.size() == kLongestCode)
      return fail(Errc::limit_exceeded, fmt::format("{} does not hold a code", name));
    line += static_cast<char>(c);
  }
  if (std::ferror(file) != 0) return fail(Errc::io, fmt::format("cannot read the code from {}", name));
  if (line.empty()) return fail(Errc::invalid_argument, fmt::format("{} holds no code", name));
  return line;
}

Result<std::string> code_from_file(const std::string& name) {
  if (name == "-") return first_line(stdin, "standard input");
  if (auto secret = check_secret_file(name, "The code"); !secret) return fail(std::move(secret.error()));
  const File file{std::fopen(name.c_str(), "re")};
  if (!file) {
    return fail(errno == ENOENT ? Errc::not_found : Errc::io,
                fmt::format("cannot open {}: {}", name, std::generic_category().message(errno)));
  }
  return first_line(file.get(), name);
}

Result<std::string> code_from_prompt() {
  const File terminal{std::fopen("/dev/tty", "r+e")};
  if (!terminal) {
    return fail(
        Errc::invalid_argument,
        "no code: give it as the first argument, in --code-file FILE or in SLUICE_CODE, or use --key FILE");
  }
  std::fputs("Code: ", terminal.get());
  std::fflush(terminal.get());
  return first_line(terminal.get(), "the terminal");
}

}  // namespace

Result<std::string> find_code(const CodeSources& sources) {
  if (sources.argument) return *sources.argument;
  if (sources.file) return code_from_file(*sources.file);
  if (const char* variable = std::getenv("SLUICE_CODE"); variable != nullptr && *variable != '\0')
    return variable;
  return code_from_prompt();
}

}  // namespace sluice::cli
