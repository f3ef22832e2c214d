#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "core/time.hpp"
#include "hub/gateway/shard.hpp"

/// A whole hub without sockets, clock, store or threads: shards, a log in memory, clients of any speed. For
/// tests.
namespace sluice::hub::testing {

/// What went to a client, in a form that takes as many bytes as it would.
class Envelopes {
 public:
  SharedFrames encode(const std::vector<wire::hub::FromHub>& messages) {
    ByteBuffer bytes;
    std::vector<std::uint32_t> ends;
    for (const wire::hub::FromHub& message : messages) {
      const auto* const delivery = std::get_if<wire::hub::Delivery>(&message);
      const auto* const reply = std::get_if<wire::hub::Reply>(&message);
      const std::size_t size = kHead + (delivery != nullptr ? 30 + delivery->content.bytes.size()
                                        : reply != nullptr  ? 20 + reply->content.bytes.size()
                                                            : 20);
      const std::size_t begin = bytes.size();
      bytes.resize(begin + size);
      const std::array<std::uint64_t, 2> head{size, sent_.size()};
      std::memcpy(bytes.data() + begin, head.data(), kHead);
      ends.push_back(static_cast<std::uint32_t>(bytes.size()));
      sent_.push_back(message);
    }
    return std::make_shared<const Frames>(std::move(bytes), std::move(ends));
  }

  /// Takes the first whole frame off a stream of bytes.
  std::optional<wire::hub::FromHub> take(std::deque<std::byte>& stream) const {
    if (stream.size() < kHead) return std::nullopt;
    std::array<std::byte, kHead> raw{};
    std::copy_n(stream.begin(), kHead, raw.begin());
    std::array<std::uint64_t, 2> head{};
    std::memcpy(head.data(), raw.data(), kHead);
    if (stream.size() < head[0]) return std::nullopt;
    stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(head[0]));
    return sent_.at(head[1]);
  }

 private:
  static constexpr std::size_t kHead = 2 * sizeof(std::uint64_t);
  std::vector<wire::hub::FromHub> sent_;
};

/// The client's half of a fake connection; outlives the socket.
struct Wire {
  std::deque<std::byte> stream;  ///< On its way to the client.
  std::size_t room = SIZE_MAX;   ///< What the socket still takes.
  bool refused = false;          ///< Owes an `on_writable`.
  bool reading = true;
  std::uint64_t probes = 0;
  std::uint64_t heard = 0;
  bool answers_pings = true;
  std::optional<Duration> ping_interval;  ///< Another one than it came with.
  std::optional<Bytes> max_message;       ///< The same.
  std::optional<std::uint16_t> closed;    ///< The close code.
  bool cut = false;
  bool gone = false;  ///< The hub has let go of the socket.
};

class FakeSocket final : public transport::MessageSocket {
 public:
  explicit FakeSocket(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~FakeSocket() override { wire_->gone = true; }

  void listen(transport::MessageSocketListener&) override {}
  std::size_t write(ByteView frames) override {
    const std::size_t taken = std::min(frames.size(), wire_->room);
    wire_->stream.insert(wire_->stream.end(), frames.begin(),
                         frames.begin() + static_cast<std::ptrdiff_t>(taken));
    if (wire_->room != SIZE_MAX) wire_->room -= taken;
    wire_->refused = taken < frames.size();
    return taken;
  }
  void charge_to(std::shared_ptr<flow::Account>) override {}
  void set_ping_interval(Duration interval) override { wire_->ping_interval = interval; }
  void set_max_message(Bytes most) override { wire_->max_message = most; }
  void probe() override {
    ++wire_->probes;
    if (wire_->answers_pings) wire_->heard += 1;
  }
  void pause_reading() override { wire_->reading = false; }
  void resume_reading() override { wire_->reading = true; }
  void close(Farewell farewell) override {
    wire_->stream.insert(wire_->stream.end(), farewell.last.begin(), farewell.last.end());
    wire_->closed = farewell.code;
  }
  void cut() override { wire_->cut = true; }
  [[nodiscard]] transport::MessageSocketStats stats() const override {
    return {.sent = {}, .received = {}, .heard = wire_->heard};
  }
  [[nodiscard]] std::string_view remote_address() const override { return "192.0.2.1"; }

 private:
  std::shared_ptr<Wire> wire_;
};

/// What a store keeps over restarts; a copy of it is a backup.
struct Disk {
  std::set<std::uint64_t> epochs{};
  std::map<wire::hub::Conversation, std::vector<LoggedMessage>> logs{};
  std::map<wire::hub::Conversation, wire::hub::Position> heads{};
  std::map<wire::hub::Conversation, std::vector<wire::hub::Position>> histories{};
  /// By device.
  std::map<std::pair<wire::hub::Conversation, std::string>, wire::hub::Position> acknowledged{};
};

/// A log in memory whose commits come when the test says so.
class MemoryLog final : public MessageLog {
 public:
  explicit MemoryLog(std::uint64_t epoch) : epoch_(epoch) { disk_.epochs.insert(epoch); }

