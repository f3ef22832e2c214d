#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "core/ensure.hpp"

namespace sluice {

/// First in, first out, for owners of which there are many that hardly ever have anything in it: it takes no
/// memory before the first item, where a `std::deque` of libstdc++ takes 600 bytes, and keeps little of what
/// a burst took. Each operation is O(1) amortised.
template <typename T>
class Fifo {
 public:
  using iterator = typename std::vector<T>::iterator;
  using const_iterator = typename std::vector<T>::const_iterator;

  [[nodiscard]] bool empty() const { return first_ == items_.size(); }
  [[nodiscard]] std::size_t size() const { return items_.size() - first_; }
  [[nodiscard]] iterator begin() { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  [[nodiscard]] iterator end() { return items_.end(); }
  [[nodiscard]] const_iterator begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  [[nodiscard]] const_iterator end() const { return items_.end(); }
  /// These require that it is not empty.
  [[nodiscard]] T& front() {
    ENSURE(!empty());
    return items_[first_];
  }
  [[nodiscard]] const T& front() const {
    ENSURE(!empty());
    return items_[first_];
  }

  void push_back(T item) { items_.push_back(std::move(item)); }
  T take_front() {
    T item = std::move(front());
    if (++first_ == items_.size()) {
      items_.clear();
      if (items_.capacity() > kWaste) std::vector<T>{}.swap(items_);
      first_ = 0;
    } else if (first_ >= kWaste && first_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), begin());
      first_ = 0;
    }
    return item;
  }

 private:
  /// Places of so many are not worth giving back.
  static constexpr std::size_t kWaste = 32;

  std::vector<T> items_;
  std::size_t first_ = 0;
};

}  // namespace sluice
