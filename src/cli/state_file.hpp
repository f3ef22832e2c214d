#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "wire/hub/message.hpp"

namespace sluice::cli {

/// What `subscribe --state` keeps from run to run.
struct KeptState {
  std::string session_token{};  ///< A secret.
  std::vector<wire::hub::PositionIn> positions{};

  bool operator==(const KeptState&) const = default;
};

/// JSON. Errors: `malformed`.
[[nodiscard]] std::string format_state(const KeptState& state);
[[nodiscard]] Result<KeptState> parse_state(std::string_view text);

/// Nothing where there is no such file. Errors: `io`, `malformed`.
[[nodiscard]] Result<KeptState> load_state(const std::string& file);
/// In one piece: whoever reads it sees the old state or the new one. Readable by its owner only. Errors:
/// `io`.
[[nodiscard]] Status save_state(const std::string& file, const KeptState& state);

}  // namespace sluice::cli
