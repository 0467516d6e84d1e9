// WWW-Authenticate: what a registry wants to see (RFC 7235).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace manyarch::registry {

struct Challenge {
  std::string scheme;                         // Lower-case: "basic", "bearer"
  std::map<std::string, std::string> params;  // Names in lower case, values unquoted.

  // Empty where it is absent.
  std::string Param(const std::string& name) const;
};

// All challenges of all header lines, in order. What cannot be understood ends the line it is in.
std::vector<Challenge> ParseChallenges(absl::Span<const std::string> headers);

}  // namespace manyarch::registry
