#pragma once

#include <expected>
#include <memory>
#include <mutex>

#include "hub/auth/identity.hpp"
#include "hub/auth/verifier.hpp"
#include "hub/gateway/shard.hpp"
#include "wire/hub/message.hpp"

namespace sluice::hub::service {

/// Who a client is: by its token, or, at an open hub, by its own word. Any thread.
class Doorman {
 public:
  /// Without a verifier everyone is let in under the name that they give.
  explicit Doorman(std::shared_ptr<const auth::Verifier> verifier) : verifier_(std::move(verifier)) {}

  [[nodiscard]] std::expected<auth::Identity, ShardPort::Stranger> identify(const wire::hub::Hello& hello,
                                                                            wire::hub::UnixMs now) const;
  /// From the next one on.
  void set_verifier(std::shared_ptr<const auth::Verifier> verifier);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const auth::Verifier> verifier_;
};

}  // namespace sluice::hub::service
