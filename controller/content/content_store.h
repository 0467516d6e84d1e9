// Contexts on disk: blobs named by the sha256 of their bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/base/digest.h"

namespace manyarch::controller {

// Thread-safe. Layout: <directory>/sha256/<first two hex digits>/<hex>; pieces on the way in are in
// <directory>/incoming and become visible by rename, so a blob that is there is whole.
class ContentStore {
 public:
  static constexpr int64_t kLargestBlob = 64 << 20;  // Bytes.

  // Creates the directories and removes what an interrupted upload left.
  static absl::StatusOr<std::unique_ptr<ContentStore>> Open(const std::string& directory);

  bool Has(const Digest& digest) const;
  // NOT_FOUND names the digest.
  absl::StatusOr<std::string> Get(const Digest& digest) const;

  // Blobs that become durable and visible together: two syncs, however many they are. Not
  // thread-safe; what was not committed is removed by the destructor.
  class Upload {
   public:
    explicit Upload(ContentStore* store) : store_(store) {}
    ~Upload();
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;

    // INVALID_ARGUMENT when the bytes are not those of the digest.
    absl::Status Add(const Digest& digest, absl::string_view bytes);
    absl::Status Commit();

   private:
    ContentStore* const store_;
    std::vector<std::pair<Digest, std::string>> staged_;  // Digest and path.
  };

  // Whether the tree under `root` is all there, and sound: names, sizes, depth. FAILED_PRECONDITION
  // or INVALID_ARGUMENT name what is wrong.
  absl::Status CheckTree(const Digest& root);

  // The same of one blob, which is `what` for people, with at most `limit` bytes.
  absl::Status CheckBlob(const Digest& digest, absl::string_view what, int64_t limit) const;

  // All blobs, each read and compared with its digest. Slow: as much as there is.
  struct Census {
    int64_t blobs = 0;
    int64_t bytes = 0;
    std::vector<std::string> faults;
  };
  absl::StatusOr<Census> VerifyAll() const;

 private:
  explicit ContentStore(std::string directory) : directory_(std::move(directory)) {}
  std::string PathOf(const Digest& digest) const;
  absl::Status SyncAll() const;

  const std::string directory_;
  absl::Mutex mutex_;
  int64_t last_staged_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_set<Digest> checked_ ABSL_GUARDED_BY(mutex_);  // Roots found to be sound.
};

}  // namespace manyarch::controller
