#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "transport/http.hpp"
#include "transport/websocket/server.hpp"
#include "transport/websocket/upgrade.hpp"

/// For the room itself: which page a request is for. Pure.
namespace sluice::websocket {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

struct Page {
  PageOptions options;
  AsyncHttpHandler handler;
};

/// A server's pages, under their paths (`Server::on_page`).
class Pages {
 public:
  /// In place of what was there.
  void add(std::string path, Page page);
  /// Null: there is none. Pages stay where they are.
  [[nodiscard]] const Page* find(std::string_view path) const;

 private:
  std::map<std::string, Page, std::less<>> exact_;
  struct Longest {
    bool operator()(const std::string& a, const std::string& b) const {
      return a.size() != b.size() ? a.size() > b.size() : a < b;
    }
  };
  std::map<std::string, Page, Longest> beginnings_;
};

struct PageCall {
  const Page* page;
  transport::HttpRequest request;  ///< Without its body.
};

/// Whom a request whose header is read is for. Otherwise its refusal: 404, 405 (which says in `Allow` what
/// there is), 413 (the body is announced to be too large), 400 (more than one `Authorization`).
[[nodiscard]] std::expected<PageCall, transport::HttpResponse> call_page(const Pages& pages,
                                                                         const RequestParser& parser,
                                                                         std::string remote_address);

/// 413.
[[nodiscard]] transport::HttpResponse too_large(Bytes most);

}  // namespace sluice::websocket
