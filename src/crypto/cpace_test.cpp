#include "crypto/cpace.hpp"

#include <fstream>
#include <sstream>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "crypto/cpace_steps.hpp"
#include "crypto/encoding.hpp"

namespace sluice::crypto::cpace {

struct FixedScalar {
  static Scalar of(ByteView bytes) { return Scalar{Secret<32>{bytes.first<32>()}}; }
};

namespace {

/// The draft's own example, appendix B.3.
class Vectors {
 public:
  Vectors() {
    std::ifstream file{SLUICE_TESTDATA "/cpace-ristretto255-sha512.json"};
    std::ostringstream text;
    text << file.rdbuf();
    all_ = boost::json::parse(text.str());
  }
  [[nodiscard]] ByteBuffer exchange(std::string_view name) const {
    return bytes(all_.at("exchange").at(name));
  }
  [[nodiscard]] ByteBuffer scalar_mult(std::string_view name) const {
    return bytes(all_.at("scalar_mult").at(name));
  }
  [[nodiscard]] ByteBuffer valid(std::string_view name) const {
    return bytes(all_.at("scalar_mult").at("Valid").at(name));
  }
  [[nodiscard]] ByteBuffer generator_string() const { return bytes(all_.at("generator_string")); }

 private:
  static ByteBuffer bytes(const boost::json::value& hex) {
    return from_hex(std::string_view{hex.as_string()}).value();
  }
  boost::json::value all_;
};

Element element(ByteView bytes) {
  Element out{};
  std::ranges::copy(bytes.first<kElementSize>(), out.begin());
  return out;
}

/// The example's setup, as views into itself.
struct Example {
  Vectors vectors;
  ByteBuffer password = vectors.exchange("PRS");
  ByteBuffer channel = vectors.exchange("CI");
  ByteBuffer session = vectors.exchange("sid");
  ByteBuffer data_a = vectors.exchange("ADa");
  ByteBuffer data_b = vectors.exchange("ADb");
  ByteBuffer scalar_a = vectors.exchange("ya");
  ByteBuffer scalar_b = vectors.exchange("yb");
  Element share_a = element(vectors.exchange("Ya"));
  Element share_b = element(vectors.exchange("Yb"));

