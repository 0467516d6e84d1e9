#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "controller/options.h"
#include "manyarch/v1/worker.pb.h"
#include "registry/client.h"
#include "registry/hosts.h"
#include "registry/keychain.h"
#include "registry/retry.h"

namespace manyarch::controller {

// What the operator says about registries, for the controller's own client and for its workers.
// Credential helpers are asked on a thread of its own, so that their answers are there when an
// attempt needs them. Thread-safe; `waiter` must outlive it.
class Registries {
 public:
  // Reads the files that the options name, and asks the helpers a first time.
  static absl::StatusOr<std::unique_ptr<Registries>> Read(const Options& options,
                                                          registry::Waiter* waiter);
  ~Registries();

  const registry::Hosts& hosts() const { return client_.hosts; }
  const registry::ClientOptions& client() const { return client_; }

  // What an attempt needs to push to `repository` and to pull what it builds on: an auth file with
  // all credentials but those for other repositories of the same registry alone, and all hosts'
  // settings. Never blocks.
  v1::RegistryAccess AccessFor(const std::string& repository) const;

 private:
  Registries() = default;
  void KeepFresh();

  registry::ClientOptions client_;
  std::shared_ptr<registry::Keychain> keychain_;
  absl::Notification stop_;
  std::thread refresher_;  // Where there are helpers.
};

}  // namespace manyarch::controller
