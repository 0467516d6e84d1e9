// Programs that keep credentials: docker-credential-NAME.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/auth_file.h"

namespace manyarch::registry {

// Runs "docker-credential-NAME VERB" with `input` on its stdin; its stdout. NOT_FOUND: it says that
// it has no such credentials. Takes at most ten seconds.
using HelperRunner = std::function<absl::StatusOr<std::string>(
    const std::string& name, const std::string& verb, const std::string& input)>;

// The programs on PATH.
HelperRunner SystemHelpers();

// What the helper has for the registry; nullopt: nothing. Errors name helper and registry, and
// never show what it has printed on stdout.
absl::StatusOr<std::optional<Credentials>> AskHelper(const HelperRunner& run,
                                                     const std::string& name,
                                                     absl::string_view registry);

// The registries that the helper has credentials for.
absl::StatusOr<std::vector<std::string>> ListHelper(const HelperRunner& run,
                                                    const std::string& name);

}  // namespace manyarch::registry
