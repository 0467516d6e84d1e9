// Directories for clones and for what is unpacked.
#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/os/files.h"

namespace manyarch::cli {

// New directories in TempRoot(), which go with this object or, where the program is to end at once,
// with RemoveAll. What a killed program has left goes when another one makes its first: each is
// locked for as long as it is in use. Thread-safe.
class TemporaryDirs {
 public:
  TemporaryDirs() = default;
  ~TemporaryDirs() { RemoveAll(); }
  TemporaryDirs(const TemporaryDirs&) = delete;
  TemporaryDirs& operator=(const TemporaryDirs&) = delete;

  absl::StatusOr<std::string> Make();
  // Also while others still write there. From here on none can be made.
  void RemoveAll();

 private:
  struct Dir {
    std::string path;
    UniqueFd lock;
  };

  absl::Mutex mutex_;
  std::vector<Dir> dirs_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace manyarch::cli