  /// The hub stops: what is not committed by then is lost. It starts again with this.
  void reopen(Disk disk, std::uint64_t epoch) {
    disk_ = std::move(disk);
    disk_.epochs.insert(epoch);
    epoch_ = epoch;
    waiting_.clear();
  }
  [[nodiscard]] const Disk& disk() const { return disk_; }

  Result<wire::hub::Position> head(const wire::hub::Conversation& of) override {
    if (unreadable) return fail(Errc::io, "the disk is gone");
    const auto found = disk_.heads.find(of);
    return found == disk_.heads.end() ? wire::hub::Position{.epoch = epoch_} : found->second;
  }
  Result<std::vector<wire::hub::Position>> history(const wire::hub::Conversation& of) override {
    if (broken) return fail(Errc::io, "the disk is gone");
    return disk_.histories[of];
  }
  [[nodiscard]] bool knows(std::uint64_t epoch) const override { return disk_.epochs.contains(epoch); }
  Result<LogPage> page(const wire::hub::Conversation& of, wire::hub::Position after,
                       PageLimits limits) override {
    if (broken) return fail(Errc::io, "the disk is gone");
    if (torn) return fail(Errc::malformed, "the page is damaged");
    LogPage page;
    const auto& stored = disk_.logs[of];
    if (!stored.empty()) page.first = stored.front().delivery.position;
    Bytes bytes;
    for (const LoggedMessage& message : stored) {
      if (message.delivery.position <= after) continue;
      if (page.messages.size() + page.damaged.size() == limits.messages || bytes >= limits.bytes) {
        page.more = true;
        break;
      }
      if (damaged.contains(message.delivery.position)) {
        page.damaged.push_back(message.delivery.position);
        continue;
      }
      bytes += Bytes{message.delivery.content.bytes.size()};
      page.messages.push_back(message);
    }
    return page;
  }
  Status append(SharedMessage message, std::uint64_t ticket) override {
    if (broken) return fail(Errc::io, "the disk is gone");
    if (waiting_.size() >= most_waiting) return fail(Errc::busy, "too much waits");
    waiting_.push_back({std::move(message), ticket});
    return {};
  }
  void acknowledge(const wire::hub::Conversation& inbox, const std::string& device,
                   wire::hub::Position up_to) override {
    auto& known = disk_.acknowledged[{inbox, device}];
    known = std::max(known, up_to);
  }
  Result<wire::hub::Position> acknowledged(const wire::hub::Conversation& inbox,
                                           const std::string& device) override {
    if (broken) return fail(Errc::io, "the disk is gone");
    auto& marks = disk_.acknowledged;
    if (device.empty() || marks.contains({inbox, device})) return marks[{inbox, device}];
    const auto& stored = disk_.logs[inbox];
    if (stored.empty()) return wire::hub::Position{.epoch = epoch_};
    const wire::hub::Position first = stored.front().delivery.position;
    return wire::hub::Position{.epoch = first.epoch, .offset = first.offset - 1};
  }
  [[nodiscard]] bool durable() const override { return on_disk; }

