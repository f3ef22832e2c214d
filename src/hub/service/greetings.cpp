#include "hub/service/greetings.hpp"

#include "core/ensure.hpp"
#include "transport/address_block.hpp"

namespace sluice::hub::service {
namespace {

/// What an address counts under; empty: under nothing.
std::string block_of(std::string_view address) {
  std::string block = transport::address_block(std::string{address});
  static const std::string own = transport::address_block("::1");
  return block.starts_with("127.") || block == own ? std::string{} : block;
}

}  // namespace

void Greetings::begin(std::string_view address) {
  std::string block = block_of(address);
  const std::scoped_lock lock{mutex_};
  ++all_;
  if (!block.empty()) ++from_[std::move(block)];
}

void Greetings::end(std::string_view address) {
  const std::string block = block_of(address);
  const std::scoped_lock lock{mutex_};
  --all_;
  if (block.empty()) return;
  const auto known = from_.find(block);
  ENSURE(known != from_.end());
  if (--known->second == 0) from_.erase(known);
}

std::size_t Greetings::all() const {
  const std::scoped_lock lock{mutex_};
  return all_;
}

std::size_t Greetings::from(std::string_view address) const {
  const std::string block = block_of(address);
  const std::scoped_lock lock{mutex_};
  const auto known = from_.find(block);
  return known == from_.end() ? 0 : known->second;
}

}  // namespace sluice::hub::service
