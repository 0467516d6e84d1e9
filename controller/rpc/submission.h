// What a submission must look like before anything is asked of anybody.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "controller/rpc/ports.h"
#include "manyarch/v1/farm.pb.h"
#include "manyarch/v1/types.pb.h"
#include "registry/reference.h"

namespace manyarch::controller::rpc {

// The per-architecture tags of a spec in normal form; none where they are off.
std::vector<registry::Reference> ArchTagsOf(const v1::JobSpec& spec);

// The values that came with a submission.
JobSecrets SecretsOf(const v1::SubmitRequest& request);

// The spec in normal form: full references, normal platforms, defaults filled in. INVALID_ARGUMENT
// says what is wrong with which field and what to do.
absl::StatusOr<v1::JobSpec> CheckSubmission(const v1::SubmitRequest& request);

}  // namespace manyarch::controller::rpc
