#include "crypto/key_file.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

namespace sluice::crypto {
namespace {

namespace fs = std::filesystem;

class KeyFile : public testing::Test {
 protected:
  KeyFile() {
    std::string name = (fs::temp_directory_path() / "sluice-key-test-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = folder / "host.key";
  }
  ~KeyFile() override { fs::remove_all(folder); }
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;

  [[nodiscard]] std::string text() const {
    std::ifstream file{path};
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
  }
  void write(std::string_view content) const {
    std::ofstream{path} << content;
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  }
  [[nodiscard]] Error error_for(std::string_view content) const {
    write(content);
    auto key = read_key_file(path);
    EXPECT_FALSE(key) << content;
    return key ? Error{.code = Errc::io, .message = "read"} : key.error();
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{folder}, fs::directory_iterator{}));
  }

  fs::path folder;
  fs::path path;
};

TEST_F(KeyFile, ReadsWhatItWroteForTheOwnerAlone) {
  const SharedKey key = SharedKey::random();
  ASSERT_TRUE(write_key_file(path, key, IfKeyExists::refuse));
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(files(), 1U);  // nothing unfinished is left beside it
  const auto read = read_key_file(path);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->secret() == key.secret());
}

TEST_F(KeyFile, DoesNotReplaceAFileUnlessTold) {
  const SharedKey first = SharedKey::random();
  const SharedKey second = SharedKey::random();
  ASSERT_TRUE(write_key_file(path, first, IfKeyExists::refuse));
  const Status refused = write_key_file(path, second, IfKeyExists::refuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::refused);
  EXPECT_TRUE(read_key_file(path)->secret() == first.secret());
  EXPECT_EQ(files(), 1U);
  ASSERT_TRUE(write_key_file(path, second, IfKeyExists::replace));
  EXPECT_TRUE(read_key_file(path)->secret() == second.secret());
}

TEST_F(KeyFile, RefusesAFileThatOthersMayUse) {
  ASSERT_TRUE(write_key_file(path, SharedKey::random(), IfKeyExists::refuse));
  // For group_read see SecretFile: root's may.
  for (const fs::perms more : {fs::perms::others_read, fs::perms::others_write, fs::perms::group_write}) {
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write | more);
    const auto key = read_key_file(path);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Errc::permission_denied);
    EXPECT_NE(key.error().message.find("chmod 600 " + path.string()), std::string::npos);
  }
}

TEST_F(KeyFile, NoticesEveryTruncation) {
  ASSERT_TRUE(write_key_file(path, SharedKey::random(), IfKeyExists::refuse));
  const std::string whole = text();
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    EXPECT_EQ(error_for(whole.substr(0, size)).code, Errc::malformed) << size;
  }
  write(whole.substr(0, whole.size() - 1));  // only the last line's end is gone
  EXPECT_TRUE(read_key_file(path));
}

TEST_F(KeyFile, NoticesAnAlteredDigit) {
  ASSERT_TRUE(write_key_file(path, SharedKey::random(), IfKeyExists::refuse));
  std::string altered = text();
  char& digit = altered[altered.find("secret ") + 7];
  digit = digit == '0' ? '1' : '0';
  EXPECT_NE(error_for(altered).message.find("check does not fit"), std::string::npos);
}

TEST_F(KeyFile, SaysWhatElseIsWrong) {
  EXPECT_EQ(error_for("sluice-key 2\nsecret 00\n").code, Errc::unsupported);
  EXPECT_EQ(error_for("-----BEGIN PRIVATE KEY-----\n").code, Errc::malformed);
  EXPECT_EQ(error_for("").code, Errc::malformed);
  EXPECT_EQ(error_for("sluice-key 1\nsecret zz\ncheck 00\n").code, Errc::malformed);
  EXPECT_NE(error_for(std::string(5000, 'x')).message.find("too long"), std::string::npos);
  const auto missing = read_key_file(folder / "none.key");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  const auto is_folder = read_key_file(folder);
  ASSERT_FALSE(is_folder);
  EXPECT_EQ(is_folder.error().code, Errc::malformed);
}

TEST_F(KeyFile, SaysWhenTheFolderIsMissing) {
  const Status status =
      write_key_file(folder / "none" / "host.key", SharedKey::random(), IfKeyExists::refuse);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::not_found);
}

TEST(SharedKey, MailboxAndPasswordHangOnTheSecretAndAreNotIt) {
  const SharedKey key = SharedKey::random();
  EXPECT_EQ(key.mailbox().size(), 32U);
  EXPECT_EQ(key.mailbox(), key.clone().mailbox());
  EXPECT_NE(key.mailbox(), SharedKey::random().mailbox());
  EXPECT_TRUE(key.password() == key.clone().password());
  EXPECT_FALSE(key.password() == key.secret());
}

}  // namespace
}  // namespace sluice::crypto
