#include <exception>
#include <utility>
#include <variant>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>

#include "transport/websocket/server_deadline.hpp"
#include "transport/websocket/server_impl.hpp"

/// A request for a page: its body, its handler, its answer.
namespace sluice::websocket {
namespace {

namespace http = beast::http;
using transport::HttpRequest;
using transport::HttpResponse;

/// What a handler came to; neither when it was cancelled.
struct Outcome {
  std::optional<HttpResponse> response{};
  std::exception_ptr broken{};
};

asio::awaitable<Outcome> outcome_of(asio::awaitable<HttpResponse> handling) {
  Outcome outcome;
  try {
    outcome.response = co_await std::move(handling);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted) outcome.broken = std::current_exception();
  } catch (...) {
    outcome.broken = std::current_exception();
  }
  co_return outcome;
}

/// RFC 9110 §10.1.1: the client waits with the body until it is asked for it.
bool waits_to_continue(const RequestParser& parser) {
  const Request& request = parser.get();
  return !parser.is_done() && request.version() >= 11 &&
         beast::iequals(request[http::field::expect], "100-continue");
}

}  // namespace

asio::awaitable<void> Server::Impl::visit_page(Visit& visit, RequestParser& parser, Deadline& deadline) {
  auto call = call_page(pages_, parser, visit.remote);
  if (call) {
    const Bytes most = call->page->options.max_body;
    const auto body = co_await read_body(visit, parser, most, deadline);
    if (!body) co_return;
    if (*body == http::status::payload_too_large) call = std::unexpected(too_large(most));
    if (*body == http::status::bad_request) call = std::unexpected(plain_text(*body, "The body is broken."));
  }
  deadline.met();
  visit.ticket->handshake_ended();
  HttpResponse content;
  if (call) {
    call->request.body = std::move(parser.get().body());
    content = co_await run(*call->page, std::move(call->request));
  } else {
    count(ServerCount::bad_request);
    content = std::move(call.error());
  }
  Response response = make_response(parser.get(), std::move(content));
  co_await answer(visit, std::move(response));
}

asio::awaitable<std::optional<http::status>> Server::Impl::read_body(Visit& visit, RequestParser& parser,
                                                                     Bytes most, const Deadline& deadline) {
  if (visit.behind.empty() && waits_to_continue(parser)) {
    if (!co_await send(visit.stream, as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), deadline)) {
      count_end(visit, deadline, ServerCount::bad_request);
      co_return std::nullopt;
    }
  }
  parser.eager(true);
  for (;;) {
    error_code failed;
    if (!parser.is_done() && !visit.behind.empty()) {
      const std::size_t used = parser.put(asio::buffer(visit.behind), failed);
      visit.behind.erase(visit.behind.begin(), visit.behind.begin() + static_cast<std::ptrdiff_t>(used));
    }
    if (size_of(as_bytes(parser.get().body())) > most) co_return http::status::payload_too_large;
    if (failed && failed != http::error::need_more) co_return http::status::bad_request;
    if (parser.is_done()) co_return http::status::ok;
    // The parser leaves what is not whole: a chunk's first line, or the trailer (RFC 9112 §7.1).
    if (size_of(visit.behind) > limits_.header) co_return http::status::bad_request;
    co_await deadline.pause();
    if (!co_await read_more(visit, deadline)) co_return std::nullopt;
  }
}

asio::awaitable<HttpResponse> Server::Impl::run(const Page& page, HttpRequest request) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer limit{tasks_.executor(), limits_.page};
  auto handling = outcome_of(page.handler(std::move(request)));
  auto first = co_await (std::move(handling) || limit.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (auto* outcome = std::get_if<Outcome>(&first)) {
    if (outcome->broken) std::rethrow_exception(outcome->broken);
    if (outcome->response) {
      count(ServerCount::answered);
      co_return std::move(*outcome->response);
    }
  }
  // With the server's stop nothing more is said.
  if (!tasks_.cancelled()) count(ServerCount::unanswered);
  co_return plain_text(http::status::service_unavailable, "This takes too long now; try again later.");
}

}  // namespace sluice::websocket
