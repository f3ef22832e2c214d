#include "cli/code_source.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

/// A file in the test's temporary folder that goes with the test.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    path_ = testing::TempDir() + "code_source_test." + std::to_string(::getpid());
    std::ofstream{path_} << content;
    std::filesystem::permissions(path_,
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(CodeSource, TheArgumentComesFirstThenTheFileThenTheEnvironment) {
  const TemporaryFile file{"8-b-b-b\nrest\n"};
  ::setenv("SLUICE_CODE", "9-c-c-c", 1);
  EXPECT_EQ(find_code({.argument = "7-a-a-a", .file = file.path()}), "7-a-a-a");
  EXPECT_EQ(find_code({.argument = {}, .file = file.path()}), "8-b-b-b");
  EXPECT_EQ(find_code({}), "9-c-c-c");
  ::unsetenv("SLUICE_CODE");
}

TEST(CodeSource, FilesWithoutACodeAreErrors) {
  EXPECT_EQ(find_code({.argument = {}, .file = "/no/such/file"}).error().code, Errc::not_found);
  const TemporaryFile empty{""};
  EXPECT_EQ(find_code({.argument = {}, .file = empty.path()}).error().code, Errc::invalid_argument);
  const TemporaryFile huge{std::string(100'000, 'x')};
  EXPECT_EQ(find_code({.argument = {}, .file = huge.path()}).error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace sluice::cli
