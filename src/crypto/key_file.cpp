#include "crypto/key_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <stdlib.h>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "core/limits.hpp"
#include "core/secret_file.hpp"
#include "crypto/encoding.hpp"
#include "crypto/keyed_hash.hpp"
#include "crypto/random.hpp"

namespace sluice::crypto {
namespace {

constexpr std::string_view kHeader = "sluice-key 1";
constexpr std::string_view kAnyHeader = "sluice-key ";
constexpr std::size_t kCheckSize = 8;

/// Closes a descriptor, and removes an unfinished file unless told to keep it.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!unfinished_.empty()) ::unlink(unfinished_.c_str());
  }
  void remove_unless_kept(std::string path) { unfinished_ = std::move(path); }
  void keep() { unfinished_.clear(); }
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
  std::string unfinished_;
};

struct FileTask {
  std::string_view doing;
  const std::filesystem::path& path;
};

std::unexpected<Error> system_failure(const FileTask& task, int error) {
  const Errc code = error == ENOENT || error == ENOTDIR                   ? Errc::not_found
                    : error == EACCES || error == EPERM || error == EROFS ? Errc::permission_denied
                                                                          : Errc::io;
  return fail(code, "Cannot " + std::string{task.doing} + " the key file " + task.path.string() + ": " +
                        std::generic_category().message(error) + ".");
}

std::string check_of(std::string_view text) {
  const Digest digest = KeyedHash{"sluice/1 key file"}.add(as_bytes(text)).digest();
  return to_hex(ByteView{digest}.first(kCheckSize));
}

/// What a key's file says; wiped when it goes.
class KeyText {
 public:
  explicit KeyText(const SharedKey& key) {
    text_.reserve(limits::kMaxKeyFile.count());  // not to leave a piece of it behind by growing
    text_ += kHeader;
    text_ += "\nsecret ";
    std::string digits = to_hex(key.secret().expose());
    text_ += digits;
    wipe(std::as_writable_bytes(std::span{digits}));
    text_ += '\n';
    check_ = check_of(text_);
    text_ += "check ";
    text_ += check_;
    text_ += '\n';
  }
  KeyText(const KeyText&) = delete;
  KeyText& operator=(const KeyText&) = delete;
  ~KeyText() { wipe(std::as_writable_bytes(std::span{text_})); }

  [[nodiscard]] std::string_view whole() const { return text_; }
  [[nodiscard]] std::string_view check() const { return check_; }

 private:
  std::string text_;
  std::string check_;
};

/// A line up to its end, without it, taken off the front; nothing when the text has no whole line left.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Result<SharedKey> parse_secret(std::string_view digits) {
  auto bytes = digits.size() == 64 ? from_hex(digits) : std::nullopt;
  if (!bytes) return fail(Errc::malformed, "its secret is not 64 hexadecimal digits");
  SharedKey key{Secret<32>{std::span<const std::byte, 32>{*bytes}}};
  wipe(*bytes);
  return key;
}

Result<SharedKey> parse(std::string_view text) {
  const auto header = take_line(text);
  if (!header || !header->starts_with(kAnyHeader))
    return fail(Errc::malformed, "it is not a Sluice key file");
  if (*header != kHeader) return fail(Errc::unsupported, "it was made by a later version of Sluice");
  const auto secret_line = take_line(text);
  auto check_line = take_line(text);
  if (!check_line && !text.empty()) check_line = text;  // an editor may have taken the last line's end away
  if (!secret_line || !check_line || !secret_line->starts_with("secret ") ||
      !check_line->starts_with("check ")) {
    return fail(Errc::malformed, "it is not whole");
  }
  auto key = parse_secret(secret_line->substr(7));
  if (!key) return key;
  if (KeyText{*key}.check() != check_line->substr(6))
    return fail(Errc::malformed, "its check does not fit: it was altered or cut short");
  return key;
}

Result<std::size_t> read_all(int descriptor, ByteSpan out, const std::filesystem::path& path) {
  std::size_t size = 0;
  while (size < out.size()) {
    const ssize_t got = ::read(descriptor, out.data() + size, out.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure({.doing = "read", .path = path}, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

Status write_all(int descriptor, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(descriptor, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_failure({.doing = "write", .path = path}, errno);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fsync(descriptor) != 0) return system_failure({.doing = "write", .path = path}, errno);
  return {};
}

}  // namespace

SharedKey SharedKey::random() {
  return SharedKey{random_secret<32>()};
}

std::string SharedKey::mailbox() const {
  const Digest name = KeyedHash{"sluice/1 mailbox name", secret_.expose()}.digest();
  return to_hex(ByteView{name}.first(16));
}

Secret<32> SharedKey::password() const {
  return KeyedHash{"sluice/1 key file password", secret_.expose()}.key();
}

Result<SharedKey> read_key_file(const std::filesystem::path& path) {
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // a FIFO must not hold us up
  if (file.get() < 0) return system_failure({.doing = "open", .path = path}, errno);
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return system_failure({.doing = "read", .path = path}, errno);
  if (!S_ISREG(about.st_mode)) return fail(Errc::malformed, path.string() + " is not a file.");
  if (auto secret = check_secret_file(path, "The key"); !secret) return fail(std::move(secret.error()));
  Result<std::size_t> size;
  const auto bytes = Secret<limits::kMaxKeyFile.count() + 1>::written_by(
      [&](ByteSpan out) { size = read_all(file.get(), out, path); });
  if (!size) return fail(size.error());
  auto key = *size > limits::kMaxKeyFile.count()
                 ? Result<SharedKey>{fail(Errc::malformed, "it is far too long")}
                 : parse(as_text(ByteView{bytes.expose()}.first(*size)));
  if (!key) {
    return fail(key.error().code,
                "Cannot use the key file " + path.string() + ": " + key.error().message + ".");
  }
  return key;
}

Status write_key_file(const std::filesystem::path& path, const SharedKey& key, IfKeyExists if_exists) {
  std::string unfinished = path.string() + ".XXXXXX";
  OpenFile file{::mkostemp(unfinished.data(), O_CLOEXEC)};  // mode 0600
  if (file.get() < 0) return system_failure({.doing = "write", .path = path}, errno);
  file.remove_unless_kept(unfinished);

  const KeyText text{key};
  if (auto written = write_all(file.get(), text.whole(), path); !written) return written;

  const unsigned flags = if_exists == IfKeyExists::refuse ? RENAME_NOREPLACE : 0U;
  if (::renameat2(AT_FDCWD, unfinished.c_str(), AT_FDCWD, path.c_str(), flags) != 0) {
    if (errno == EEXIST) {
      return fail(Errc::refused, "There is a file " + path.string() + " already; it was left as it is.");
    }
    return system_failure({.doing = "write", .path = path}, errno);
  }
  file.keep();
  return {};
}

}  // namespace sluice::crypto
