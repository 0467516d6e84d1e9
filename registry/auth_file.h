// Credentials from a containers auth.json (or docker's config.json, which has the same shape).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch::registry {

struct Credentials {
  std::string user;
  std::string password;

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// The contents of one file. A value; passwords never appear in its errors.
class AuthFile {
 public:
  // Without any credentials.
  AuthFile() = default;

  static absl::StatusOr<AuthFile> Parse(absl::string_view text);
  static absl::StatusOr<AuthFile> Read(const std::string& path);

  // For "host[:port]/team/app": the entry with the longest matching path ("host/team/app",
  // "host/team", "host"). Docker Hub's entry is found under any of its names.
  std::optional<Credentials> Find(absl::string_view registry, absl::string_view repository) const;

  // Says so where the file leaves the registry's credentials to something that is not supported (a
  // credential helper or an identity token); empty where it does not.
  std::string Unsupported(absl::string_view registry) const;

 private:
  std::map<std::string, Credentials> entries_;      // By "host[:port][/path]".
  std::map<std::string, std::string> unsupported_;  // By host: what it would need. "*": any host.
};

}  // namespace manyarch::registry
