// What a registry says when it refuses, in its own words.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "registry/http.h"

namespace manyarch::registry {

// One element of errors[] in an answer's body.
struct ApiError {
  std::string code;
  std::string message;
  std::string detail;  // As JSON where it is not a string; empty where it is absent.
};

// Empty where the body is no such thing.
std::vector<ApiError> ParseApiErrors(absl::string_view body);

// "400 Bad Request: MANIFEST_INVALID: manifest invalid (detail: …)"; where the body is no error
// list, its beginning is quoted.
std::string DescribeAnswer(const Response& response);

// 401 UNAUTHENTICATED, 403 PERMISSION_DENIED, 404 NOT_FOUND, what may pass UNAVAILABLE, 400
// INVALID_ARGUMENT, anything else FAILED_PRECONDITION.
absl::StatusCode CodeOf(int http_status);

}  // namespace manyarch::registry
