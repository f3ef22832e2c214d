#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

/// The one policy for files that hold secrets: keys, tokens, codes, stored messages (docs/security.md).
namespace sluice {

/// Who may do what with a file or a folder.
struct FileAccess {
  std::uint32_t mode = 0;   ///< The permission bits, sticky bit included.
  std::uint32_t owner = 0;  ///< A user's number; 0 is root.
};

/// What stands at the path of a secret.
struct SecretPlace {
  FileAccess file;
  FileAccess folder;                 ///< That the file is in, symbolic links resolved.
  std::optional<FileAccess> link{};  ///< When the path itself is a symbolic link.
};

/// What is wrong with it for a process of that user, and what to do: `can be read by others: chmod 600 PATH`.
/// Nothing when nothing is. Pure.
///
/// The file belongs to the user or to root; neither group nor others may read, write or run it, but for the
/// group of a file of root's, which may read it: `root:ssl-cert 0640` is how a key is given to a service.
/// Nobody else may replace it: its folder is not for everyone to write, unless it is sticky, as /tmp is; a
/// symbolic link is the user's or root's.
[[nodiscard]] std::optional<std::string> objection_to(const SecretPlace& place, std::uint32_t user,
                                                      const std::filesystem::path& path);

/// The same of what is there, for this process. `what` begins the error's sentence: "The admin token". What
/// is no regular file passes: a pipe or a terminal has no reader but us. So does what is not there: whoever
/// opens it says so. Errors: `permission_denied`. Waits for the disk.
[[nodiscard]] Status check_secret_file(const std::filesystem::path& path, std::string_view what);

/// A folder of such files, which nobody else may write. It may be listed by others: its files are their
/// owner's alone. Errors: as above.
[[nodiscard]] Status check_secret_folder(const std::filesystem::path& path, std::string_view what);

}  // namespace sluice
