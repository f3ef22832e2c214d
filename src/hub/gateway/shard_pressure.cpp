#include <algorithm>
#include <utility>
#include <vector>

#include "core/ensure.hpp"
#include "hub/gateway/shard.hpp"

/// Who keeps up and who does not: the sweep over slow clients, shedding when memory is short, draining.
namespace sluice::hub {

using wire::hub::Reason;

void Shard::sweep(Moment now) {
  end_silent_greetings(now);
  end_expired(now);
  answer_probes(now);
  const std::vector<std::uint64_t> slow(slow_.begin(), slow_.end());
  for (const std::uint64_t id : slow) {
    Connection* const connection = live({.shard = around_.self, .id = id});
    if (connection == nullptr) {
      slow_.erase(id);
      continue;
    }
    if (now.at - connection->sampled_at >= limits::kPressureInterval) take_sample(*connection, now);
    expire_promises(*connection, now);
    shed_user(*connection, now);
    settle(*connection, now);
    Connection* const still = live({.shard = around_.self, .id = id});
    if (still != nullptr && still->promises.empty() && still->receiver && !still->receiver->is_slow()) {
      slow_.erase(id);
    }
  }
  if (settings_.memory_enabled && around_.ledger.process->over()) shed_load(now);
  if (draining_) drain(now);
}

void Shard::end_silent_greetings(Moment now) {
  while (!greetings_.empty() && now.at - greetings_.front().since >= settings_.hello_timeout) {
    Connection* const connection = live({.shard = around_.self, .id = greetings_.front().id});
    greetings_.pop_front();
    if (connection != nullptr && connection->state == Connection::State::greeting) {
      end(*connection, Reason::timed_out, How::told, "No Hello came.", now);
    }
  }
}

/// A few at a time: tokens that were made together expire together.
void Shard::end_expired(Moment now) {
  if (settings_.close_expired_after < Duration{}) return;
  for (std::size_t i = 0; i < limits::kDrainSlice && !expiries_.empty(); ++i) {
    const auto [expires, id] = *expiries_.begin();
    if (now.at - expires < settings_.close_expired_after) return;
    Connection* const connection = live({.shard = around_.self, .id = id});
    ENSURE(connection != nullptr);
    end(*connection, Reason::token_expired, How::told, "Its token has expired, and no other came.", now);
  }
}

/// What waits for one user is bounded, however many connections they have.
void Shard::shed_user(Connection& connection, Moment now) {
  if (!settings_.memory_enabled || !connection.receiver) return;
  const flow::AccountStats memory = connection.share->memory->stats();
  if (memory.held >= memory.limit) counts_.shed += connection.receiver->shed(now.at);
}

void Shard::take_sample(Connection& connection, Moment now) {
  connection.sampled_at = now.at;
  wire::hub::PressureSample sample = connection.receiver->sample(now.at);
  sample.at = now.wall;
  if (connection.history.size() == limits::kPressureSamples)
    connection.history.erase(connection.history.begin());
  connection.history.push_back(sample);
}

void Shard::expire_promises(Connection& connection, Moment now) {
  for (auto promise = connection.promises.begin(); promise != connection.promises.end();) {
    if (promise->second.deadline > now.at) {
      ++promise;
      continue;
    }
    std::string id = std::move(promise->second.id);
    promise = connection.promises.erase(promise);
    say(connection,
        wire::hub::Reply{
            .request = std::move(id), .reason = Reason::timed_out, .message = "There was no reply in time."},
        now);
  }
}

/// Largest normal backlogs first, until there is room for some time: with a byte less than the limit the next
/// message would be refused again.
void Shard::shed_load(Moment now) {
  std::vector<Connection*> heaviest;
  for (const std::uint64_t id : slow_) {
    Connection* const connection = live({.shard = around_.self, .id = id});
    if (connection != nullptr && connection->receiver && connection->receiver->waiting() > Bytes{}) {
      heaviest.push_back(connection);
    }
  }
  std::ranges::sort(heaviest, std::ranges::greater{},
                    [](const Connection* connection) { return connection->receiver->waiting(); });
  for (Connection* const connection : heaviest) {
    const flow::AccountStats memory = around_.ledger.process->stats();
    if (memory.held <= memory.limit - memory.limit / 4) return;
    counts_.shed += connection->receiver->shed(now.at);
  }
}

void Shard::probe(const mail::Probe& mail, Moment now) {
  const Connection* const connection = live(mail.to);
  if (connection == nullptr) return;  // its home hears of its end
  // Asked for before the ping: an answer may come within the call.
  probes_.begin(mail, connection->socket->stats().heard, now.at);
  connection->socket->probe();
}

void Shard::answer_probes(Moment now) {
  const auto heard = [this](ConnectionRef ref) -> std::optional<std::uint64_t> {
    const Connection* const connection = live(ref);
    if (connection == nullptr) return std::nullopt;
    // From one that is not read, because it has asked for too much, no answer can come.
    return connection->socket->stats().heard + (connection->reading_paused ? 1 : 0);
  };
  for (mail::Probed& answer : probes_.take_answers(now.at, heard)) {
    const wire::hub::Conversation home{.kind = wire::hub::Conversation::Kind::user, .name = answer.user};
    post(home, std::move(answer));
  }
}

/// A few at a time, so that those who come back at once do not come all together.
void Shard::drain(Moment now) {
  for (std::size_t i = 0; i < limits::kDrainSlice && !connections_.empty(); ++i) {
    end(*connections_.begin()->second, Reason::shutting_down, How::told, "The hub is shutting down.", now);
  }
}

}  // namespace sluice::hub
