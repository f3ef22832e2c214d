#include "core/secret_file.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "core/testing.hpp"

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kUs = 1000;
constexpr std::uint32_t kAnother = 1001;
constexpr std::uint32_t kRoot = 0;
const FileAccess kOurFolder{.mode = 0755, .owner = kUs};

std::string objection(const SecretPlace& place, std::uint32_t user = kUs) {
  return objection_to(place, user, "/etc/hub/key").value_or("");
}

TEST(SecretFile, IsItsOwnersAlone) {
  EXPECT_EQ(objection({.file = {.mode = 0600, .owner = kUs}, .folder = kOurFolder}), "");
  EXPECT_EQ(objection({.file = {.mode = 0400, .owner = kUs}, .folder = kOurFolder}), "");
  for (const std::uint32_t mode : {0640U, 0620U, 0610U, 0604U, 0602U, 0601U, 0644U, 0666U, 0777U}) {
    EXPECT_EQ(objection({.file = {.mode = mode, .owner = kUs}, .folder = kOurFolder}),
              "can be used by others: chmod 600 /etc/hub/key")
        << std::oct << mode;
  }
  EXPECT_EQ(objection({.file = {.mode = 0600, .owner = kAnother}, .folder = kOurFolder}),
            "belongs to another user: chown it to the user that runs this");
}

TEST(SecretFile, OfRootMayBeReadByItsGroup) {
  const FileAccess roots_folder{.mode = 0710, .owner = kRoot};
  EXPECT_EQ(objection({.file = {.mode = 0640, .owner = kRoot}, .folder = roots_folder}), "");
  EXPECT_EQ(objection({.file = {.mode = 0440, .owner = kRoot}, .folder = roots_folder}), "");
  EXPECT_EQ(objection({.file = {.mode = 0640, .owner = kRoot}, .folder = roots_folder}, kRoot), "");
  EXPECT_EQ(objection({.file = {.mode = 0660, .owner = kRoot}, .folder = roots_folder}),
            "can be used by others: chmod 640 /etc/hub/key");
  EXPECT_EQ(objection({.file = {.mode = 0644, .owner = kRoot}, .folder = roots_folder}, kRoot),
            "can be used by others: chmod 600 /etc/hub/key");
}

TEST(SecretFile, CannotBeReplacedByOthers) {
  const FileAccess ours{.mode = 0600, .owner = kUs};
  EXPECT_EQ(objection({.file = ours, .folder = {.mode = 0777, .owner = kUs}}),
            "can be replaced by others: chmod o-w /etc/hub");
  EXPECT_EQ(objection({.file = ours, .folder = {.mode = 01777, .owner = kRoot}}), "") << "/tmp";
  EXPECT_EQ(objection({.file = ours, .folder = {.mode = 0775, .owner = kUs}}), "")
      << "a user's own group is common";
  EXPECT_EQ(objection({.file = ours, .folder = kOurFolder, .link = FileAccess{.mode = 0777, .owner = kRoot}}),
            "");
  EXPECT_NE(
      objection({.file = ours, .folder = kOurFolder, .link = FileAccess{.mode = 0777, .owner = kAnother}}),
      "");
}

TEST(SecretFile, IsLookedAtWhereItIs) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder.file("secret", "x");
  EXPECT_TRUE(check_secret_file(file, "The secret"));
  fs::permissions(file, fs::perms::others_read, fs::perm_options::add);
  const auto refused = check_secret_file(file, "The secret");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::permission_denied);
  EXPECT_EQ(refused.error().message,
            "The secret in " + file.string() + " can be used by others: chmod 600 " + file.string());
  const fs::path link = folder.path() / "link";
  fs::create_symlink(file, link);
  EXPECT_FALSE(check_secret_file(link, "The secret"));
  fs::permissions(file, fs::perms::owner_read);
  EXPECT_TRUE(check_secret_file(link, "The secret"));
  EXPECT_TRUE(check_secret_file("/dev/null", "The secret"));
  EXPECT_TRUE(check_secret_file(folder.path() / "none", "The secret"));
}

TEST(SecretFolder, IsWrittenByItsOwnerAlone) {
  const testing::TemporaryFolder folder;
  EXPECT_TRUE(check_secret_folder(folder.path(), "The folder"));
  fs::permissions(folder.path(), fs::perms{0755});
  EXPECT_TRUE(check_secret_folder(folder.path(), "The folder"));
  for (const unsigned mode : {0775U, 0757U}) {
    fs::permissions(folder.path(), fs::perms{mode});
    const auto refused = check_secret_folder(folder.path(), "The folder");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "The folder " + folder.path().string() +
                                           " can be written by others: chmod go-w " + folder.path().string());
  }
}

}  // namespace
}  // namespace sluice
