// An attempt, as a worker is offered it.
#pragma once

#include "absl/status/statusor.h"
#include "controller/core/effects.h"
#include "controller/rpc/ports.h"
#include "manyarch/v1/worker.pb.h"

namespace manyarch::controller::rpc {

// With all that the worker needs: credentials, and the job's secrets in clear. Not to be logged.
// Fails where the secrets cannot be opened.
absl::StatusOr<v1::Offer> MakeOffer(const core::SendOffer& effect, RegistryPort& registry,
                                    SecretPort& secrets);

}  // namespace manyarch::controller::rpc
