#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

#include "core/admission_limits.hpp"
#include "observe/log.hpp"
#include "transport/websocket/proxy_header.hpp"
#include "transport/websocket/server_deadline.hpp"
#include "transport/websocket/server_impl.hpp"

/// Whose connection it is that a trusted proxy passes on: from here on limits, logs and handlers know the
/// client by its own address.
namespace sluice::websocket {
namespace {

using StreamState = NativeStream::State;
using transport::Forwarding;

/// Looks at what has come, without taking it from the system: TLS begins right behind the header, and OpenSSL
/// reads for itself.
NativeStream::Io peek(asio::ip::tcp::socket& socket, ByteSpan room) {
  const auto got = ::recv(socket.native_handle(), room.data(), room.size(), MSG_DONTWAIT | MSG_PEEK);
  if (got > 0) return {.state = StreamState::ready, .bytes = static_cast<std::size_t>(got)};
  if (got == 0) return {.state = StreamState::ended};
  const bool is_empty = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return {.state = is_empty ? StreamState::wants_read : StreamState::failed};
}

bool take(asio::ip::tcp::socket& socket, ByteSpan room) {
  return ::recv(socket.native_handle(), room.data(), room.size(), MSG_DONTWAIT) ==
         static_cast<ssize_t>(room.size());
}

}  // namespace

asio::awaitable<bool> Server::Impl::hear_proxy(Visit& visit, const Deadline& deadline) {
  if (proxies_.forwarding != Forwarding::proxy_protocol || !proxies_.trusted.contains(visit.remote))
    co_return true;
  auto& socket = visit.stream.socket();
  std::array<std::byte, limits::kProxyHeader.count()> received{};
  std::size_t held = 0;
  for (;;) {
    const auto io = peek(socket, ByteSpan{received}.subspan(held));
    if (io.state != StreamState::ready) {
      if (co_await deadline.wait(io.state)) continue;
      count_end(visit, deadline, ServerCount::bad_proxy);
      co_return false;
    }
    const auto header = read_proxy_header(ByteView{received}.first(held + io.bytes));
    const bool is_whole = header && *header;
    const std::size_t mine = is_whole ? (*header)->size - held : io.bytes;
    const bool is_longer = header && !is_whole && held + io.bytes == received.size();
    if (!header || is_longer || !take(socket, ByteSpan{received}.subspan(held, mine))) {
      count(ServerCount::bad_proxy);
      log_refusal(header ? "a PROXY header that is too long" : header.error(), visit.remote);
      co_return false;
    }
    held += mine;
    if (!is_whole) continue;
    if ((*header)->source.empty() || identify(visit, (*header)->source)) co_return true;
    turn_away(socket, visit.carrier);
    co_return false;
  }
}

bool Server::Impl::hear_fields(Visit& visit, const Request& request) {
  if (proxies_.forwarding == Forwarding::proxy_protocol || !proxies_.trusted.contains(visit.remote))
    return true;
  std::vector<std::string_view> lines;
  const std::string_view name =
      proxies_.forwarding == Forwarding::forwarded ? "Forwarded" : "X-Forwarded-For";
  const auto [begin, end] = request.equal_range(name);
  for (auto line = begin; line != end; ++line) {
    const auto value = line->value();
    lines.emplace_back(value.data(), value.size());
  }
  auto client = transport::forwarded_client(proxies_.forwarding, lines, proxies_.trusted);
  return !client || identify(visit, std::move(*client));
}

bool Server::Impl::identify(Visit& visit, std::string client) {
  error_code error;
  const auto address = asio::ip::make_address(client, error);
  if (error) return true;
  const auto verdict = admitted_->admission.identify(visit.ticket->id, source_of(address));
  if (verdict == Admission::Verdict::admitted) {
    visit.remote = std::move(client);
    return true;
  }
  count(count_of(verdict));
  log_refusal(name_of(verdict), client);
  return false;
}

ServerCount Server::Impl::count_of(Admission::Verdict verdict) {
  switch (verdict) {
    case Admission::Verdict::address_full:
      return ServerCount::address_full;
    case Admission::Verdict::network_full:
      return ServerCount::network_full;
    case Admission::Verdict::admitted:
    case Admission::Verdict::full:
      return ServerCount::full;
  }
  return ServerCount::full;
}

}  // namespace sluice::websocket
