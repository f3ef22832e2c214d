#include "crypto/keyed_hash.hpp"

#include <limits>

#include <sodium.h>

#include "core/byte_io.hpp"
#include "core/ensure.hpp"
#include "crypto/sodium.hpp"

namespace sluice::crypto {

struct KeyedHash::State {
  crypto_generichash_state blake2b;
  bool finished = false;
};

KeyedHash::KeyedHash(std::string_view purpose, ByteView key) : state_(std::make_unique<State>()) {
  ENSURE(key.empty() ||
         (key.size() >= crypto_generichash_KEYBYTES_MIN && key.size() <= crypto_generichash_KEYBYTES_MAX));
  start_sodium();
  crypto_generichash_init(&state_->blake2b, raw(key), key.size(), sizeof(Digest));
  add(as_bytes(purpose));
}

KeyedHash::~KeyedHash() {
  sodium_memzero(state_.get(), sizeof(State));
}

KeyedHash& KeyedHash::add(ByteView field) {
  ENSURE(!state_->finished && field.size() <= std::numeric_limits<std::uint32_t>::max());
  ByteBuffer length;
  ByteWriter{length}.write(static_cast<std::uint32_t>(field.size()));
  crypto_generichash_update(&state_->blake2b, raw(ByteView{length}), length.size());
  crypto_generichash_update(&state_->blake2b, raw(field), field.size());
  return *this;
}

void KeyedHash::finish(std::span<std::byte, 32> out) {
  ENSURE(!state_->finished);
  state_->finished = true;
  crypto_generichash_final(&state_->blake2b, raw(ByteSpan{out}), out.size());
}

Digest KeyedHash::digest() {
  Digest digest;
  finish(digest);
  return digest;
}

Secret<32> KeyedHash::key() {
  return Secret<32>::written_by([this](std::span<std::byte, 32> out) { finish(out); });
}

}  // namespace sluice::crypto
