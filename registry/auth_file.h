// Credentials from a containers auth.json (or docker's config.json, which has the same shape).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch::registry {

struct Credentials {
  std::string user;
  std::string password;
  // In place of the password, where a login left one: only the token service takes it.
  std::string identity_token = "";

  // What Basic authentication shows.
  const std::string& secret() const { return identity_token.empty() ? password : identity_token; }
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// "https://index.docker.io/v1/" → "docker.io", "host:5000/team" → "host:5000".
std::string RegistryOfKey(absl::string_view key);

// Where a registry's credentials may come from: one of the first two.
struct CredentialSource {
  std::optional<Credentials> credentials;
  std::string helper;  // Of docker-credential-NAME.
  std::string file;    // The path of the file that says so; empty: it was read from elsewhere.
};

// The contents of a file, or of several, of which earlier ones win. A value; passwords never appear
// in its errors.
class AuthFile {
 public:
  struct File {
    std::string path;                            // Empty: it was read from elsewhere.
    std::map<std::string, Credentials> entries;  // By "host[:port][/path]".
    std::map<std::string, std::string> helpers;  // By "host[:port]".
    std::string store;                           // Helper for any registry; may be empty.
  };

  // Without any credentials.
  AuthFile() = default;

  static absl::StatusOr<AuthFile> Parse(absl::string_view text);
  static absl::StatusOr<AuthFile> Read(const std::string& path);
  // What podman, buildah and docker would use, by containers-auth.json(5): REGISTRY_AUTH_FILE
  // alone where it is set, else all of these that are there: $XDG_RUNTIME_DIR/containers/auth.json
  // (where that is not set: /run/containers/UID/auth.json), $XDG_CONFIG_HOME
  // (~/.config)/containers/auth.json, $DOCKER_CONFIG (~/.docker)/config.json.
  static absl::StatusOr<AuthFile> ReadDefault(
      const std::function<std::string(const char*)>& environment);

  // Behind all that is here.
  void Append(const AuthFile& other);

  // Where to look, in this order, by containers-auth.json(5): in each file its helper for the
  // registry, and then none of its entries for it; without one the entry with the longest matching
  // path ("host/team/app", "host/team", "host"), then its credential store (which docker alone
  // knows). Docker Hub's entry is found under any of its names.
  std::vector<CredentialSource> SourcesFor(absl::string_view registry,
                                           absl::string_view repository) const;

  // All entries, by "host[:port][/path]".
  std::map<std::string, Credentials> Entries() const;
  // The registries that have a helper of their own, and the credential stores.
  std::map<std::string, std::string> Helpers() const;
  std::set<std::string> Stores() const;
  // In the order in which they count.
  const std::vector<File>& files() const { return files_; }

 private:
  static const Credentials* FindIn(const File& file, absl::string_view registry,
                                   absl::string_view repository);

  std::vector<File> files_;
};

// Text of an auth.json with these entries, by "host[:port][/path]".
std::string WriteAuthFile(const std::map<std::string, Credentials>& entries);

}  // namespace manyarch::registry
