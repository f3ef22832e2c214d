#include "transport/websocket/server_pages.hpp"

#include <algorithm>
#include <utility>

namespace sluice::websocket {
namespace {

namespace http = boost::beast::http;

std::string_view name_of(transport::HttpMethod method) {
  using transport::HttpMethod;
  switch (method) {
    case HttpMethod::get:
      return "GET, HEAD";
    case HttpMethod::post:
      return "POST";
    case HttpMethod::put:
      return "PUT";
    case HttpMethod::patch:
      return "PATCH";
    case HttpMethod::del:
      return "DELETE";
  }
  return {};
}

/// RFC 9110 §15.5.6.
transport::HttpResponse not_allowed(const PageOptions& options) {
  std::string names;
  for (const transport::HttpMethod method : options.methods) {
    if (!names.empty()) names += ", ";
    names += name_of(method);
  }
  transport::HttpResponse refusal = plain_text(http::status::method_not_allowed, "Here: " + names + ".");
  refusal.headers.push_back({.name = "Allow", .value = std::move(names)});
  return refusal;
}

}  // namespace

void Pages::add(std::string path, Page page) {
  if (path.ends_with("/*")) {
    path.pop_back();
    beginnings_.insert_or_assign(std::move(path), std::move(page));
  } else {
    exact_.insert_or_assign(std::move(path), std::move(page));
  }
}

const Page* Pages::find(std::string_view path) const {
  if (const auto same = exact_.find(path); same != exact_.end()) return &same->second;
  const auto longest =
      std::ranges::find_if(beginnings_, [&](const auto& entry) { return path.starts_with(entry.first); });
  return longest == beginnings_.end() ? nullptr : &longest->second;
}

std::expected<PageCall, transport::HttpResponse> call_page(const Pages& pages, const RequestParser& parser,
                                                           std::string remote_address) {
  const Request& request = parser.get();
  PageCall call{.page = nullptr, .request = describe_request(request, std::move(remote_address))};
  call.page = pages.find(call.request.path);
  if (call.page == nullptr) return std::unexpected(plain_text(http::status::not_found, "Nothing is here."));
  const PageOptions& options = call.page->options;
  const auto method = method_of(request);
  if (!method || std::ranges::find(options.methods, *method) == options.methods.end())
    return std::unexpected(not_allowed(options));
  if (request.count(http::field::authorization) > 1)
    return std::unexpected(plain_text(http::status::bad_request, "There are several Authorization fields."));
  // What comes in chunks is measured as it comes.
  if (parser.content_length().value_or(0) > options.max_body.count())
    return std::unexpected(too_large(options.max_body));
  return call;
}

transport::HttpResponse too_large(Bytes most) {
  return plain_text(http::status::payload_too_large,
                    "A body has at most " + std::to_string(most.count()) + " bytes here.");
}

}  // namespace sluice::websocket
