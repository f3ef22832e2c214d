#include "peer/rendezvous/session_keys.hpp"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "crypto/encoding.hpp"
#include "crypto/random.hpp"

namespace sluice::rendezvous {
namespace {

/// Tags and keys, in hexadecimal.
std::vector<std::string> values(const SessionKeys& keys) {
  return {crypto::to_hex(keys.client_tag), crypto::to_hex(keys.host_tag),
          crypto::to_hex(keys.client_to_host.expose()), crypto::to_hex(keys.host_to_client.expose())};
}

Transcript transcript() {
  return {.mailbox = "7", .hello = as_bytes("hello"), .start = as_bytes("start"), .reply = as_bytes("reply")};
}

TEST(SessionKeys, EachPurposeHasItsOwnAndAnythingSeenDifferentlyChangesThemAll) {
  const auto key = crypto::random_secret<64>();
  std::set<std::string> seen;
  std::size_t expected = 0;
  const auto expect_all_new = [&](const SessionKeys& keys) {
    for (const std::string& value : values(keys)) seen.insert(value);
    expected += 4;
    EXPECT_EQ(seen.size(), expected);
  };
  expect_all_new(SessionKeys::derive(key, transcript()));
  for (ByteView Transcript::* field : {&Transcript::hello, &Transcript::start, &Transcript::reply}) {
    Transcript other = transcript();
    other.*field = as_bytes("other");
    expect_all_new(SessionKeys::derive(key, other));
  }
  Transcript other = transcript();
  other.mailbox = "8";
  expect_all_new(SessionKeys::derive(key, other));
  expect_all_new(SessionKeys::derive(crypto::random_secret<64>(), transcript()));
}

TEST(SessionKeys, AreTheSameForWhoSawTheSame) {
  const auto key = crypto::random_secret<64>();
  EXPECT_EQ(values(SessionKeys::derive(key, transcript())), values(SessionKeys::derive(key, transcript())));
}

TEST(SessionKeys, ChannelIdentifierNamesProtocolAndMailbox) {
  EXPECT_EQ(channel_identifier("7"), "sluice/1 rendezvous7");
}

}  // namespace
}  // namespace sluice::rendezvous
