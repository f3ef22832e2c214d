#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "core/error.hpp"

namespace sluice::cli {

/// A hub's answer to `GET /v1/admin/clients`, which nobody vouches for.
///
/// Takes time and memory in proportion to the text, whatever it says: one client at a time is made of it, and
/// it is walked twice, the first time for what it holds and how wide its columns are.
class ClientList {
 public:
  static constexpr std::size_t kColumns = 9;
  using Row = std::array<std::string, kColumns>;

  /// Looks through all of it. The text outlives it. Errors: `protocol_violation`: no list of clients, more of
  /// them than `most`, or a figure that cannot be.
  [[nodiscard]] static Result<ClientList> read(std::string_view text, std::size_t most);

  /// Each client in its order, with its line of the table. Without an error, since `read` has found none.
  void for_each(const std::function<void(boost::json::object client, std::string_view line)>& use) const;
  [[nodiscard]] std::string heads() const;
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool more() const { return more_; }

 private:
  [[nodiscard]] Status look(std::string_view clients, std::size_t most);
  void widen(const Row& row);
  [[nodiscard]] std::string line_of(const Row& row) const;

  std::string_view clients_ = "[]";
  std::size_t size_ = 0;
  bool more_ = false;
  std::array<std::size_t, kColumns> widths_{};
};

}  // namespace sluice::cli
