#include "api/admin_token.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "core/hub_limits.hpp"
#include "transport/websocket/testing.hpp"

namespace sluice::api {
namespace {

constexpr std::string_view kToken = "0123456789abcdef";

struct File {
  explicit File(std::string_view text) : path(folder.file("token", text)) {}
  websocket::testing::TemporaryFolder folder;
  std::filesystem::path path;
};

TEST(AdminToken, IsShownByABearerAlone) {
  const AdminToken token{kToken};
  EXPECT_TRUE(token.is_shown_by("Bearer 0123456789abcdef"));
  EXPECT_TRUE(token.is_shown_by("bearer  0123456789abcdef"));
  for (const std::string_view other :
       {"", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef", "Bearer 0123456789abcde",
        "Bearer 0123456789abcdeF", "Bearer 0123456789abcdef0", "Bearer: 0123456789abcdef"})
    EXPECT_FALSE(token.is_shown_by(other)) << other;
}

TEST(AdminToken, IsTheFirstLineOfItsFile) {
  for (const std::string_view text :
       {"0123456789abcdef", "0123456789abcdef\n", " 0123456789abcdef \r\nmade by hand\n"})
    EXPECT_EQ(read_admin_token(File{text}.path).value(), kToken) << text;
}

TEST(AdminToken, RefusesWhatWouldBeNone) {
  for (const std::string& text :
       {std::string{}, std::string{"\n0123456789abcdef"}, std::string{"0123456789abcde"},
        std::string{"0123456789 abcdef"}, std::string{"0123456789abcde\x80"},
        std::string(limits::kMaxToken.count() + 1, 'a')}) {
    const File file{text};
    const auto token = read_admin_token(file.path);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().code, Errc::invalid_argument);
    EXPECT_NE(token.error().message.find(file.path.string()), std::string::npos);
  }
  const File file{kToken};
  EXPECT_EQ(read_admin_token(file.folder.path()).error().code, Errc::invalid_argument);
  EXPECT_EQ(read_admin_token(file.path / "none").error().code, Errc::not_found);
}

TEST(AdminToken, IsNotTakenFromAFileThatOthersMayUse) {
  const File file{kToken};
  std::filesystem::permissions(file.path, std::filesystem::perms{0644});
  const auto token = read_admin_token(file.path);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, Errc::permission_denied);
  EXPECT_NE(token.error().message.find("chmod 600 " + file.path.string()), std::string::npos);
}

}  // namespace
}  // namespace sluice::api
