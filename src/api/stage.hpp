#pragma once

#include <cstdint>

#include "core/error.hpp"

namespace sluice::api {

/// How far a peer had come when an error arose: the same code means different things to a user at different
/// stages.
enum class Stage : std::uint8_t {
  start,       ///< Arguments, files, local ports.
  hub,         ///< Reaching the hub.
  entry,       ///< Being let in by it.
  rendezvous,  ///< Finding the other side through it and confirming the code.
  path,        ///< Building the peer connection.
  running,     ///< The tunnel is or was up.
};

/// Why a job ended, and where.
struct Failure {
  Stage stage;
  Error error;
};

}  // namespace sluice::api
