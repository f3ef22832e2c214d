#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "hub/gateway/ids.hpp"
#include "hub/service/common.hpp"
#include "transport/message_socket.hpp"

namespace sluice::hub::service {

/// What a shard's loop hears of its clients' sockets.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void on_message(ConnectionRef from, wire::hub::Encoding encoding, ByteView message) = 0;
  virtual void on_writable(ConnectionRef from) = 0;
  virtual void on_closed(ConnectionRef from, const Error& reason) = 0;
};

/// A client's socket that knows whose it is, so that what it tells reaches the shard for as long as it lives.
class ClientSocket final : public transport::MessageSocket, private transport::MessageSocketListener {
 public:
  ClientSocket(std::unique_ptr<transport::MessageSocket> inner, wire::hub::Encoding encoding,
               ClientEvents& events, Common& common)
      : inner_(std::move(inner)), encoding_(encoding), events_(events), common_(common) {
    ++common_.sockets;
  }
  ~ClientSocket() override {
    inner_.reset();
    --common_.sockets;
  }

  /// Begins to read, under that name.
  void begin(ConnectionRef ref) {
    ref_ = ref;
    inner_->listen(*this);
  }

  void listen(transport::MessageSocketListener&) override {}  // `begin` says who listens
  [[nodiscard]] std::size_t write(ByteView frames) override { return inner_->write(frames); }
  void charge_to(std::shared_ptr<flow::Account> account) override { inner_->charge_to(std::move(account)); }
  void set_ping_interval(Duration interval) override { inner_->set_ping_interval(interval); }
  void set_max_message(Bytes most) override { inner_->set_max_message(most); }
  void probe() override { inner_->probe(); }
  void pause_reading() override { inner_->pause_reading(); }
  void resume_reading() override { inner_->resume_reading(); }
  void close(Farewell farewell) override { inner_->close(std::move(farewell)); }
  void cut() override { inner_->cut(); }
  [[nodiscard]] transport::MessageSocketStats stats() const override { return inner_->stats(); }
  [[nodiscard]] std::string_view remote_address() const override { return inner_->remote_address(); }

 private:
  void on_message(transport::MessageKind, ByteView message) override {
    events_.on_message(ref_, encoding_, message);
  }
  void on_writable() override { events_.on_writable(ref_); }
  void on_closed(const Error& reason) override { events_.on_closed(ref_, reason); }

  std::unique_ptr<transport::MessageSocket> inner_;
  wire::hub::Encoding encoding_;
  ClientEvents& events_;
  Common& common_;
  ConnectionRef ref_{};
};

}  // namespace sluice::hub::service
