#include "cli/state_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "core/client_limits.hpp"

namespace sluice::cli {
namespace {

using wire::hub::Conversation;

KeptState usual() {
  return {.session_token = "secret",
          .positions = {
              {.conversation = {.kind = Conversation::Kind::user, .name = "bob"}, .position = {3, 7}},
              {.conversation = {.kind = Conversation::Kind::group, .name = "o\"ps"},
               .position = {3, std::uint64_t{1} << 62}},
              {.conversation = {}, .position = {1, 0}},
          }};
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file() const { return (path_ / "state").string(); }

 private:
  std::filesystem::path path_;
};

TEST(StateFile, IsReadAsItWasWritten) {
  const Folder folder;
  EXPECT_EQ(load_state(folder.file()).value(), KeptState{}) << "there is none yet";
  ASSERT_TRUE(save_state(folder.file(), usual()));
  EXPECT_EQ(load_state(folder.file()).value(), usual());
  struct stat seen{};
  ASSERT_EQ(::stat(folder.file().c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777U, 0600U) << "it holds a secret";
  ASSERT_TRUE(save_state(folder.file(), {.session_token = "other"}));
  EXPECT_EQ(load_state(folder.file()).value().session_token, "other");
}

TEST(StateFile, HasRoomForAsManyOfTheLongestNamesAsAClientKeeps) {
  const Folder folder;
  KeptState longest{.session_token = std::string(limits::kMaxToken.count(), 't')};
  for (std::size_t i = 0; i < limits::kClientConversations; ++i) {
    const std::string number = std::to_string(i);
    longest.positions.push_back(
        {.conversation = {.kind = Conversation::Kind::group,
                          .name = std::string(limits::kMaxName.count() - number.size(), '"') + number},
         .position = {limits::kMaxPosition, limits::kMaxPosition}});
  }
  ASSERT_TRUE(save_state(folder.file(), longest));
  const auto loaded = load_state(folder.file());
  ASSERT_TRUE(loaded) << describe(loaded.error());
  EXPECT_EQ(*loaded, longest);
}

TEST(StateFile, RefusesWhatIsNone) {
  for (const std::string_view wrong :
       {"", "[]", "{", R"({"session_token":"s"})", R"({"session_token":5,"positions":[]})",
        R"({"session_token":"s","positions":[{"user":"bob","epoch":1}]})",
        R"({"session_token":"s","positions":[{"epoch":1,"offset":1}]})",
        R"({"session_token":"s","positions":[{"group":"","epoch":1,"offset":1}]})",
        R"({"session_token":"s","positions":[{"user":"bob","epoch":-1,"offset":1}]})",
        R"({"session_token":"s","positions":[{"user":"bob","epoch":1,"offset":9223372036854775807}]})"})
    EXPECT_EQ(parse_state(wrong).error().code, Errc::malformed) << wrong;
}

TEST(StateFile, SaysWhichFileCannotBeUsed) {
  const Folder folder;
  std::ofstream{folder.file()} << "nonsense";
  const auto broken = load_state(folder.file());
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find(folder.file()), std::string::npos);
  EXPECT_EQ(save_state(folder.file() + "/in/it", usual()).error().code, Errc::io);
}

}  // namespace
}  // namespace sluice::cli
