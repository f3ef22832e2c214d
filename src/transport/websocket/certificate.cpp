#include "transport/websocket/certificate.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <memory>
#include <netinet/in.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "observe/log.hpp"
#include "transport/websocket/fingerprint.hpp"

namespace sluice::websocket {
namespace {

constexpr long kYear = 365L * 24 * 3600;
constexpr long kClockSkew = 3600;  // a client's clock may be behind ours

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

Error system_error(const std::string& what, const std::filesystem::path& path, int number) {
  const Errc code =
      number == EACCES || number == EPERM || number == EROFS ? Errc::permission_denied : Errc::io;
  return {.code = code,
          .message = what + " " + path.string() + ": " + std::generic_category().message(number)};
}

Result<Certificate> read_certificate(const std::filesystem::path& path) {
  const Bio file{BIO_new_file(path.c_str(), "r")};
  if (!file) {
    ERR_clear_error();
    return fail(Errc::not_found, "Cannot open the certificate " + path.string() + ".");
  }
  Certificate certificate{PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr)};
  ERR_clear_error();
  if (!certificate) return fail(Errc::malformed, path.string() + " holds no certificate in PEM form.");
  return certificate;
}

bool add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension{X509V3_EXT_conf_nid(nullptr, &context, nid, value)};
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Certificate make_certificate(EVP_PKEY* key) {
  Certificate certificate{X509_new()};
  std::array<unsigned char, 16> serial{};
  if (!certificate || RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1) return nullptr;
  serial[0] &= 0x7F;  // positive (RFC 5280 §4.1.2.2)
  const std::unique_ptr<BIGNUM, Freer<BN_free>> number{
      BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr)};
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* common_name = reinterpret_cast<const unsigned char*>("sluice development hub");
  const bool made =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 && number &&
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get())) != nullptr &&
      X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kClockSkew) != nullptr &&
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kYear) != nullptr &&
      X509_set_pubkey(certificate.get(), key) == 1 &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common_name, -1, -1, 0) == 1 &&
      X509_set_issuer_name(certificate.get(), name) == 1 &&
      add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(certificate.get(), NID_ext_key_usage, "serverAuth") &&
      add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
      X509_sign(certificate.get(), key, EVP_sha256()) != 0;
  if (!made) return nullptr;
  return certificate;
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

struct PemFile {
  std::filesystem::path path;
  std::string text;
  mode_t mode;
};

/// Writes beside the file and renames, so that a start that is cut short leaves no half a file.
Status write_file(const PemFile& file) {
  const std::filesystem::path fresh = file.path.string() + ".new";
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.mode);
  if (fd < 0) return fail(system_error("Cannot write", fresh, errno));
  const ssize_t written = ::write(fd, file.text.data(), file.text.size());
  const int number = written < 0 ? errno : EIO;
  const bool whole = written == static_cast<ssize_t>(file.text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!whole) return fail(system_error("Cannot write", fresh, number));
  if (::rename(fresh.c_str(), file.path.c_str()) != 0)
    return fail(system_error("Cannot rename", fresh, errno));
  return {};
}

Status generate(const PemFiles& files) {
  const Key key{EVP_EC_gen("P-256")};
  const Certificate certificate = key ? make_certificate(key.get()) : nullptr;
  const Bio key_text{BIO_new(BIO_s_mem())};
  const Bio certificate_text{BIO_new(BIO_s_mem())};
  if (!certificate || !key_text || !certificate_text ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1) {
    ERR_clear_error();
    return fail(Errc::io, "OpenSSL could not make a development certificate.");
  }
  if (auto done = write_file({.path = files.key, .text = text_of(key_text.get()), .mode = 0600}); !done)
    return done;
  return write_file({.path = files.certificate, .text = text_of(certificate_text.get()), .mode = 0644});
}

}  // namespace

Fingerprint fingerprint_of(const X509* certificate) {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1 || size != digest.size()) return {};
  static constexpr std::string_view kHex = "0123456789abcdef";
  Fingerprint text{"sha256:"};
  for (const unsigned char byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 0xF];
  }
  return text;
}

Result<Fingerprint> parse_fingerprint(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("sha256:")) rest.remove_prefix(7);
  std::string digits;
  bool legal = true;
  for (const char c : rest) {
    if (c == ':') continue;
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    legal = legal && ((lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f'));
    digits += lower;
  }
  if (!legal || digits.size() != 64) {
    return fail(Errc::invalid_argument,
                '"' + std::string{text} +
                    "\" is not a certificate's fingerprint; expected sha256: and 64 hexadecimal digits");
  }
  return "sha256:" + digits;
}

Result<Fingerprint> fingerprint_of(const std::filesystem::path& certificate) {
  const auto read = read_certificate(certificate);
  if (!read) return fail(read.error());
  return fingerprint_of(read->get());
}

Result<std::vector<std::string>> certificate_names(const std::filesystem::path& certificate) {
  const auto read = read_certificate(certificate);
  if (!read) return fail(read.error());
  const std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>> found{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(read->get(), NID_subject_alt_name, nullptr, nullptr))};
  std::vector<std::string> names;
  for (int i = 0; found && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(found.get(), i);
    const bool is_address = name->type == GEN_IPADD;
    if (!is_address && name->type != GEN_DNS) continue;
    const ASN1_STRING* const value = is_address ? name->d.iPAddress : name->d.dNSName;
    const unsigned char* const data = ASN1_STRING_get0_data(value);
    const int size = ASN1_STRING_length(value);
    std::array<char, INET6_ADDRSTRLEN> address{};
    if (!is_address) {
      names.emplace_back(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    } else if ((size == 4 || size == 16) &&
               inet_ntop(size == 4 ? AF_INET : AF_INET6, data, address.data(), address.size()) != nullptr) {
      names.emplace_back(address.data());
    }
  }
  return names;
}

Result<PemFiles> development_certificate(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(system_error("Cannot make the folder", folder, error.value()));
  PemFiles files{.certificate = folder / "hub-cert.pem", .key = folder / "hub-key.pem"};
  const bool have_key = std::filesystem::exists(files.key, error);
  if (have_key && std::filesystem::exists(files.certificate, error)) {
    const auto read = read_certificate(files.certificate);
    if (!read) return fail(read.error());
    if (X509_cmp_current_time(X509_get0_notAfter(read->get())) > 0) return files;
    observe::log(observe::LogLevel::warn, "websocket",
                 "the development certificate in " + folder.string() +
                     " has run out; a new one is made, pins must change");
  }
  if (auto made = generate(files); !made) return fail(made.error());
  return files;
}

}  // namespace sluice::websocket
