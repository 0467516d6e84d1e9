// Conversion between the wire's messages and the core's structs. Shared by rpc and store.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "controller/core/estimates.h"
#include "controller/core/events.h"
#include "controller/core/types.h"
#include "manyarch/v1/stored.pb.h"
#include "manyarch/v1/types.pb.h"
#include "manyarch/v1/worker.pb.h"

namespace manyarch::controller::wire {

v1::Platform ToProto(const Platform& platform);
Platform FromProto(const v1::Platform& platform);

v1::Failure ToProto(const core::Failure& failure);
core::Failure FromProto(const v1::Failure& failure);

v1::Image ToProto(const core::Image& image);
core::Image FromProto(const v1::Image& image);

v1::Attempt ToProto(const core::Attempt& attempt);
// `deadline` is not on the wire: it begins anew.
core::Attempt FromProto(const v1::Attempt& proto);
v1::BinaryCheck ToProto(core::BinaryCheck check);
core::BinaryCheck BinaryCheckFromProto(v1::BinaryCheck check);

// The spec is expected in normal form, as Submit leaves it: every tag is "repository:tag".
// INVALID_ARGUMENT where a field is out of its range.
absl::StatusOr<std::shared_ptr<const core::JobSpec>> FromProto(const v1::JobSpec& spec);

v1::JobSpec ToProto(const core::JobSpec& spec);

// Without the spec.
v1::Job ToProto(const core::Job& job);

v1::StoredJob ToStored(const core::Job& job);
absl::StatusOr<core::Job> FromStored(const v1::StoredJob& stored, const v1::JobSpec& spec);

core::Admission FromProto(v1::WorkerAdmission admission);
core::WorkerDescription FromProto(const v1::WorkerDescription& description);
v1::Worker ToProto(const core::Worker& worker);
v1::StoredWorker ToStored(const core::Worker& worker);
core::Worker FromStored(const v1::StoredWorker& stored);

v1::StoredEstimate ToStored(const core::BuildKind& kind, const core::History& history);
std::pair<core::BuildKind, core::History> FromStored(const v1::StoredEstimate& stored);

// Attempts as a worker's session tells them.
core::FinishedAttempt FromProto(const v1::Finished& finished);
core::Phase PhaseFromProto(v1::AttemptState state);
core::WorkerHello FromProto(const v1::Hello& hello, uint64_t session);

}  // namespace manyarch::controller::wire