  [[nodiscard]] Inputs setup() const {
    return {.password = password, .channel = channel, .session = session};
  }
  [[nodiscard]] AssociatedData data() const { return {.initiator = data_a, .responder = data_b}; }
  [[nodiscard]] Shares shares() const {
    return {.a = {.element = share_a, .data = data_a}, .b = {.element = share_b, .data = data_b}};
  }
  [[nodiscard]] std::string shared_hex() const {
    const auto shared = scalar_mult_vfy(ByteView{scalar_a}.first<32>(), share_b);
    return shared ? to_hex(shared->expose()) : "none";
  }
};

TEST(Cpace, MakesThePublishedGeneratorStringAndGenerator) {
  const Example example;
  EXPECT_EQ(to_hex(generator_string(example.setup())), to_hex(example.vectors.generator_string()));
  EXPECT_EQ(to_hex(calculate_generator(example.setup()).expose()), to_hex(example.vectors.exchange("g")));
}

TEST(Cpace, MakesThePublishedSharesAndSharedElement) {
  const Example example;
  const auto generator = calculate_generator(example.setup());
  EXPECT_EQ(scalar_mult(ByteView{example.scalar_a}.first<32>(), generator.expose()), example.share_a);
  EXPECT_EQ(scalar_mult(ByteView{example.scalar_b}.first<32>(), generator.expose()), example.share_b);
  EXPECT_EQ(example.shared_hex(), to_hex(example.vectors.exchange("K")));
  const auto other_way = scalar_mult_vfy(ByteView{example.scalar_b}.first<32>(), example.share_a);
  ASSERT_TRUE(other_way);
  EXPECT_EQ(to_hex(other_way->expose()), example.shared_hex());
}

TEST(Cpace, MakesThePublishedKeysInBothOrders) {
  const Example example;
  const auto shared = scalar_mult_vfy(ByteView{example.scalar_a}.first<32>(), example.share_b);
  ASSERT_TRUE(shared);
  const ByteBuffer ir = transcript_ir(example.shares());
  const ByteBuffer oc = transcript_oc(example.shares());
  EXPECT_EQ(to_hex(session_key({.session = example.session, .shared = *shared, .transcript = ir}).expose()),
            to_hex(example.vectors.exchange("ISK_IR")));
  EXPECT_EQ(to_hex(session_key({.session = example.session, .shared = *shared, .transcript = oc}).expose()),
            to_hex(example.vectors.exchange("ISK_SY")));
  EXPECT_EQ(to_hex(session_name(ir)), to_hex(example.vectors.exchange("sid_output_ir")));
  EXPECT_EQ(to_hex(session_name(oc)), to_hex(example.vectors.exchange("sid_output_oc")));
}

TEST(Cpace, OrdersSharesAlikeWhoeverIsNamedFirst) {
  const Example example;
  const Shares there = example.shares();
  const Shares back{.a = there.b, .b = there.a};
  EXPECT_EQ(transcript_oc(there), transcript_oc(back));
  EXPECT_NE(transcript_ir(there), transcript_ir(back));
}

TEST(Cpace, ExchangeYieldsThePublishedKeyOnBothSides) {
  const Example example;
  Exchange a{Role::initiator, example.setup(), FixedScalar::of(example.scalar_a)};
  Exchange b{Role::responder, example.setup(), FixedScalar::of(example.scalar_b)};
  EXPECT_EQ(a.share(), example.share_a);
  EXPECT_EQ(b.share(), example.share_b);
  const auto key_a = std::move(a).finish(example.share_b, example.data());
  const auto key_b = std::move(b).finish(example.share_a, example.data());
  ASSERT_TRUE(key_a && key_b);
  EXPECT_EQ(to_hex(key_a->expose()), to_hex(example.vectors.exchange("ISK_IR")));
  EXPECT_TRUE(*key_a == *key_b);
}

TEST(Cpace, MultipliesThePublishedValidPoint) {
  const Vectors vectors;
  const ByteBuffer scalar = vectors.valid("s");
  const Element point = element(vectors.valid("X"));
  EXPECT_EQ(to_hex(scalar_mult(ByteView{scalar}.first<32>(), point)),
            to_hex(vectors.valid("G.scalar_mult(s,decode(X))")));
  const auto verified = scalar_mult_vfy(ByteView{scalar}.first<32>(), point);
  ASSERT_TRUE(verified);
  EXPECT_EQ(to_hex(verified->expose()), to_hex(vectors.valid("G.scalar_mult_vfy(s,X)")));
}

TEST(Cpace, RefusesThePublishedInvalidPointAndTheNeutralOne) {
  const Vectors vectors;
  const ByteBuffer scalar = vectors.valid("s");
  for (const auto* name : {"Invalid Y1", "Invalid Y2"}) {
    const Element point = element(vectors.scalar_mult(name));
    EXPECT_FALSE(scalar_mult_vfy(ByteView{scalar}.first<32>(), point)) << name;
    const Example example;
    Exchange exchange{Role::initiator, example.setup(), Scalar::random()};
    const auto key = std::move(exchange).finish(point);
    ASSERT_FALSE(key) << name;
    EXPECT_EQ(key.error().code, Errc::malformed);
  }
}

TEST(Cpace, RefusesEncodingsThatAreNotCanonical) {
  // RFC 9496 appendix A.2: a field element not below p, a negative one, one that is no square.
  const Vectors vectors;
  const ByteBuffer scalar = vectors.valid("s");
  for (const auto* hex : {"00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                          "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "0100000000000000000000000000000000000000000000000000000000000000",
                          "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"}) {
    EXPECT_FALSE(scalar_mult_vfy(ByteView{scalar}.first<32>(), element(*from_hex(hex)))) << hex;
  }
}

TEST(Cpace, KeysDifferWhenAnythingOfTheSetupDiffers) {
  const auto key_with = [](const Inputs& theirs) {
    const Inputs ours{
        .password = as_bytes("word"), .channel = as_bytes("channel"), .session = as_bytes("sid")};
    Exchange a{Role::initiator, ours, Scalar::random()};
    Exchange b{Role::responder, theirs, Scalar::random()};
    const Element share_a = a.share();
    const Element share_b = b.share();
    return *std::move(a).finish(share_b) == *std::move(b).finish(share_a);
  };
  EXPECT_TRUE(
      key_with({.password = as_bytes("word"), .channel = as_bytes("channel"), .session = as_bytes("sid")}));
  EXPECT_FALSE(
      key_with({.password = as_bytes("ward"), .channel = as_bytes("channel"), .session = as_bytes("sid")}));
  EXPECT_FALSE(
      key_with({.password = as_bytes("word"), .channel = as_bytes("chanell"), .session = as_bytes("sid")}));
  EXPECT_FALSE(
      key_with({.password = as_bytes("word"), .channel = as_bytes("channel"), .session = as_bytes("sit")}));
  EXPECT_FALSE(
      key_with({.password = as_bytes("word"), .channel = as_bytes("channels"), .session = as_bytes("id")}));
}

TEST(Cpace, SameRoleOnBothSidesYieldsDifferentKeys) {
  const Inputs setup{
      .password = as_bytes("word"), .channel = as_bytes("channel"), .session = as_bytes("sid")};
  Exchange a{Role::initiator, setup, Scalar::random()};
  Exchange b{Role::initiator, setup, Scalar::random()};
  const Element share_a = a.share();
  const Element share_b = b.share();
  EXPECT_FALSE(*std::move(a).finish(share_b) == *std::move(b).finish(share_a));
}

TEST(Cpace, LengthsAreLittleEndianBase128) {
  ByteBuffer out;
  append_with_length(out, ByteBuffer(5));
  EXPECT_EQ(to_hex(out), "050000000000");
  out.clear();
  append_with_length(out, ByteBuffer(128));
  EXPECT_EQ(to_hex(ByteView{out}.first(3)), "800100");
  EXPECT_EQ(out.size(), 130U);
  out.clear();
  append_with_length(out, ByteBuffer(20'000));
  EXPECT_EQ(to_hex(ByteView{out}.first(3)), "a09c01");
}

TEST(Cpace, LongPasswordsNeedNoPadding) {
  const std::string password(200, 'x');
  const Inputs setup{.password = as_bytes(password), .channel = as_bytes("c"), .session = as_bytes("s")};
  EXPECT_EQ(generator_string(setup).size(), 18U + 2 + 200 + 1 + 2 + 2);
}

}  // namespace
}  // namespace sluice::crypto::cpace
