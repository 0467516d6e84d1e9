// absl::Status and grpc::Status have the same codes.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace manyarch::controller::rpc {

inline grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

}  // namespace manyarch::controller::rpc
