// Between the worker's core and the messages on the wire.
#pragma once

#include <optional>
#include <string>

#include "manyarch/v1/worker.pb.h"
#include "worker/core/effects.h"
#include "worker/core/events.h"

namespace manyarch::worker::link {

// A result as the core carries it: opaque, and empty for an attempt that was cancelled.
core::FinishedAttempt FromWire(const v1::Finished& finished);
v1::Finished ToWire(const core::FinishedAttempt& finished);

core::Phase PhaseFromWire(v1::AttemptState state);
v1::AttemptState ToWire(core::Phase phase);

// Who says hello.
struct Identity {
  v1::WorkerDescription worker;
  std::string incarnation;
};

v1::WorkerMessage ToWire(const core::SendHello& e, const Identity& identity);
v1::WorkerMessage ToWire(const core::SendHeartbeat& e);
v1::WorkerMessage ToWire(const core::SendOfferAnswer& e);
v1::WorkerMessage ToWire(const core::SendProgress& e);
v1::WorkerMessage ToWire(const core::SendReadiness& e);
v1::WorkerMessage ToWire(const core::SendDrain& e);

// Nothing for a message of a kind that this version does not know. The order of an Offered event is
// the serialised v1::Offer.
std::optional<core::Event> FromWire(core::ConnectionId connection,
                                    const v1::ControllerMessage& message);

}  // namespace manyarch::worker::link