  /// Stores what waits; `done` hears of each.
  template <typename Done>
  void commit(Done&& done) {
    while (!waiting_.empty()) {
      auto [message, ticket] = std::move(waiting_.front());
      waiting_.pop_front();
      if (broken) {
        done(ticket, Status{fail(Errc::io, "the disk is gone")});
        continue;
      }
      write(*message);
      done(ticket, Status{});
    }
  }
  /// What an earlier run has left.
  void keep(wire::hub::Delivery delivery) {
    disk_.epochs.insert(delivery.position.epoch);
    write({.delivery = std::move(delivery)});
  }
  /// Removes all but the last ones of a conversation.
  void trim(const wire::hub::Conversation& of, std::size_t keep) {
    auto& stored = disk_.logs[of];
    if (stored.size() > keep) stored.erase(stored.begin(), stored.end() - static_cast<std::ptrdiff_t>(keep));
  }

  bool broken = false;
  bool unreadable = false;                  ///< It does not even know where a conversation ends.
  bool torn = false;                        ///< No page of it can be read, for good.
  std::set<wire::hub::Position> damaged{};  ///< Messages that are there and cannot be read.
  bool on_disk = true;
  std::size_t most_waiting = 10'000;

 private:
  void write(const LoggedMessage& message) {
    const auto& [of, at] = std::pair{message.delivery.to, message.delivery.position};
    wire::hub::Position& head = disk_.heads[of];
    if (head.epoch != at.epoch) disk_.histories[of].push_back({.epoch = at.epoch, .offset = head.offset + 1});
    head = at;
    disk_.logs[of].push_back(message);
  }

