#include "transport/webrtc/dtls.hpp"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.hpp"
#include "transport/webrtc/simulated_peers.hpp"

namespace sluice::webrtc {
namespace {

using namespace literals;
using namespace std::chrono_literals;
using simulated::ClockInstead;
using simulated::NetworkRules;
using simulated::Pipe;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Side final : public DtlsListener {
 public:
  Side(Pipe& out, const ClockInstead& clock) : out_(out), clock_(clock) {}

  void on_dtls_datagram(ByteView datagram) override {
    largest = std::max(largest, size_of(datagram));
    out_.send(datagram, clock_.now());
  }
  void on_dtls_connected() override { ++connected; }
  void on_dtls_record(ByteView plaintext) override { records.emplace_back(as_text(plaintext)); }
  void on_dtls_ended(const Error& reason) override { ended.push_back(reason); }

  Certificate certificate = Certificate::generate();
  DtlsEngine engine{certificate, *this};
  int connected = 0;
  Bytes largest;
  std::vector<std::string> records;
  std::vector<Error> ended;

 private:
  Pipe& out_;
  const ClockInstead& clock_;
};

class Dtls : public testing::Test {
 protected:
  explicit Dtls(std::uint64_t seed = 1, const NetworkRules& network = {})
      : to_server_(seed * 2, network), to_client_(seed * 2 + 1, network) {}

  void start_client() {
    client_.engine.start({.role = DtlsRole::client, .remote = server_.certificate.fingerprint()});
  }
  void start_server() {
    server_.engine.start({.role = DtlsRole::server, .remote = client_.certificate.fingerprint()});
  }
  bool connect() {
    start_server();
    start_client();
    return run_until([&] { return client_.connected == 1 && server_.connected == 1; });
  }
  void step() {
    clock_.advance(1ms);
    step(client_, to_client_);
    step(server_, to_server_);
  }
  bool run_until(const std::function<bool()>& done, Duration limit = 2min) {
    for (const TimePoint end = clock_.now() + limit; !done(); step()) {
      if (clock_.now() >= end) return false;
    }
    return true;
  }

  ClockInstead clock_;
  Pipe to_server_;
  Pipe to_client_;
  Side client_{to_server_, clock_};
  Side server_{to_client_, clock_};

