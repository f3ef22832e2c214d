#include "hub/service/doorman.hpp"

#include <string>
#include <utility>

#include "core/hub_limits.hpp"

namespace sluice::hub::service {

using wire::hub::Reason;

std::expected<auth::Identity, ShardPort::Stranger> Doorman::identify(const wire::hub::Hello& hello,
                                                                     wire::hub::UnixMs now) const {
  const auto verifier = [this] {
    const std::scoped_lock lock{mutex_};
    return verifier_;
  }();
  if (verifier) {
    if (hello.token.empty()) {
      return std::unexpected(
          ShardPort::Stranger{.reason = Reason::unauthenticated, .message = "This hub wants a token."});
    }
    auto identity = verifier->verify(hello.token, now);
    if (identity) return std::move(*identity);
    return std::unexpected(ShardPort::Stranger{.reason = identity.error().reason,
                                               .message = std::move(identity.error().message)});
  }
  if (!wire::hub::is_name(hello.user)) {
    return std::unexpected(ShardPort::Stranger{.reason = Reason::unauthenticated,
                                               .message = "Say who you are: `user`, 1 to " +
                                                          std::to_string(limits::kMaxName.count()) +
                                                          " bytes without control characters."});
  }
  return auth::Identity{.user = hello.user, .rights = auth::Rights::of_everyone()};
}

void Doorman::set_verifier(std::shared_ptr<const auth::Verifier> verifier) {
  const std::scoped_lock lock{mutex_};
  verifier_ = std::move(verifier);
}

}  // namespace sluice::hub::service
