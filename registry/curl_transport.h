#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "registry/http.h"

namespace manyarch::registry {

// HTTP over libcurl. Connections are kept and used again: there are as many handles as there were
// exchanges at one time. Proxies come from the environment (https_proxy, no_proxy), but never for
// loopback addresses. Thread-safe; must outlive every Send.
class CurlTransport : public HttpTransport {
 public:
  // `user_agent`: "manyarch/0.1.0"
  explicit CurlTransport(std::string user_agent);
  ~CurlTransport() override;

  absl::StatusOr<Response> Send(const Request& request, const absl::Notification* stop) override;

 private:
  struct Handle;
  std::unique_ptr<Handle> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveBack(std::unique_ptr<Handle> handle) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string user_agent_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::registry
