#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "core/ensure.hpp"

namespace sluice {

/// First in, first out, for owners of which there are many with nothing in it: it takes no memory while it is
/// empty, where a `std::deque` of libstdc++ takes 600 bytes. Each operation is O(1) amortised.
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
  [[nodiscard]] const T& front() const {
    ENSURE(!empty());
    return items_[first_];
  }

  void push_back(T item) { items_.push_back(std::move(item)); }
  /// Requires that it is not empty.
  [[nodiscard]] T take_front() {
    ENSURE(!empty());
    T item = std::move(items_[first_]);
    if (++first_ == items_.size()) {
      std::vector<T>{}.swap(items_);  // `= {}` would keep its memory
      first_ = 0;
    } else if (first_ >= kWaste && first_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), begin());
      first_ = 0;
    }
    return item;
  }

 private:
  /// So many that were taken are not worth moving the rest.
  static constexpr std::size_t kWaste = 32;

  std::vector<T> items_;
  std::size_t first_ = 0;
};

}  // namespace sluice
