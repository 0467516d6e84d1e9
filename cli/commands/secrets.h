// --secret, --ssh and --authfile: values that travel beside a job.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/status_macros.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// Answers for an environment variable; null where it is not set.
using GetEnv = std::function<const char*(const char*)>;

// Where a secret's value comes from.
struct SecretSource {
  std::string id;
  std::string file;
  std::string env;  // One of the two is set.
};

// As buildx and podman spell it: "id=ID[,src=FILE|,env=NAME][,type=file|env]". With neither file
// nor variable it is the variable named like the id where there is one, else the file of that name.
absl::StatusOr<SecretSource> ParseSecret(const std::string& text, const GetEnv& getenv);

// "ID=FILE" with a private key. An agent's socket cannot be reached from other machines: refused.
absl::StatusOr<SecretSource> ParseSsh(const std::string& text);

// The values, in order; ids are not given twice. INVALID_ARGUMENT: the flag is wrong, or its file
// cannot be read or is too large.
absl::StatusOr<std::vector<v1::Secret>> ReadSecrets(const std::vector<std::string>& flags,
                                                    const GetEnv& getenv);
absl::StatusOr<std::vector<v1::Secret>> ReadSshKeys(const std::vector<std::string>& flags);

// The credentials in the containers auth.json (or docker's config.json) that --authfile names, as
// the text of another one that has nothing else; empty where `path` is. INVALID_ARGUMENT: it has
// none, or names programs that keep them, which the farm cannot ask.
absl::StatusOr<std::string> ReadJobAuthfile(const std::string& path);

// The flags whose values travel beside a job.
struct SecretFlags {
  std::vector<std::string> secrets;
  std::vector<std::string> ssh;
  std::string authfile;
};

// Puts them all into a request to submit or to retry.
template <typename Request>
absl::Status AddSecrets(const SecretFlags& flags, const GetEnv& getenv, Request& request) {
  MA_ASSIGN_OR_RETURN(const std::vector<v1::Secret> values, ReadSecrets(flags.secrets, getenv));
  for (const v1::Secret& secret : values) *request.add_secrets() = secret;
  MA_ASSIGN_OR_RETURN(const std::vector<v1::Secret> keys, ReadSshKeys(flags.ssh));
  for (const v1::Secret& key : keys) *request.add_ssh_keys() = key;
  MA_ASSIGN_OR_RETURN(*request.mutable_authfile(), ReadJobAuthfile(flags.authfile));
  return absl::OkStatus();
}

}  // namespace manyarch::cli