  std::uint64_t epoch_;
  Disk disk_;
  std::deque<std::pair<SharedMessage, std::uint64_t>> waiting_;
};

class World {
 public:
  explicit World(std::size_t shards = 1, GatewaySettings settings = {})
      : ledger(settings), settings_(settings) {
    mail_.resize(shards * shards);
    for (std::size_t i = 0; i < shards; ++i) {
      sites_.push_back(std::make_unique<Site>(*this, static_cast<ShardId>(i), shards));
      start(*sites_.back());
    }
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() = default;

  static constexpr std::uint64_t kEpoch = 3;

  /// One client as its program sees it.
  struct Client {
    std::string user{};
    ConnectionRef ref{};
    std::shared_ptr<Wire> wire = std::make_shared<Wire>();
    std::vector<wire::hub::FromHub> heard{};
    std::uint64_t counted = 0;  ///< Deliveries and Gaps.
    std::uint64_t seq = 0;

    template <typename T>
    [[nodiscard]] std::vector<T> all() const {
      std::vector<T> found;
      for (const auto& message : heard) {
        if (const auto* const one = std::get_if<T>(&message)) found.push_back(*one);
      }
      return found;
    }
    [[nodiscard]] std::vector<std::string> texts() const {
      std::vector<std::string> found;
      for (const auto& delivery : all<wire::hub::Delivery>()) found.push_back(delivery.content.bytes);
      return found;
    }
  };

  Client connect(std::string user, std::size_t shard = 0, wire::hub::Hello hello = {}) {
    Client client{.user = user};
    hello.user = std::move(user);
    client.ref = sites_[shard]->shard->open(std::make_unique<FakeSocket>(client.wire),
                                            wire::hub::Encoding::proto, now);
    wires_.push_back(client.wire);
    say(client, std::move(hello));
    return client;
  }

  /// Not by a client whose hub has started again since: others may have its number now.
  void say(Client& client, wire::hub::FromClient message) {
    if (client.wire->gone) return;
    site(client).shard->heard(client.ref, std::move(message), 100, now);
  }
  /// A message with a text; returns its seq.
  std::uint64_t publish(Client& client, wire::hub::Conversation to, std::string text,
                        wire::hub::Publish more = {}) {
    more.seq = ++client.seq;
    if (more.id.empty()) more.id = client.user + std::to_string(more.seq);
    more.to = std::move(to);
    more.content = {.kind = wire::hub::Content::Kind::text, .bytes = std::move(text)};
    say(client, std::move(more));
    return client.seq;
  }

  /// The client's program takes what has arrived.
  void read(Client& client) {
    while (auto message = envelopes_.take(client.wire->stream)) {
      const bool counts = std::holds_alternative<wire::hub::Delivery>(*message) ||
                          std::holds_alternative<wire::hub::Gap>(*message);
      if (counts) ++client.counted;
      client.heard.push_back(std::move(*message));
    }
  }
  void ack(Client& client) { say(client, wire::hub::Ack{.seq = client.counted}); }
  /// The client's socket takes so many bytes more.
  void give_room(Client& client, std::size_t bytes) {
    client.wire->room = bytes;
    if (client.wire->refused && !client.wire->gone) {
      client.wire->refused = false;
      site(client).shard->writable(client.ref, now);
    }
  }
  void hang_up(Client& client) {
    if (client.wire->gone) return;
    site(client).shard->lost(client.ref, {.code = Errc::closed, .message = "it closed"}, now);
  }

  /// Everything that can happen without time passing.
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i = 0; i < mail_.size(); ++i) moved = deliver_one(i) || moved;
      for (const auto& site : sites_) {
        if (commits)
          site->log.commit([&](std::uint64_t ticket, const Status& outcome) {
            site->shard->on_stored(ticket, outcome, now);
            moved = true;
          });
        while (site->shard->work(now)) {
        }
      }
    }
  }
  /// Delivers one letter of one of the queues between two shards, if there is one.
  bool deliver_one(std::size_t queue) {
    auto& letters = mail_[queue];
    if (letters.empty()) return false;
    Mail letter = std::move(letters.front());
    letters.pop_front();
    sites_[queue % sites_.size()]->shard->receive(std::move(letter), now);
    return true;
  }
  [[nodiscard]] std::size_t queues() const { return mail_.size(); }

  void pass(Duration time) {
    now.at += time;
    now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    for (const auto& site : sites_) site->shard->tick(now);
  }
  void settle_for(Duration time) {
    for (Duration passed{}; passed < time; passed += std::chrono::milliseconds{10}) {
      settle();
      pass(std::chrono::milliseconds{10});
    }
    settle();
  }

  /// The hub is killed and starts anew with these disks, one for each shard: all connections end, and what
  /// was on its way anywhere is lost. `epoch` is one that no store has had.
  struct Restart {
    std::uint64_t epoch;
    std::vector<Disk> disks;
    enum class Secrets : std::uint8_t {
      kept,
      lost
    } secrets = Secrets::kept;  ///< By which sessions are known.
  };
  void restart(Restart with) {
    for (auto& letters : mail_) letters.clear();
    for (const auto& site : sites_) site->shard.reset();
    for (const auto& wire : std::exchange(wires_, {})) {
      if (!wire->closed) wire->cut = true;
    }
    epoch_ = with.epoch;
    if (with.secrets == Restart::Secrets::lost) signature_ = fmt::format("#{}", epoch_);
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      sites_[i]->log.reopen(std::move(with.disks.at(i)), epoch_);
      start(*sites_[i]);
    }
  }
  /// What a backup of the whole hub holds.
  [[nodiscard]] std::vector<Disk> disks() const {
    std::vector<Disk> all;
    for (const auto& site : sites_) all.push_back(site->log.disk());
    return all;
  }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

  [[nodiscard]] Shard& shard(std::size_t index = 0) { return *sites_[index]->shard; }
  [[nodiscard]] MemoryLog& log(std::size_t index = 0) { return sites_[index]->log; }
  [[nodiscard]] bool books_balance() const {
    return std::ranges::all_of(
        sites_, [](const auto& site) { return site->shard->books().balance(site->shard->pending_copies()); });
  }
  [[nodiscard]] Books books() const {
    Books all;
    for (const auto& site : sites_) all += site->shard->books();
    return all;
  }
  [[nodiscard]] const std::vector<std::pair<std::string, wire::hub::Reason>>& ends() const { return ends_; }

  Moment now{.at = TimePoint{std::chrono::hours{1}}, .wall = 1'700'000'000'000};
  bool commits = true;  ///< The disk works.
  Ledger ledger;
  std::map<std::string, auth::Rights> rights;  ///< Others may do everything.
  std::map<std::string, wire::hub::UnixMs> expiry;
  std::map<std::string, auth::Limits> granted;  ///< By their tokens.

 private:
  struct Site final : ShardPort, ShardObserver {
    Site(World& of, ShardId id, std::size_t count) : world(of), self(id), shards(count) {}
    void post(ShardId to, Mail letter) override {
      world.mail_[self * shards + to].push_back(std::move(letter));
    }
    SharedFrames encode(const std::vector<wire::hub::FromHub>& messages, wire::hub::Encoding) override {
      return world.envelopes_.encode(messages);
    }
    std::expected<auth::Identity, Stranger> identify(const wire::hub::Hello& hello,
                                                     wire::hub::UnixMs) override {
      const std::string& user = hello.token.empty() ? hello.user : hello.token;
      if (user.empty())
        return std::unexpected(Stranger{.reason = wire::hub::Reason::unauthenticated, .message = "Who?"});
      auth::Identity identity{.user = user, .rights = auth::Rights::of_everyone()};
      if (const auto known = world.rights.find(user); known != world.rights.end())
        identity.rights = known->second;
      if (const auto known = world.expiry.find(user); known != world.expiry.end())
        identity.expires_at = known->second;
      if (const auto known = world.granted.find(user); known != world.granted.end())
        identity.limits = known->second;
      return identity;
    }
    std::string session_token(std::string_view user, std::string_view session) override {
      return fmt::format("{}/{}{}", user, session, world.signature_);
    }
    std::optional<std::string> session_of(std::string_view token, std::string_view user) override {
      const std::string mine = fmt::format("{}/", user);
      const std::string& signature = world.signature_;
      if (!token.starts_with(mine) || !token.ends_with(signature)) return std::nullopt;
      return std::string{token.substr(mine.size(), token.size() - mine.size() - signature.size())};
    }
    std::string new_session() override { return "s" + std::to_string(++world.sessions_); }
    std::uint64_t random(std::uint64_t below) override { return ++world.random_ % below; }
    void on_opened(const Connection&) override {}
    void on_welcomed(const Connection&) override {}
    void on_ended(const Connection& connection, const wire::hub::Ended& how, std::string_view) override {
      world.ends_.emplace_back(connection.identity.user, how.reason);
    }
    void on_refused(const Connection&, wire::hub::Reason) override {}

    World& world;
    ShardId self;
    std::size_t shards;
    MemoryLog log{kEpoch};
    std::unique_ptr<Shard> shard;
  };

  void start(Site& site) {
    site.shard = std::make_unique<Shard>(
        Shard::Surroundings{.self = site.self,
                            .shards = site.shards,
                            .epoch = epoch_,
                            .dedup_key = {},
                            .log = site.log,
                            .port = site,
                            .observer = site,
                            .ledger = ledger,
                            .share_of = [this](const std::string& user) { return share_of(user); }},
        settings_);
  }
  Site& site(const Client& client) { return *sites_[client.ref.shard]; }
  std::shared_ptr<UserShare> share_of(const std::string& user) {
    auto& share = shares_[user];
    if (!share) share = std::make_shared<UserShare>(settings_, ledger);
    return share;
  }

  Envelopes envelopes_;
  std::uint64_t epoch_ = kEpoch;
  std::string signature_;                     ///< Of the tokens of sessions.
  std::vector<std::shared_ptr<Wire>> wires_;  ///< Of this run.
  std::vector<std::deque<Mail>> mail_;        ///< By sender and receiver.
  GatewaySettings settings_;
  std::map<std::string, std::shared_ptr<UserShare>> shares_;
  std::vector<std::pair<std::string, wire::hub::Reason>> ends_;
  std::uint64_t sessions_ = 0;
  std::uint64_t random_ = 0;
  std::vector<std::unique_ptr<Site>> sites_;
};

inline wire::hub::Conversation group(std::string name) {
  return {.kind = wire::hub::Conversation::Kind::group, .name = std::move(name)};
}
inline wire::hub::Conversation user(std::string name) {
  return {.kind = wire::hub::Conversation::Kind::user, .name = std::move(name)};
}

}  // namespace sluice::hub::testing
