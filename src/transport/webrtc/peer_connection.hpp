#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "transport/peer_connection.hpp"
#include "transport/webrtc/options.hpp"

namespace sluice::webrtc {

/// A peer connection over ICE, DTLS and SCTP, as browsers speak it, on the shard of `executor`.
///
/// The executor's context is an io_context that one thread runs and that lives longer than the connection and
/// its link; all connections of a process share one shard. The listener outlives the connection.
[[nodiscard]] std::unique_ptr<transport::PeerConnection> make_peer_connection(
    boost::asio::any_io_executor executor, Options options, transport::PeerConnectionListener& listener);

/// The same, for those who negotiate without naming a transport.
[[nodiscard]] transport::PeerConnectionFactory peer_connection_factory(boost::asio::any_io_executor executor,
                                                                       Options options);

}  // namespace sluice::webrtc
