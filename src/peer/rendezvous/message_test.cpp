#include "peer/rendezvous/message.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "core/limits.hpp"
#include "crypto/random.hpp"
#include "peer/rendezvous/signal.hpp"

namespace sluice::rendezvous {
namespace {

Hello some_hello() {
  return {.newest = 1, .oldest = 1, .features = 0x01020304, .nonce = crypto::random_bytes<16>()};
}
Start some_start() {
  return {
      .version = 1, .features = 7, .nonce = crypto::random_bytes<16>(), .share = crypto::random_bytes<32>()};
}

template <typename T>
void expect_round_trip(const T& message, std::size_t size) {
  const ByteBuffer body = encode(Message{message});
  EXPECT_EQ(body.size(), size);
  const auto decoded = decode_message(body);
  ASSERT_TRUE(decoded);
  ASSERT_TRUE(std::holds_alternative<T>(*decoded));
  EXPECT_EQ(std::get<T>(*decoded), message);
}

TEST(RendezvousMessage, ReadsWhatItWrote) {
  expect_round_trip(some_hello(), 1 + 1 + 1 + 4 + 16);
  expect_round_trip(some_start(), 1 + 1 + 4 + 16 + 32);
  expect_round_trip(Reply{.share = crypto::random_bytes<32>()}, 1 + 32);
  expect_round_trip(Confirm{.tag = crypto::random_bytes<32>()}, 1 + 32);
  expect_round_trip(Refusal{.reason = Refusal::Reason::wrong_code}, 1 + 1);
}

TEST(RendezvousMessage, SealedIsTheRestOfTheMessage) {
  const auto bytes = crypto::random_bytes<40>();
  const ByteBuffer body = encode(Message{Sealed{.bytes = bytes}});
  const auto decoded = decode_message(body);
  ASSERT_TRUE(decoded && std::holds_alternative<Sealed>(*decoded));
  EXPECT_EQ(to_buffer(std::get<Sealed>(*decoded).bytes), to_buffer(bytes));
}

TEST(RendezvousMessage, RefusesOtherSizes) {
  for (const Message& message : {Message{some_hello()}, Message{some_start()}, Message{Reply{}},
                                 Message{Confirm{}}, Message{Refusal{}}}) {
    ByteBuffer body = encode(message);
    for (std::size_t size = 0; size < body.size(); ++size) {
      const auto decoded = decode_message(ByteView{body}.first(size));
      ASSERT_FALSE(decoded) << size;
      EXPECT_EQ(decoded.error().code, Errc::malformed);
    }
    body.push_back(std::byte{0});
    EXPECT_FALSE(decode_message(body));
  }
}

TEST(RendezvousMessage, HelloOfALaterVersionMayBeLonger) {
  Hello hello = some_hello();
  hello.newest = 9;
  ByteBuffer body = encode(Message{hello});
  body.resize(body.size() + 100);
  const auto decoded = decode_message(body);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<Hello>(*decoded), hello);
}

TEST(RendezvousMessage, RefusesVersionsThatCannotBe) {
  Hello hello = some_hello();
  hello.oldest = 2;
  EXPECT_FALSE(decode_message(encode(Message{hello})));
  hello.oldest = 0;
  EXPECT_FALSE(decode_message(encode(Message{hello})));
}

TEST(RendezvousMessage, UnknownReasonsStillRefuse) {
  const auto decoded = decode_message(ByteBuffer{std::byte{6}, std::byte{99}});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<Refusal>(*decoded).reason, Refusal::Reason::gave_up);
}

TEST(RendezvousMessage, RefusesUnknownTypesAndWhatIsTooLarge) {
  EXPECT_FALSE(decode_message(ByteBuffer{std::byte{0}}));
  EXPECT_FALSE(decode_message(ByteBuffer{std::byte{7}}));
  ByteBuffer large(limits::kMaxMailboxBody.count() + 1, std::byte{5});
  const auto decoded = decode_message(large);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::limit_exceeded);
}

TEST(RendezvousSignal, ReadsWhatItWrote) {
  for (const Signal& signal :
       {Signal{Offer{.sdp = "v=0"}}, Signal{Answer{.sdp = ""}}, Signal{Candidate{.text = "candidate:1"}},
        Signal{CandidatesDone{}}, Signal{Connected{}},
        Signal{GaveUp{.code = Errc::unreachable, .text = "no path"}}}) {
    const auto decoded = decode_signal(encode(signal));
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(*decoded == signal);
  }
}

TEST(RendezvousSignal, CarriesOnlyTheCodesThatMeanSomethingToTheOtherSide) {
  const auto decoded = decode_signal(encode(Signal{GaveUp{.code = Errc::io, .text = "disk"}}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<GaveUp>(*decoded).code, Errc::refused);
}

TEST(RendezvousSignal, CutsAReasonToItsLimit) {
  const GaveUp gave_up{.text = std::string(limits::kMaxFailureText.count() + 100, 'x')};
  const auto decoded = decode_signal(encode(Signal{gave_up}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<GaveUp>(*decoded).text.size(), limits::kMaxFailureText.count());
}

TEST(RendezvousSignal, RefusesWhatIsTooLargeOrNoText) {
  const auto text_of = [](std::uint8_t type, std::size_t size) {
    ByteBuffer plain(size + 1, std::byte{'x'});
    plain[0] = std::byte{type};
    return plain;
  };
  EXPECT_TRUE(decode_signal(text_of(1, limits::kMaxSdpSize.count())));
  EXPECT_FALSE(decode_signal(text_of(1, limits::kMaxSdpSize.count() + 1)));
  EXPECT_FALSE(decode_signal(text_of(2, limits::kMaxSdpSize.count() + 1)));
  EXPECT_FALSE(decode_signal(text_of(3, limits::kMaxSdpLine + 1)));
  EXPECT_FALSE(decode_signal(text_of(4, 1)));
  EXPECT_FALSE(decode_signal(text_of(5, 1)));
  EXPECT_FALSE(decode_signal(text_of(6, limits::kMaxFailureText.count() + 2)));
  EXPECT_FALSE(decode_signal(ByteBuffer{}));
  EXPECT_FALSE(decode_signal(ByteBuffer{std::byte{6}}));
  EXPECT_FALSE(decode_signal(ByteBuffer{std::byte{1}, std::byte{0xC0}, std::byte{0x80}}));
}

TEST(RendezvousDecoders, TakeAnyBytes) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
    const ByteView view = std::as_bytes(std::span{bytes});
    const auto message = decode_message(view);
    RC_ASSERT(message || !message.error().message.empty());
    const auto signal = decode_signal(view);
    RC_ASSERT(signal || !signal.error().message.empty());
  }));
}

}  // namespace
}  // namespace sluice::rendezvous
