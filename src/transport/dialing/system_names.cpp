#include "transport/dialing/system_names.hpp"

#include <algorithm>
#include <arpa/nameser.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <resolv.h>
#include <span>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>

#include "transport/dialing/dns.hpp"

namespace sluice::dialing {
namespace {

namespace asio = boost::asio;

/// More of a hosts file is not looked at: then the name is asked for in DNS, in vain.
constexpr std::size_t kMostOfHostsFile = std::size_t{1} << 20U;
/// A DNS message over UDP with EDNS; a longer answer is cut off there and tells no time to live.
constexpr std::size_t kDnsMessage = 4096;

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Answer miss(int code, int system_error) {
  if (system_error == EMFILE || system_error == ENFILE)
    return {.miss = Answer::Miss::no_descriptors, .text = std::strerror(system_error)};
  const bool unknown =
      code == EAI_NONAME || code == EAI_NODATA || code == EAI_ADDRFAMILY || code == EAI_FAMILY;
  return {.miss = unknown ? Answer::Miss::not_found : Answer::Miss::trouble,
          .text = code == EAI_SYSTEM ? std::strerror(system_error) : ::gai_strerror(code)};
}

std::string read_hosts_file() {
  std::string text;
  const int file = ::open("/etc/hosts", O_RDONLY | O_CLOEXEC);
  if (file < 0) return text;
  std::array<char, 4096> piece{};
  ssize_t got = 0;
  while (text.size() < kMostOfHostsFile && (got = ::read(file, piece.data(), piece.size())) > 0)
    text.append(piece.data(), static_cast<std::size_t>(got));
  ::close(file);
  return text;
}

/// A name that stands in the hosts file with one family is not asked for in DNS with the other: the file is
/// meant to have the last word, which getaddrinfo(3) gives it only where both are asked for at once.
Answer look_up(const Question& question) {
  const int family = question.family == Family::v6 ? AF_INET6 : AF_INET;
  addrinfo hints{};
  hints.ai_family = names_host(read_hosts_file(), question.host) ? AF_UNSPEC : family;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  errno = 0;
  const int code = ::getaddrinfo(question.host.c_str(), nullptr, &hints, &list);
  if (code != 0) return miss(code, errno);
  const std::unique_ptr<addrinfo, FreeAddresses> owned{list};
  Answer answer;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (each->ai_family != family) continue;
    if (each->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), each->ai_addr, each->ai_addrlen);
    endpoint.resize(each->ai_addrlen);
    answer.addresses.push_back(endpoint.address());
  }
  if (answer.addresses.empty()) return miss(EAI_ADDRFAMILY, 0);
  return answer;
}

/// Names that DNS is not asked for: they are the machine's own, or the local network's (RFC 6761, RFC 6762).
bool is_local(const std::string& host) {
  const auto ends_with = [&](std::string_view tail) {
    return host.size() >= tail.size() &&
           ::strcasecmp(host.c_str() + host.size() - tail.size(), tail.data()) == 0;
  };
  return ends_with("localhost") || ends_with(".local") || names_host(read_hosts_file(), host);
}

std::optional<Duration> life_of(const Question& question) {
  if (is_local(question.host)) return std::nullopt;
  struct __res_state state{};
  if (::res_ninit(&state) != 0) return std::nullopt;
  std::array<unsigned char, kDnsMessage> message{};
  const int type = question.family == Family::v6 ? ns_t_aaaa : ns_t_a;
  const int size = ::res_nsearch(&state, question.host.c_str(), ns_c_in, type, message.data(),
                                 static_cast<int>(message.size()));
  ::res_nclose(&state);
  if (size <= 0) return std::nullopt;
  const auto taken = std::min(static_cast<std::size_t>(size), message.size());
  return life_of_answers(std::as_bytes(std::span{message}.first(taken)));
}

}  // namespace

NameSource system_names() {
  return {.look_up = look_up, .life_of = life_of};
}

}  // namespace sluice::dialing