 private:
  void step(Side& side, Pipe& in) {
    while (const auto datagram = in.receive(clock_.now())) side.engine.receive(*datagram);
    const auto due = side.engine.next_timeout(clock_.now());
    if (due.has_value() && *due <= clock_.now()) side.engine.handle_timeout();
  }
};

TEST_F(Dtls, CarriesRecordsBothWays) {
  ASSERT_TRUE(connect());
  EXPECT_EQ(client_.engine.state(), DtlsState::connected);
  ASSERT_TRUE(client_.engine.send(as_bytes("to the server")).has_value());
  ASSERT_TRUE(server_.engine.send(as_bytes("to the client")).has_value());
  ASSERT_TRUE(run_until([&] { return !client_.records.empty() && !server_.records.empty(); }, 1s));
  EXPECT_THAT(server_.records, ElementsAre("to the server"));
  EXPECT_THAT(client_.records, ElementsAre("to the client"));
}

TEST_F(Dtls, KeepsToTheMtuAndAddsThirtySevenBytesToARecord) {
  ASSERT_TRUE(connect());
  EXPECT_LE(client_.largest, limits::kDtlsMtu);
  EXPECT_LE(server_.largest, limits::kDtlsMtu);
  client_.largest = Bytes{};
  ASSERT_TRUE(client_.engine.send(ByteBuffer(limits::kSctpPathMtu.count())).has_value());
  EXPECT_EQ(client_.largest, limits::kSctpPathMtu + 37_B);
}

TEST_F(Dtls, CannotSendUnlessConnected) {
  EXPECT_EQ(client_.engine.send(as_bytes("x")).error().code, Errc::closed);
  start_client();
  EXPECT_EQ(client_.engine.send(as_bytes("x")).error().code, Errc::closed);
  start_server();
  ASSERT_TRUE(run_until([&] { return client_.connected == 1; }));
  EXPECT_EQ(client_.engine.send(ByteBuffer(16385)).error().code, Errc::limit_exceeded);
  client_.engine.close();
  EXPECT_EQ(client_.engine.send(as_bytes("x")).error().code, Errc::closed);
}

TEST_F(Dtls, TellsBothFingerprintsWhenTheyDiffer) {
  const Certificate other = Certificate::generate();
  start_server();
  client_.engine.start({.role = DtlsRole::client, .remote = other.fingerprint()});
  ASSERT_TRUE(run_until([&] { return !client_.ended.empty() && !server_.ended.empty(); }));
  EXPECT_EQ(client_.ended.front().code, Errc::wrong_code);
  EXPECT_THAT(client_.ended.front().message, HasSubstr(other.fingerprint().format()));
  EXPECT_THAT(client_.ended.front().message, HasSubstr(server_.certificate.fingerprint().format()));
  EXPECT_EQ(client_.engine.state(), DtlsState::failed);
  EXPECT_EQ(client_.connected + server_.connected, 0);
  EXPECT_EQ(client_.ended.size(), 1U);
}

TEST_F(Dtls, ChecksTheClientsCertificateToo) {
  start_client();
  server_.engine.start({.role = DtlsRole::server, .remote = server_.certificate.fingerprint()});
  ASSERT_TRUE(run_until([&] { return !client_.ended.empty() && !server_.ended.empty(); }));
  EXPECT_EQ(server_.ended.front().code, Errc::wrong_code);
  EXPECT_EQ(server_.connected, 0);
}

TEST_F(Dtls, ClosesBothWays) {
  ASSERT_TRUE(connect());
  server_.engine.close();
  ASSERT_TRUE(run_until([&] { return !client_.ended.empty(); }, 1s));
  EXPECT_EQ(client_.ended.front().code, Errc::closed);
  EXPECT_EQ(client_.engine.state(), DtlsState::closed);
  EXPECT_EQ(server_.engine.state(), DtlsState::closed);
  EXPECT_THAT(server_.ended, IsEmpty());  // It asked for it itself.
}

TEST_F(Dtls, ReplaysWhatCameEarly) {
  start_client();
  ASSERT_TRUE(run_until([&] { return server_.engine.stats().early_kept > 0; }, 1s));
  start_server();
  ASSERT_TRUE(run_until([&] { return server_.connected == 1; },
                        limits::kDtlsFirstTimeout));  // Without a retransmission.
  EXPECT_EQ(client_.engine.stats().timeouts, 0U);
}

TEST_F(Dtls, KeepsOnlySoMuchOfWhatComesEarly) {
  start_client();
  ASSERT_TRUE(run_until([&] { return server_.engine.stats().early_dropped > 0; }));
  EXPECT_EQ(server_.engine.stats().early_kept, limits::kDtlsEarlyDatagrams);
  start_server();
  EXPECT_TRUE(run_until([&] { return server_.connected == 1; }));
}

TEST_F(Dtls, GivesUpWhenNobodyAnswers) {
  start_client();
  ASSERT_TRUE(run_until([&] { return !client_.ended.empty(); }));
  EXPECT_EQ(client_.ended.front().code, Errc::timed_out);
  EXPECT_GE(client_.engine.stats().timeouts, 5U);
  EXPECT_FALSE(client_.engine.next_timeout(clock_.now()).has_value());
}

TEST_F(Dtls, GivesNothingForForgedAndReplayedRecords) {
  ASSERT_TRUE(connect());
  std::vector<ByteBuffer> seen;
  ASSERT_TRUE(client_.engine.send(as_bytes("once")).has_value());
  clock_.advance(10ms);
  while (auto datagram = to_server_.receive(clock_.now())) seen.push_back(std::move(*datagram));
  ASSERT_EQ(seen.size(), 1U);
  for (std::size_t i = 13; i < seen[0].size(); ++i) {  // The nonce, the text, the tag.
    ByteBuffer forged = seen[0];
    forged[i] ^= std::byte{1};
    server_.engine.receive(forged);
  }
  EXPECT_THAT(server_.records, IsEmpty());
  EXPECT_EQ(server_.engine.stats().undecipherable, seen[0].size() - 13);
  server_.engine.receive(seen[0]);
  server_.engine.receive(seen[0]);
  EXPECT_THAT(server_.records, ElementsAre("once"));
}

TEST_F(Dtls, CountsWhatIsNotDtls) {
  start_server();
  for (const char* text :
       {"", "x", "\x16", "\x16\xfe\xfd", "GET / HTTP/1.1\r\n", "\x16\x03\x01 this is TLS, by its looks"}) {
    server_.engine.receive(as_bytes(text));
  }
  EXPECT_EQ(server_.engine.stats().garbage, 6U);
  start_client();
  EXPECT_TRUE(run_until([&] { return server_.connected == 1; }));
}

class DtlsOverBadNetwork : public Dtls, public testing::WithParamInterface<std::uint64_t> {
 protected:
  DtlsOverBadNetwork() : Dtls(GetParam(), {.loss = 0.3, .duplication = 0.2, .delay = 10ms, .jitter = 40ms}) {}
};

TEST_P(DtlsOverBadNetwork, ConnectsAndDeliversNothingTwice) {
  ASSERT_TRUE(connect());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client_.engine.send(as_bytes(std::to_string(i))).has_value());
    step();
  }
  run_until([] { return false; }, 200ms);
  EXPECT_GT(server_.records.size(), 40U);
  std::ranges::sort(server_.records);
  EXPECT_EQ(std::ranges::adjacent_find(server_.records), server_.records.end());
}

INSTANTIATE_TEST_SUITE_P(Seeds, DtlsOverBadNetwork, testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace sluice::webrtc
