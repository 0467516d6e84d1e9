// Channels to the controller.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"

namespace manyarch::worker::link {

// A channel with a transport of its own: a connection that died without a word is not used again.
// Keepalive agrees with what the controller allows; reconnects wait at most 2 s.
std::shared_ptr<grpc::Channel> NewChannel(const std::string& target);

// Why a call ended, for people: "connection refused", not gRPC's account of its addresses.
std::string Reason(const grpc::Status& status);

}  // namespace manyarch::worker::link
