#include "tunnel_world.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace sluice::sim {

namespace {

using namespace literals;
using namespace std::chrono_literals;

/// More events than any run needs: one that never comes to rest has a fault.
constexpr std::size_t kMaxEvents = 2'000'000;
/// Long after every connection that can finish has finished.
constexpr Duration kLate = 3000s;

LinkPlan plan_link(Dice& dice) {
  LinkPlan plan;
  plan.bytes_per_second = dice.roll_magnitude({50'000, 100'000'000});
  plan.delay = dice.between(0ms, 100ms);
  plan.jitter = dice.chance(30) ? 0ms : dice.between(0ms, 50ms);
  plan.percent_late = dice.chance(40) ? 5 : 0;
  plan.percent_twice = dice.chance(40) ? 10 : 0;
  return plan;
}

tunnel::SessionOptions plan_session(Dice& dice) {
  tunnel::SessionOptions options;
  options.payload = Bytes{dice.roll_magnitude({256, 16'384})};
  options.window.first = Bytes{dice.roll_magnitude({1024, 16'384})};
  options.window.largest = Bytes{dice.roll_magnitude({16'384, 262'144})};
  options.budget.growth = Bytes{dice.roll_magnitude({4096, 524'288})};
  options.budget.windows = Bytes{dice.roll_magnitude({32'768, 1'048'576})};
  if (dice.chance(50)) options.gate.marks = {.low = 2_KiB, .high = 8_KiB};
  if (dice.chance(10)) options.max_streams = 3;
  return options;
}

AppPlan plan_app(Dice& dice) {
  AppPlan plan;
  plan.sends = dice.chance(10) ? 0 : dice.roll_magnitude({64, 200'000});
  plan.chunk = dice.roll_magnitude({256, 16'384});
  plan.pause = dice.chance(50) ? 1ms : dice.between(0ms, 40ms);
  plan.kernel_buffer = dice.roll_magnitude({512, 32'768});
  if (dice.chance(8)) plan.ending = AppPlan::Ending::reset;
  if (dice.chance(5)) plan.ending = AppPlan::Ending::never;
  if (dice.chance(15)) {
    plan.stalls_after = dice.roll({0, 8192});
    plan.stall = dice.chance(30) ? Duration::max() : dice.between(1s, 100s);
  }
  if (dice.chance(8)) plan.breaks_off = dice.between(0ms, 3s);
  return plan;
}

}  // namespace

RunPlan plan_for(Dice& dice) {
  RunPlan plan;
  plan.to_host = plan_link(dice);
  plan.to_client = plan_link(dice);
  plan.client = plan_session(dice);
  plan.host = plan_session(dice);
  const std::uint64_t connections = dice.roll({1, 8});
  for (std::uint64_t i = 0; i < connections; ++i) {
    plan.connections.push_back({.client = plan_app(dice),
                                .target = plan_app(dice),
                                .start = dice.between(0ms, 2s),
                                .dial = dice.between(0ms, 300ms),
                                .dial_fails = dice.chance(8)});
  }
  if (dice.chance(10)) plan.link_dies = dice.between(0ms, 5s);
  if (dice.chance(6)) plan.link_stalls = dice.between(0ms, 2s);
  plan.host_drains = dice.chance(50);
  plan.drain = dice.chance(20) ? dice.between(0ms, 5s) : kLate;
  plan.drain_limit = dice.chance(20) ? 0s : 5s;
  if (dice.chance(10)) plan.host.descriptors = std::make_shared<flow::Pool>(dice.roll({1, 8}));
  if (dice.chance(10)) {
    plan.host.budget.memory = std::make_shared<flow::Pool>(dice.roll({1, 500'000}));  // a few windows
  }
  return plan;
}

// --- one end --------------------------------------------------------------------------------------------

TunnelEnd::TunnelEnd(tunnel::Role role, Timeline& timeline, SimulatedLink& link,
                     tunnel::SessionOptions options, std::vector<std::shared_ptr<SimulatedApp>>& apps,
                     const std::vector<ConnectionPlan>& plans)
    : role_(role),
      timeline_(timeline),
      link_(link),
      apps_(apps),
      plans_(plans),
      session_(role == tunnel::Role::host ? tunnel::Session{link, *this, targets(plans.size()), options}
                                          : tunnel::Session{role, link, *this, options}) {
  link_.listen(*this);
}

tunnel::Targets TunnelEnd::targets(std::size_t count) {
  std::vector<tunnel::Target> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) all.push_back({.name = std::to_string(i), .host = "", .port = 1});
  return *tunnel::Targets::make(std::move(all));
}

void TunnelEnd::start() {
  session_.start(timeline_.now());
  after_input();
}

void TunnelEnd::open(std::uint32_t connection) {
  if (!session_.ended() && !session_.ready()) {
    timeline_.after(10ms, [this, connection] { open(connection); });
    return;
  }
  const auto& app = apps_[connection];
  const wire::SocketId id = session_.choose_id(connection * 2);
  auto socket = app->connect();
  attach(id, app);
  app->start();
  (void)session_.open(id, std::move(socket), std::to_string(connection), timeline_.now());
  after_input();
}

void TunnelEnd::attach(wire::SocketId id, const std::shared_ptr<SimulatedApp>& app) {
  app->report_to({.readable =
                      [this, id] {
                        session_.on_readable(id, timeline_.now());
                        after_input();
                      },
                  .writable =
                      [this, id] {
                        session_.on_writable(id, timeline_.now());
                        after_input();
                      }});
}

void TunnelEnd::drain(Duration limit) {
  session_.drain(timeline_.now() + limit, timeline_.now());
  after_input();
}

void TunnelEnd::dial(wire::SocketId id, const tunnel::Target& target) {
  const auto connection = static_cast<std::uint32_t>(std::stoul(target.name));
  dials_.emplace(id, connection);
  timeline_.after(plans_[connection].dial, [this, id, connection] { dial_answered(id, connection); });
}

void TunnelEnd::forget_dial(wire::SocketId id) {
  if (dials_.erase(id) == 0) complaints_.emplace_back("forgot a dial that was not under way");
}

void TunnelEnd::dial_answered(wire::SocketId id, std::uint32_t connection) {
  if (dials_.erase(id) == 0) return;
  if (plans_[connection].dial_fails) {
    session_.dial_failed(id, wire::CloseReason::dial_failed, timeline_.now());
  } else {
    const auto& app = apps_[connection];
    auto socket = app->connect();
    attach(id, app);
    app->start();
    session_.dialed(id, std::move(socket), timeline_.now());
  }
  after_input();
}

void TunnelEnd::on_message(ByteView message) {
  session_.on_message(message, timeline_.now());
  after_input();
}

void TunnelEnd::on_buffered_amount_low() {
  session_.on_link_low(timeline_.now());
  after_input();
}

void TunnelEnd::on_closed(const Error& reason) {
  session_.on_link_closed(reason, timeline_.now());
  after_input();
}

void TunnelEnd::after_input() {
  check();
  if (session_.ended()) return link_.close();
  if (session_.wants_turn() && !std::exchange(turn_planned_, true)) {
    timeline_.after({}, [this] {
      turn_planned_ = false;
      session_.go_on(timeline_.now());
      after_input();
    });
  }
  const auto next = session_.next_deadline();
  if (next && (!armed_ || *next < *armed_)) {
    armed_ = next;
    timeline_.at(*next, [this, when = *next] {
      if (armed_ == when) armed_.reset();
      session_.expire(timeline_.now());
      after_input();
    });
  }
}

void TunnelEnd::check() {
  const auto complain = [this](const char* what) {
    complaints_.emplace_back((role_ == tunnel::Role::host ? "host: " : "client: ") + std::string{what});
  };
  const tunnel::SessionStats stats = session_.stats(timeline_.now());
  const tunnel::StreamTotals& totals = stats.totals;
  if (totals.held > stats.windows.promised) complain("more is held than the windows promise");
  if (totals.received != totals.delivered + totals.discarded + totals.held) complain("bytes do not add up");
  if (totals.opened != totals.finished + stats.streams) complain("streams do not add up");
  if (stats.streams == 0 && (totals.held > 0_B || totals.waiting > 0 || stats.windows.promised > 0_B)) {
    complain("something is held for nobody");
  }
  if (session_.ended() && stats.streams > 0) complain("streams outlive the session");
}

// --- a run ----------------------------------------------------------------------------------------------

namespace {

class Run {
 public:
  explicit Run(std::uint64_t seed) : dice_(seed), plan_(plan_for(dice_)) {
    const auto directions = static_cast<std::uint32_t>(plan_.connections.size());
    for (std::uint32_t i = 0; i < directions; ++i) {
      const ConnectionPlan& connection = plan_.connections[i];
      clients_.push_back(
          std::make_shared<SimulatedApp>(timeline_, dice_, connection.client,
                                         SimulatedApp::Directions{.sends = 2 * i, .receives = 2 * i + 1}));
      targets_.push_back(
          std::make_shared<SimulatedApp>(timeline_, dice_, connection.target,
                                         SimulatedApp::Directions{.sends = 2 * i + 1, .receives = 2 * i}));
    }
    SimulatedLink::join(client_link_, host_link_);
  }

  Outcome play() {
    host_.start();
    client_.start();
    for (std::uint32_t i = 0; i < plan_.connections.size(); ++i) {
      timeline_.after(plan_.connections[i].start, [this, i] { client_.open(i); });
    }
    if (plan_.link_dies) timeline_.after(*plan_.link_dies, [this] { client_link_.die(); });
    if (plan_.link_stalls) timeline_.after(*plan_.link_stalls, [this] { client_link_.stall(); });
    timeline_.after(plan_.drain, [this] { (plan_.host_drains ? host_ : client_).drain(plan_.drain_limit); });
    std::size_t events = 0;
    while (timeline_.step()) {
      if (++events > kMaxEvents) {
        complain("it never came to rest");
        break;
      }
    }
    verify();
    outcome_.client = client_.session().stats(timeline_.now());
    outcome_.host = host_.session().stats(timeline_.now());
    if (const Error* end = client_.session().ended()) outcome_.client_end = end->code;
    return std::move(outcome_);
  }

 private:
  void complain(std::string what) { outcome_.complaints.push_back(std::move(what)); }

  void verify() {
    for (const TunnelEnd* end : {&client_, &host_}) {
      for (const std::string& what : end->complaints()) complain(what);
      if (end->session().ended() == nullptr) complain("a session did not end");
      if (end->session().streams() > 0) complain("streams are left");
      if (end->dials() > 0) complain("a dial is left");
    }
    if (!client_link_.ended() || !host_link_.ended()) complain("a link did not end");
    verify_end(client_, client_link_, plan_.client, clients_);
    verify_end(host_, host_link_, plan_.host, targets_);
    verify_pools(plan_.host);
    for (std::size_t i = 0; i < plan_.connections.size(); ++i) verify_connection(i);
  }

  void verify_end(const TunnelEnd& end, const SimulatedLink& link, const tunnel::SessionOptions& options,
                  const std::vector<std::shared_ptr<SimulatedApp>>& apps) {
    const tunnel::SessionStats stats = end.session().stats(timeline_.now());
    Bytes taken;
    Bytes given;
    for (const auto& app : apps) {
      taken += Bytes{app->read_by_tunnel()};
      given += Bytes{app->written_by_tunnel()};
    }
    if (stats.totals.sent != taken) complain("bytes taken from sockets do not match what was sent");
    if (stats.totals.delivered != given) complain("bytes delivered do not match what sockets were given");
    if (stats.windows.peak > options.budget.windows) complain("the windows passed the session's cap");
    if (stats.totals.held_peak > options.budget.windows) complain("held more than the session's cap");
    // One message beyond the high mark; CLOSEs at the end of a drain do not wait.
    if (link.buffered_peak() > options.gate.marks.high + options.payload + 9_B + 100_B * apps.size()) {
      complain("the link was given more than its high mark");
    }
  }

  void verify_pools(const tunnel::SessionOptions& options) {
    const auto& descriptors = options.descriptors;
    const auto& memory = options.budget.memory;
    if (descriptors && descriptors->left() != descriptors->stats().capacity)
      complain("descriptors were not given back");
    if (memory && memory->left() != memory->stats().capacity) complain("memory was not given back");
  }

  void verify_connection(std::size_t i) {
    const SimulatedApp& client = *clients_[i];
    const SimulatedApp& target = *targets_[i];
    const std::string name = "connection " + std::to_string(i) + ": ";
    for (const SimulatedApp* app : {&client, &target}) {
      if (app->corrupt()) complain(name + "bytes were changed, lost or out of order");
      if (app->misused()) complain(name + "a socket was used after its end");
      const bool left = app->connected() && app->tunnel_end() == SimulatedApp::TunnelEnd::none;
      if (left) complain(name + "a socket is still open");
    }
    if (target.written_by_tunnel() > client.read_by_tunnel() ||
        client.written_by_tunnel() > target.read_by_tunnel()) {
      complain(name + "more bytes came out than went in");
    }
    if (client.saw_end() && !client.broke_off() && client.written_by_tunnel() != target.plan().sends) {
      complain(name + "the client saw an end before all bytes");
    }
    if (target.saw_end() && !target.broke_off() && target.written_by_tunnel() != client.plan().sends) {
      complain(name + "the target saw an end before all bytes");
    }
    if (!client.connected() || !target.connected()) return;
    if (client.saw_end() && target.saw_end() && !client.broke_off() && !target.broke_off())
      ++outcome_.finished;
    if (is_good(plan_.connections[i])) verify_drained(name, client, target);
    if (must_finish(plan_.connections[i])) verify_finished(name, client, target);
  }

  /// Neither the link nor an application spoils it.
  [[nodiscard]] bool is_good(const ConnectionPlan& connection) const {
    const auto good = [](const AppPlan& app) {
      return app.ending == AppPlan::Ending::fin && !app.breaks_off && app.stall != Duration::max();
    };
    return !plan_.link_dies && !plan_.link_stalls && good(connection.client) && good(connection.target);
  }

  /// Nothing befell it: all of it must have arrived, and both ends must have been closed in good order.
  [[nodiscard]] bool must_finish(const ConnectionPlan& connection) const {
    return is_good(connection) && plan_.drain == kLate;
  }

  /// Whoever drains may go when its connections were closed in good order: the other side then still gets
  /// everything.
  void verify_drained(const std::string& name, const SimulatedApp& client, const SimulatedApp& target) {
    const SimulatedApp& here = plan_.host_drains ? target : client;
    const SimulatedApp& there = plan_.host_drains ? client : target;
    const bool in_time = there.plan().stall < limits::kCloseFlush / 3;
    if (in_time && here.tunnel_end() == SimulatedApp::TunnelEnd::closed &&
        there.written_by_tunnel() != here.plan().sends) {
      complain(name + "bytes that were held for the other side went with the drained one");
    }
  }

  void verify_finished(const std::string& name, const SimulatedApp& client, const SimulatedApp& target) {
    if (target.written_by_tunnel() != client.plan().sends) complain(name + "bytes to the target are missing");
    if (client.written_by_tunnel() != target.plan().sends) complain(name + "bytes to the client are missing");
    for (const SimulatedApp* app : {&client, &target}) {
      if (!app->saw_end()) complain(name + "an end is missing");
      if (app->tunnel_end() != SimulatedApp::TunnelEnd::closed) complain(name + "not closed in good order");
    }
  }

  Timeline timeline_;
  Dice dice_;
  RunPlan plan_;
  std::vector<std::shared_ptr<SimulatedApp>> clients_;
  std::vector<std::shared_ptr<SimulatedApp>> targets_;
  SimulatedLink client_link_{timeline_, dice_, plan_.to_host};
  SimulatedLink host_link_{timeline_, dice_, plan_.to_client};
  TunnelEnd client_{tunnel::Role::client, timeline_, client_link_, plan_.client, clients_, plan_.connections};
  TunnelEnd host_{tunnel::Role::host, timeline_, host_link_, plan_.host, targets_, plan_.connections};
  Outcome outcome_;
};

}  // namespace

Outcome play(std::uint64_t seed) {
  return Run{seed}.play();
}

}  // namespace sluice::sim
