#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/ensure.hpp"

namespace sluice::flow {

/// How much of a limit one of many may use: dynamic thresholds (Choudhury and Hahne, "Dynamic queue length
/// thresholds for shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998).
///
/// Each may take more while it holds no more than `weight` times what is still free. One that is alone gets
/// weight / (1 + weight) of the limit, n that are greedy get equal parts of all but 1 / (1 + n * weight), and
/// that rest is what anyone who comes with little finds free.
struct Threshold {
  std::uint64_t limit;
  std::uint64_t weight = 1;

  struct Use {
    std::uint64_t own;
    std::uint64_t all;
  };
  [[nodiscard]] bool admits(Use use, std::uint64_t more) const {
    if (use.all >= limit || more > limit - use.all) return false;
    return use.own / weight <= limit - use.all - more;
  }
};

/// A limit that many share by name, none of whom may use it up for the others.
///
/// Pure. One shard. Bounded by the limit: who holds nothing is not in it.
class FairShare {
 public:
  explicit FairShare(Threshold threshold) : threshold_(threshold) {}

  /// False: it holds as much as it may for now.
  [[nodiscard]] bool take(std::string_view who, std::uint64_t amount = 1) {
    const std::uint64_t own = held(who);
    if (!threshold_.admits({.own = own, .all = all_}, amount)) return false;
    all_ += amount;
    held_[std::string{who}] = own + amount;
    return true;
  }
  /// Requires it to be held.
  void give_back(const std::string& who, std::uint64_t amount = 1) {
    const auto known = held_.find(who);
    ENSURE(known != held_.end() && known->second >= amount);
    all_ -= amount;
    known->second -= amount;
    if (known->second == 0) held_.erase(known);
  }

  [[nodiscard]] std::uint64_t held(std::string_view who) const {
    const auto known = held_.find(std::string{who});
    return known == held_.end() ? 0 : known->second;
  }
  [[nodiscard]] std::uint64_t all() const { return all_; }

 private:
  Threshold threshold_;
  std::uint64_t all_ = 0;
  std::unordered_map<std::string, std::uint64_t> held_;
};

}  // namespace sluice::flow
