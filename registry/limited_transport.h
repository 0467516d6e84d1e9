#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "registry/host_limit.h"
#include "registry/hosts.h"
#include "registry/http.h"
#include "registry/retry.h"

namespace manyarch::registry {

// Holds requests back until their host's limits let them begin; one for a whole process, so that
// the limits hold over all jobs. A host that answers 429 or 503 with Retry-After is left in peace
// for as long (at most ten minutes): by all requests, not only the one that was told. A download
// counts until its first byte, an upload to its end. Thread-safe; `next` and `waiter` must outlive
// it.
class LimitedTransport : public HttpTransport {
 public:
  LimitedTransport(Hosts hosts, HttpTransport* next, Waiter* waiter);
  ~LimitedTransport() override;

  // Also UNAVAILABLE: the host's pause ends after the request's deadline. CANCELLED as `next`.
  absl::StatusOr<Response> Send(const Request& request, const absl::Notification* stop) override;

 private:
  struct Host;
  class Turn;

  Host& Find(const std::string& authority) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Await(Host& host, const std::string& authority, absl::Time deadline,
                     const absl::Notification* stop);
  void Obey(Host& host, const Response& response);

  const Hosts hosts_;
  HttpTransport* const next_;
  Waiter* const waiter_;
  absl::Mutex mutex_;
  std::map<std::string, std::unique_ptr<Host>> by_authority_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::registry
