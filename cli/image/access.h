// How commands that speak to registries themselves reach them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "registry/client.h"
#include "registry/curl_transport.h"
#include "registry/limited_transport.h"
#include "registry/reference.h"
#include "registry/retry.h"

namespace manyarch::cli::image {

// Flags that all these commands take.
struct RegistryFlags {
  std::string authfile;
  std::string registries;  // A registries file; empty: the one of MANYARCH_REGISTRIES, if any.
  std::vector<std::string> plain_http;
};

// A client with this user's credentials and the limits of each registry, and what it stands on.
// Thread-safe.
class RegistryAccess {
 public:
  // `references` are those of the command: their registries on loopback addresses are spoken to
  // without TLS where that is how they answer. `patience` bounds the retries of one operation.
  static absl::StatusOr<std::unique_ptr<RegistryAccess>> Open(
      const RegistryFlags& flags, const std::vector<registry::Reference>& references,
      absl::Duration patience);

  registry::RegistryClient& client() { return *client_; }
  // Where the credentials for it come from: a sentence, which never has them themselves.
  std::string CredentialsOf(const registry::Reference& reference) const;

 private:
  RegistryAccess();

  registry::AuthFile auth_;
  registry::CurlTransport transport_;
  registry::SystemWaiter waiter_;
  std::unique_ptr<registry::LimitedTransport> limited_;
  std::unique_ptr<registry::RegistryClient> client_;
};

}  // namespace manyarch::cli::image
