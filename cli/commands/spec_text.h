// Text on the wire is UTF-8; what people type, or have as names of files, need not be.
#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message.h"

namespace manyarch::cli {

// INVALID_ARGUMENT names the first text in a job that is not UTF-8, and what it is: "the job's
// constraint value 'caf\xe9' is not UTF-8, …".
absl::Status CheckSpecText(const google::protobuf::Message& spec);

}  // namespace manyarch::cli
