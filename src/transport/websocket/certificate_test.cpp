#include "transport/websocket/certificate.hpp"

#include <fstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "transport/websocket/testing.hpp"

namespace sluice::websocket {
namespace {

TEST(DevelopmentCertificate, IsMadeOnceAndItsKeyIsPrivate) {
  const testing::TemporaryFolder folder;
  const auto first = development_certificate(folder.path() / "a" / "b");
  ASSERT_TRUE(first) << describe(first.error());
  const auto fingerprint = fingerprint_of(first->certificate);
  ASSERT_TRUE(fingerprint);
  EXPECT_EQ(fingerprint->size(), 7U + 64U);
  struct stat status{};
  ASSERT_EQ(::stat(first->key.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto second = development_certificate(folder.path() / "a" / "b");
  ASSERT_TRUE(second);
  EXPECT_EQ(fingerprint_of(second->certificate).value_or("none"), *fingerprint);
}

TEST(DevelopmentCertificate, NamesWhatItIsFor) {
  const testing::TemporaryFolder folder;
  const auto files = development_certificate(folder.path());
  ASSERT_TRUE(files);
  EXPECT_EQ(certificate_names(files->certificate).value_or(std::vector<std::string>{}),
            (std::vector<std::string>{"localhost", "127.0.0.1", "::1"}));
  EXPECT_EQ(certificate_names(files->key).error().code, Errc::malformed);
}

TEST(DevelopmentCertificate, IsNotMadeOverWhatIsNone) {
  const testing::TemporaryFolder folder;
  std::ofstream{folder.path() / "hub-cert.pem"} << "precious";
  std::ofstream{folder.path() / "hub-key.pem"} << "precious";
  const auto files = development_certificate(folder.path());
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Errc::malformed);
  std::ifstream kept{folder.path() / "hub-cert.pem"};
  std::string text;
  EXPECT_TRUE(kept >> text);
  EXPECT_EQ(text, "precious");
}

TEST(DevelopmentCertificate, SaysWhichFolderCannotBeMade) {
  const auto files = development_certificate("/proc/nowhere");
  ASSERT_FALSE(files);
  EXPECT_NE(files.error().message.find("/proc/nowhere"), std::string::npos);
}

TEST(Fingerprint, IsReadInTheFormsThatPeopleHave) {
  const std::string plain = "sha256:" + std::string(62, '0') + "ab";
  EXPECT_EQ(parse_fingerprint(plain).value_or("none"), plain);
  EXPECT_EQ(parse_fingerprint(std::string(62, '0') + "AB").value_or("none"), plain);
  std::string colons;
  for (int i = 0; i < 31; ++i) colons += "00:";
  EXPECT_EQ(parse_fingerprint(colons + "AB").value_or("none"), plain);
  for (const std::string& text : {std::string{}, std::string{"sha256:"}, plain + "0",
                                  "sha1:" + std::string(64, '0'), std::string(63, '0') + "g"}) {
    EXPECT_FALSE(parse_fingerprint(text)) << text;
  }
}

TEST(Fingerprint, NeedsACertificateInTheFile) {
  EXPECT_EQ(fingerprint_of(std::filesystem::path{"/nowhere/cert.pem"}).error().code, Errc::not_found);
  EXPECT_EQ(fingerprint_of(std::filesystem::path{"/dev/null"}).error().code, Errc::malformed);
}

}  // namespace
}  // namespace sluice::websocket
