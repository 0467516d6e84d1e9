// A registry without a network: what a controller asks of one, answered from memory.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/base/digest.h"
#include "registry/http.h"
#include "tests/support/test_image.h"

namespace manyarch::bench {

// Every repository has one image for each platform asked for, and takes any list and any tag. So
// the controller's own checking and publishing is measured, and no HTTP. Thread-safe.
class MemoryRegistry : public registry::HttpTransport {
 public:
  MemoryRegistry();

  absl::StatusOr<registry::Response> Send(const registry::Request& request,
                                          const absl::Notification* stop) override;

  // The image that every build for linux on `arch` ends with.
  static testing::TestImage ImageFor(const std::string& arch);

 private:
  struct Content {
    std::string bytes;
    std::string media_type;
  };
  absl::flat_hash_map<std::string, Content> fixed_;  // By digest.
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::string> tags_ ABSL_GUARDED_BY(mutex_);  // Path → digest.
};

}  // namespace manyarch::bench
