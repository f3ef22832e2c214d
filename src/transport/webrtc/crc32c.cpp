#include "transport/webrtc/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace sluice::webrtc {
namespace {

/// The Castagnoli polynomial, bits reversed (RFC 3720 §12.1).
constexpr std::uint32_t kPolynomial = 0x82f63b78;

using Table = std::array<std::uint32_t, 256>;

/// tables[k][b]: what byte b does to the state when k more bytes follow it; eight of them take eight bytes at
/// a time.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ ((state & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = state;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xff];
    }
  }
  return tables;
}
constexpr std::array<Table, 8> kTables = make_tables();

std::uint64_t load_little(const std::byte* from) {
  std::uint64_t word = 0;
  for (unsigned i = 0; i < 8; ++i) word |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
  return word;
}

/// What `bytes` zero bytes do to a state is linear in its bits: one table for each of the state's four bytes.
class ZeroShift {
 public:
  explicit constexpr ZeroShift(std::size_t bytes) {
    for (std::size_t bit = 0; bit < 32; ++bit) {
      std::uint32_t state = std::uint32_t{1} << bit;
      for (std::size_t i = 0; i < bytes; ++i) state = state >> 8 ^ kTables[0][state & 0xff];
      Table& table = shift_[bit / 8];
      for (std::size_t byte = 0; byte < 256; ++byte) {
        if ((byte >> bit % 8 & 1) != 0) table[byte] ^= state;
      }
    }
  }
  [[nodiscard]] std::uint32_t operator()(std::uint32_t state) const {
    return shift_[0][state & 0xff] ^ shift_[1][state >> 8 & 0xff] ^ shift_[2][state >> 16 & 0xff] ^
           shift_[3][state >> 24];
  }

 private:
  std::array<Table, 4> shift_{};
};

#if defined(__x86_64__)
#define SLUICE_CRC32C_INSTRUCTION __attribute__((target("sse4.2")))
SLUICE_CRC32C_INSTRUCTION std::uint32_t step64(std::uint32_t state, std::uint64_t word) {
  return static_cast<std::uint32_t>(_mm_crc32_u64(state, word));
}
SLUICE_CRC32C_INSTRUCTION std::uint32_t step8(std::uint32_t state, std::byte byte) {
  return _mm_crc32_u8(state, std::to_integer<std::uint8_t>(byte));
}
bool has_instruction() {
  return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__) && defined(__linux__)
#define SLUICE_CRC32C_INSTRUCTION __attribute__((target("+crc")))
SLUICE_CRC32C_INSTRUCTION std::uint32_t step64(std::uint32_t state, std::uint64_t word) {
  return __crc32cd(state, word);
}
SLUICE_CRC32C_INSTRUCTION std::uint32_t step8(std::uint32_t state, std::byte byte) {
  return __crc32cb(state, std::to_integer<std::uint8_t>(byte));
}
bool has_instruction() {
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#endif

#ifdef SLUICE_CRC32C_INSTRUCTION
std::uint64_t load_native(const std::byte* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return word;
}

/// The instruction takes three cycles but a new one may begin in each: three lanes of this length side by
/// side.
constexpr std::size_t kLane = 128;

SLUICE_CRC32C_INSTRUCTION std::uint32_t with_instruction(std::uint32_t state, ByteView bytes) {
  static constexpr ZeroShift kOverOneLane{kLane};
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 3 * kLane; at += 3 * kLane, left -= 3 * kLane) {
    std::uint32_t second = 0;
    std::uint32_t third = 0;
    for (std::size_t i = 0; i < kLane; i += 8) {
      state = step64(state, load_native(at + i));
      second = step64(second, load_native(at + kLane + i));
      third = step64(third, load_native(at + 2 * kLane + i));
    }
    state = kOverOneLane(kOverOneLane(state) ^ second) ^ third;
  }
  for (; left >= 8; at += 8, left -= 8) state = step64(state, load_native(at));
  for (; left > 0; ++at, --left) state = step8(state, *at);
  return state;
}
#endif

}  // namespace

namespace crc32c_detail {

std::uint32_t by_table(std::uint32_t state, ByteView bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    const std::uint64_t word = load_little(at) ^ state;
    state = 0;
    for (unsigned i = 0; i < 8; ++i) state ^= kTables[7 - i][word >> (8 * i) & 0xff];
  }
  for (; left > 0; ++at, --left)
    state = state >> 8 ^ kTables[0][(state ^ std::to_integer<std::uint32_t>(*at)) & 0xff];
  return state;
}

Step by_instruction() {
#ifdef SLUICE_CRC32C_INSTRUCTION
  return has_instruction() ? &with_instruction : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace crc32c_detail

Crc32c& Crc32c::add(ByteView bytes) {
  static const crc32c_detail::Step step = [] {
    const crc32c_detail::Step instruction = crc32c_detail::by_instruction();
    return instruction != nullptr ? instruction : &crc32c_detail::by_table;
  }();
  state_ = step(state_, bytes);
  return *this;
}

}  // namespace sluice::webrtc
