// A real docker-registry as a child process, on a free loopback port, with a directory of its own.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/support/test_certificates.h"

namespace manyarch::testing {

struct DockerRegistryOptions {
  std::string user;  // Empty: anybody may do anything.
  std::string password;
  bool allow_delete = true;
  // Tokens, where the realm is not empty; a user and password are not used then.
  std::string token_realm = {};
  std::string token_service = {};
  std::string token_issuer = {};
  std::string token_certificate_pem = {};  // Of whoever signs them.
  const TestCertificates* tls = nullptr;   // Null: plain http. Else it must outlive the registry.
  bool wants_client_certificate = false;   // Of the same authority.
};

// Running from Start to the destructor, which kills it and deletes what it stored. It dies with the
// process (the thread) that started it. Not thread-safe.
class DockerRegistry {
 public:
  // Returns once it answers. NOT_FOUND: the program is not installed.
  static absl::StatusOr<std::unique_ptr<DockerRegistry>> Start(DockerRegistryOptions options = {});
  ~DockerRegistry();
  DockerRegistry(const DockerRegistry&) = delete;
  DockerRegistry& operator=(const DockerRegistry&) = delete;

  // "127.0.0.1:PORT"
  std::string host() const;
  // Kills it; what it stored stays.
  void Stop();
  // On the same port and storage, after Stop.
  absl::Status StartAgain();
  // All it has logged: one line for each request.
  std::string Log() const;

 private:
  DockerRegistry(DockerRegistryOptions options, std::string directory);
  absl::Status WriteConfig();
  absl::Status Launch();

  const DockerRegistryOptions options_;
  const std::string directory_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace manyarch::testing
