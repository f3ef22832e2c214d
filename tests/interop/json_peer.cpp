#include "json_peer.hpp"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace sluice::interop {

namespace json = boost::json;

void say(const json::object& line) {
  const std::string text = json::serialize(line) + "\n";
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

JsonPeer::JsonPeer(boost::asio::io_context& shard, Role role, const webrtc::Options& options)
    : shard_(shard),
      role_(role),
      input_(shard, ::dup(STDIN_FILENO)),
      connection_(webrtc::make_peer_connection(shard.get_executor(), options, *this)) {}

JsonPeer::~JsonPeer() = default;

void JsonPeer::begin() {
  if (role_ == Role::offer) {
    const auto offer = connection_->create_offer();
    if (!offer) return on_failed(offer.error());
    say({{"type", "offer"}, {"sdp", *offer}});
  }
  read_line();
}

void JsonPeer::read_line() {
  boost::asio::async_read_until(input_, boost::asio::dynamic_buffer(buffer_), '\n',
                                [this](boost::system::error_code error, std::size_t size) {
                                  if (error) return shard_.stop();
                                  const std::string line = buffer_.substr(0, size);
                                  buffer_.erase(0, size);
                                  take_line(line);
                                  read_line();
                                });
}

void JsonPeer::take_line(std::string_view text) {
  const json::object line = json::parse(text).as_object();
  const std::string type{line.at("type").as_string()};
  const auto text_of = [&line](const char* key) { return std::string{line.at(key).as_string()}; };
  if (type == "offer") {
    const auto answer = connection_->accept_offer(text_of("sdp"));
    if (!answer) return on_failed(answer.error());
    say({{"type", "answer"}, {"sdp", *answer}});
  } else if (type == "answer") {
    require(connection_->set_answer(text_of("sdp")));
  } else if (type == "candidate") {
    if (connection_) require(connection_->add_remote_candidate(text_of("candidate")));
  } else if (type == "candidates_done") {
    if (connection_) connection_->end_of_remote_candidates();
  } else if (type == "close") {
    on_close_wanted();
  }
}

void JsonPeer::require(const Status& status) {
  if (!status) on_failed(status.error());
}

void JsonPeer::on_local_candidate(const std::string& candidate) {
  say({{"type", "candidate"}, {"candidate", candidate}});
}

void JsonPeer::on_local_candidates_done() {
  say({{"type", "candidates_done"}});
}

void JsonPeer::on_open(std::unique_ptr<transport::Link> channel) {
  const transport::Path path = channel->path();
  say({{"type", "open"}, {"local", path.local}, {"remote", path.remote}, {"fast", path.fast}});
  on_channel(std::move(channel));
}

void JsonPeer::on_failed(const Error& reason) {
  say({{"type", "error"}, {"code", std::string{name_of(reason.code)}}, {"message", describe(reason)}});
  std::_Exit(1);
}

}  // namespace sluice::interop
