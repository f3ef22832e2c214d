#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>

#include "transport/dialing/address.hpp"
#include "transport/dialing/look_up_threads.hpp"
#include "transport/dialing/name_cache.hpp"
#include "transport/dialing/system_names.hpp"

namespace sluice::dialing {

/// Looks names up for everything on one shard.
///
/// Belongs to the shard's execution context, which makes it at the first use. Both families of a name are
/// asked for at the same time, each in a thread, so that a silent name server holds up nobody but those who
/// want this very name: they join the look-up that runs. Answers are cached for as long as DNS says, at most
/// `limits::kLongestNameLife`.
class Resolver final : public boost::asio::execution_context::service {
 public:
  /// Somebody who wants a name; told once for each family unless gone by then.
  class Asker {
   public:
    virtual ~Asker() = default;
    virtual void on_answer(Family family, const Answer& answer) = 0;
  };

  static boost::asio::execution_context::id id;

  static Resolver& of(const boost::asio::any_io_executor& executor);
  explicit Resolver(boost::asio::execution_context& context) : Resolver(context, system_names()) {}
  Resolver(boost::asio::execution_context& context, NameSource source);

  /// Asks for both families. Answers that are known are told from inside the call.
  void look_up(const std::string& host, const std::shared_ptr<Asker>& asker,
               const boost::asio::any_io_executor& executor);

  /// Attempts to connect beyond the first of each connection; `limits::kSpareAttempts` on one shard, so that
  /// racing takes no more descriptors than are set aside for it.
  [[nodiscard]] bool take_spare_attempt();
  void give_spare_attempt() { --spare_attempts_; }

 private:
  void shutdown() noexcept override;
  void ask(const Question& question, const std::shared_ptr<Asker>& asker,
           const boost::asio::any_io_executor& executor);
  void take(const Question& question, Answer answer);

  /// Those who wait for one question. Many may have gone by themselves.
  struct Waiting {
    std::vector<std::weak_ptr<Asker>> askers;
    std::size_t sweep_at = 64;
  };
  NameSource source_;
  NameCache cache_;
  std::map<Question, Waiting> waiting_;  // as many as `LookUpThreads` takes
  std::unique_ptr<LookUpThreads> threads_;
  std::size_t spare_attempts_ = 0;
};

}  // namespace sluice::dialing
