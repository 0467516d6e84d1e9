// What an auth.json has for a repository.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "registry/auth_file.h"

namespace manyarch::registry {

// The first credentials on the way that SourcesFor tells.
inline std::optional<Credentials> FirstCredentials(const AuthFile& file, absl::string_view registry,
                                                   absl::string_view repository) {
  for (const CredentialSource& source : file.SourcesFor(registry, repository)) {
    if (source.credentials) return source.credentials;
  }
  return std::nullopt;
}

}  // namespace manyarch::registry
