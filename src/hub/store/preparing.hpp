#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "hub/store/sqlite.hpp"

namespace sluice::hub::store::sqlite {

/// Prepares statements one after the other; the first error is kept, and everything after it is of no use.
class Preparing {
 public:
  explicit Preparing(Database& database) : database_(database) {}

  Statement operator()(std::string_view text) {
    auto statement = database_.prepare(text);
    if (statement) return std::move(*statement);
    if (!error_) error_ = std::move(statement.error());
    return {};
  }
  [[nodiscard]] std::optional<Error>& error() { return error_; }

 private:
  Database& database_;
  std::optional<Error> error_;
};

}  // namespace sluice::hub::store::sqlite
