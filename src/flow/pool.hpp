#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sluice::flow {

struct PoolStats {
  std::uint64_t capacity = 0;
  std::uint64_t taken = 0;
  std::uint64_t peak = 0;
  std::uint64_t refused = 0;  ///< Times that a share wanted more than it could have.
};

struct PoolOptions {
  std::uint64_t capacity = 0;
  std::size_t sessions = 0;  ///< How many there may be at once that each have a part for certain.
};

/// Something that a process has so much of and no more (descriptors, bytes), and that its sessions share.
///
/// Each session has a `Share`. A quarter of the pool is divided among all sessions that there may be, so that
/// each has its part for certain, however greedy those before it were. Of the rest no share may come to hold
/// more than `kFactor` times what is left of it for the others (the dynamic threshold of shared-buffer
/// switches, Choudhury and Hahne 1998): one alone gets four fifths of it, and n that want all get 4/(4n + 1)
/// each. Nothing is taken back: a share that held most of it before others came takes no more until they have
/// caught up. A strict promise: what all shares hold never exceeds the capacity. One thread.
class Pool {
 public:
  static constexpr std::uint64_t kFactor = 4;
  static constexpr std::uint64_t kCertainPart = 4;

  explicit Pool(PoolOptions options);
  explicit Pool(std::uint64_t capacity) : Pool(PoolOptions{.capacity = capacity}) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] std::uint64_t left() const { return capacity_ - stats_.taken; }
  [[nodiscard]] PoolStats stats() const;

  /// What one session holds; gives it back when it goes. Without a pool there is no limit.
  class Share {
   public:
    explicit Share(std::shared_ptr<Pool> pool);
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share();

    /// How much more it may take now.
    [[nodiscard]] std::uint64_t room() const;
    /// All of it, or nothing where that is more than `room`.
    [[nodiscard]] bool take(std::uint64_t amount);
    void give(std::uint64_t amount);  ///< Requires it to be held.
    [[nodiscard]] std::uint64_t held() const { return held_; }

   private:
    /// Of `held`, what is not of the part that this share has for certain.
    [[nodiscard]] std::uint64_t common(std::uint64_t held) const { return held - std::min(held, certain_); }
    void set_held(std::uint64_t held);

    std::shared_ptr<Pool> pool_;
    std::uint64_t certain_ = 0;
    std::uint64_t held_ = 0;
  };

 private:
  const std::uint64_t capacity_;
  const std::uint64_t certain_;  // what each session has for certain
  std::size_t certain_left_;     // sessions that may still come to such a part
  std::uint64_t common_left_;    // of what is not set aside for anybody
  PoolStats stats_;
};

}  // namespace sluice::flow
