#include "crypto/secret.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <new>
#include <optional>
#include <pthread.h>
#include <string>

#include <gtest/gtest.h>

#include "crypto/code.hpp"
#include "crypto/cpace.hpp"
#include "crypto/cpace_steps.hpp"
#include "crypto/encoding.hpp"
#include "crypto/key_file.hpp"

namespace {

using sluice::ByteView;

/// What is looked for in memory that is given back, and whether it was there. For one test at a time.
ByteView wanted;
bool left_behind = false;

void look_at(ByteView memory) noexcept {
  if (!wanted.empty() && !std::ranges::search(memory, wanted).empty()) left_behind = true;
}

/// Each block stands behind its size.
constexpr std::size_t kBlockHead = alignof(std::max_align_t);

void* take(std::size_t size) noexcept {
  auto* block = static_cast<std::byte*>(std::malloc(kBlockHead + size));
  if (block == nullptr) return nullptr;
  ::new (block) std::size_t{size};
  return block + kBlockHead;
}
void* take_or_throw(std::size_t size) {
  void* memory = take(size);
  if (memory == nullptr) throw std::bad_alloc{};
  return memory;
}
void give_back(void* memory) noexcept {
  if (memory == nullptr) return;
  auto* block = static_cast<std::byte*>(memory) - kBlockHead;
  look_at({static_cast<const std::byte*>(memory), *std::launder(reinterpret_cast<std::size_t*>(block))});
  std::free(block);
}

}  // namespace

// All of them: sanitizers mind when a block is taken by one kind and given back by another.
void* operator new(std::size_t size) {
  return take_or_throw(size);
}
void* operator new[](std::size_t size) {
  return take_or_throw(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return take(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return take(size);
}
void operator delete(void* memory) noexcept {
  give_back(memory);
}
void operator delete[](void* memory) noexcept {
  give_back(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  give_back(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  give_back(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  give_back(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  give_back(memory);
}

namespace sluice::crypto {
namespace {

namespace fs = std::filesystem;

/// A stack for one thread, to be looked at when the thread is over.
class Stack {
 public:
  Stack() : bytes_(static_cast<std::byte*>(std::aligned_alloc(kPage, kSize))) {
    std::fill_n(bytes_, kSize, std::byte{0});
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() { std::free(bytes_); }

  void run(const std::function<void()>& work) {
    pthread_attr_t attributes;
    ASSERT_EQ(::pthread_attr_init(&attributes), 0);
    ASSERT_EQ(::pthread_attr_setstack(&attributes, bytes_, kSize), 0);
    pthread_t thread{};
    const auto call = [](void* to_do) -> void* {
      std::array<std::byte, 4 * kPage>
          room;  // for what the thread does at its end, not to cover what is left
      wipe(room);
      (*static_cast<const std::function<void()>*>(to_do))();
      return nullptr;
    };
    ASSERT_EQ(::pthread_create(&thread, &attributes, call, const_cast<std::function<void()>*>(&work)), 0);
    ASSERT_EQ(::pthread_join(thread, nullptr), 0);
    ASSERT_EQ(::pthread_attr_destroy(&attributes), 0);
  }
  [[nodiscard]] ByteView bytes() const { return {bytes_, kSize}; }

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kSize = 256 * kPage;
  std::byte* bytes_;
};

/// Whether `work` leaves `bytes` in memory that it took and gave back, on the heap or on its stack.
bool leaves_behind(ByteView bytes, const std::function<void()>& work) {
  Stack stack;
  left_behind = false;
  wanted = bytes;
  stack.run(work);
  look_at(stack.bytes());
  wanted = {};
  return left_behind;
}

TEST(Secret, TestSeesWhatIsLeftBehind) {
  const std::string text(40, 'x');
  EXPECT_TRUE(leaves_behind(as_bytes(text), [] { EXPECT_EQ(std::string(40, 'x').size(), 40U); }));
  EXPECT_FALSE(leaves_behind(as_bytes(text), [] {
    std::string wiped(40, 'x');
    wipe(std::as_writable_bytes(std::span{wiped}));
  }));
}

TEST(Secret, LeavesNothingBehindWhenItGoesOrIsMoved) {
  const SharedKey key = SharedKey::random();
  EXPECT_FALSE(leaves_behind(key.secret().expose(), [&] {
    Secret<32> one = key.secret().clone();
    const Secret<32> other = std::move(one);
    EXPECT_TRUE(other == key.secret());
  }));
}

class KeyFileMemory : public testing::Test {
 protected:
  KeyFileMemory() {
    std::string name = (fs::temp_directory_path() / "sluice-secret-test-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = folder / "host.key";
  }
  ~KeyFileMemory() override { fs::remove_all(folder); }
  KeyFileMemory(const KeyFileMemory&) = delete;
  KeyFileMemory& operator=(const KeyFileMemory&) = delete;

  /// Neither the secret nor its digits, whole or in half.
  [[nodiscard]] bool leaves_key_behind(const std::function<void()>& work) const {
    const ByteView secret = key.secret().expose();
    const std::string digits = to_hex(secret);
    return leaves_behind(as_bytes(digits).first(32), work) ||
           leaves_behind(as_bytes(digits).last(32), work) || leaves_behind(secret.first(16), work) ||
           leaves_behind(secret.last(16), work);
  }

  fs::path folder;
  fs::path path;
  SharedKey key = SharedKey::random();
};

TEST_F(KeyFileMemory, HoldsNothingOfAKeyThatWasWritten) {
  EXPECT_FALSE(leaves_key_behind([&] { EXPECT_TRUE(write_key_file(path, key, IfKeyExists::replace)); }));
}

TEST_F(KeyFileMemory, HoldsNothingOfAKeyThatWasRead) {
  ASSERT_TRUE(write_key_file(path, key, IfKeyExists::refuse));
  EXPECT_FALSE(leaves_key_behind([&] {
    const auto read = read_key_file(path);
    EXPECT_TRUE(read && read->secret() == key.secret());
  }));
}

TEST_F(KeyFileMemory, HoldsNothingOfAKeyThatWasMistyped) {
  const std::string digits = to_hex(key.secret().expose());
  for (const std::string& secret : {digits.substr(0, 63) + "x", digits + "00", digits}) {
    std::ofstream{path} << "sluice-key 1\nsecret " << secret << "\ncheck 0000000000000000\n";
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
    const ByteView half = key.secret().expose().first(16);
    EXPECT_FALSE(leaves_behind(half, [&] { EXPECT_FALSE(read_key_file(path)); })) << secret.size();
  }
}

TEST(CpaceMemory, HoldsNoGeneratorWhenTheShareIsMade) {
  const cpace::Inputs inputs{
      .password = as_bytes("a password"), .channel = as_bytes("channel"), .session = as_bytes("session")};
  const auto generator = cpace::calculate_generator(inputs);
  std::optional<cpace::Exchange> exchange;
  std::optional<cpace::Scalar> scalar = cpace::Scalar::random();
  EXPECT_FALSE(leaves_behind(generator.expose(),
                             [&] { exchange.emplace(cpace::Role::initiator, inputs, std::move(*scalar)); }));
  EXPECT_NE(exchange->share(), cpace::Element{});
}

TEST(CodeMemory, HoldsNothingOfTheWordsWhenThePasswordIsMade) {
  const Code code =
      Code::parse("7-blackjack-businessman-blackjack").value();  // 31 letters: strings double 15
  EXPECT_FALSE(leaves_behind(as_bytes("blackjack-businessman"), [&] { (void)code.password(); }));
}

}  // namespace
}  // namespace sluice::crypto
