#include "api/file_watch.hpp"

#include <array>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "core/testing.hpp"

namespace sluice::api {
namespace {

namespace fs = std::filesystem;

TEST(FileWatch, SeesEveryKindOfChangeOnce) {
  const sluice::testing::TemporaryFolder folder;
  const std::array files{folder.file("a", "one"), folder.path() / "link"};
  FileWatch watch;
  EXPECT_FALSE(watch.changed(files)) << "the first look";
  EXPECT_FALSE(watch.changed(files));
  const auto sees = [&](const char* what) {
    EXPECT_TRUE(watch.changed(files)) << what;
    EXPECT_FALSE(watch.changed(files)) << what;
  };
  std::ofstream{files[0], std::ios::app} << "more";
  sees("written");
  fs::rename(folder.file("b", "onemore"), files[0]);
  sees("renamed over");
  fs::create_symlink(folder.file("c", "x"), files[1]);
  sees("there now");
  fs::remove(files[1]);
  fs::create_symlink(folder.file("d", "x"), files[1]);
  sees("led elsewhere");
  fs::permissions(files[0], fs::perms::owner_read);
  sees("made readable");
  fs::remove(files[0]);
  sees("gone");
}

}  // namespace
}  // namespace sluice::api
