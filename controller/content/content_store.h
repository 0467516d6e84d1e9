// Contexts on disk: blobs named by the sha256 of their bytes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/digest.h"

namespace manyarch::controller {

// How large a context may be.
struct TreeLimits {
  int64_t bytes = int64_t{64} << 30;  // Of all files together.
  int64_t entries = 2'000'000;        // Files, directories and links.
  int depth = 128;                    // Directories inside each other.
};

// Thread-safe. Layout: <directory>/sha256/<first two hex digits>/<hex>; pieces on the way in are in
// <directory>/incoming and become visible by rename, so a blob that is there is whole. The time of
// a blob's last change is when it was last stored or asked for, as far as that matters;
// <directory>/roots has an empty file for each tree, whose time of last change is when the tree was
// last checked or needed by a job.
class ContentStore {
 public:
  static constexpr int64_t kLargestBlob = 64 << 20;  // Bytes.
  // What was stored, asked for or checked so lately is kept: a job may be about to need it.
  static constexpr absl::Duration kKept = absl::Hours(1);

  // Creates the directories and removes what an interrupted upload left.
  static absl::StatusOr<std::unique_ptr<ContentStore>> Open(const std::string& directory,
                                                            TreeLimits limits = {});

  // Whether it is there; then it stays for at least kKept.
  bool Has(const Digest& digest);
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
    int64_t bytes_ = 0;                                   // Of those.
  };

  // Whether the tree under `root` is all there, and sound: names, sizes, depth. FAILED_PRECONDITION
  // or INVALID_ARGUMENT name what is wrong. A sound tree stays for at least kKept.
  absl::Status CheckTree(const Digest& root);

  // The same of one blob, which is `what` for people, with at most `limit` bytes.
  absl::Status CheckBlob(const Digest& digest, absl::string_view what, int64_t limit);

  // What a sweep has found and done.
  struct Swept {
    int64_t removed_blobs = 0;
    int64_t removed_bytes = 0;
    int64_t left_bytes = 0;
    int64_t live_bytes = 0;  // Of trees that live jobs need.
  };
  // Where there are more than `limit` bytes: removes the blobs used longest ago until there are a
  // tenth less, but none that `live` (roots and single blobs) need, nor any used within kKept of
  // `now`. `live` is asked for once, when nothing checked before can be missed. Uploads, checks and
  // downloads go on meanwhile: what they ask for is kept. One sweep at a time; a crash in the
  // middle leaves a store with fewer blobs.
  absl::StatusOr<Swept> Sweep(int64_t limit, absl::Time now,
                              const std::function<absl::StatusOr<std::vector<Digest>>()>& live);
  // Of all blobs, as of the last sweep and with what was stored since; 0 before the first sweep.
  int64_t bytes() const;

  const TreeLimits& limits() const { return limits_; }

  // All blobs, each read and compared with its digest. Slow: as much as there is.
  struct Census {
    int64_t blobs = 0;
    int64_t bytes = 0;
    std::vector<std::string> faults;
  };
  absl::StatusOr<Census> VerifyAll() const;

 private:
  class TreeCheck;
  struct Inventory;

  ContentStore(std::string directory, TreeLimits limits)
      : directory_(std::move(directory)), limits_(limits) {}
  std::string PathOf(const Digest& digest) const;
  std::string RootPathOf(const Digest& root) const;
  absl::Status SyncAll() const;
  // The blob's size, if it is there; then it is kept as Has says.
  std::optional<int64_t> Ask(const Digest& digest);
  absl::Status ListBlobs(Inventory& all) const;
  void Use(const Digest& root, absl::Time when, Inventory& all) const;
  absl::Status UseRoots(const std::vector<Digest>& live, absl::Time now, Inventory& all) const;
  bool RemoveUnlessAskedFor(const Digest& digest);

  const std::string directory_;
  const TreeLimits limits_;
  mutable absl::Mutex mutex_;
  int64_t last_staged_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool sweeping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<Digest> asked_for_ ABSL_GUARDED_BY(mutex_);  // While sweeping.
  absl::flat_hash_set<Digest> checked_ ABSL_GUARDED_BY(mutex_);    // Roots found to be sound.
};

}  // namespace manyarch::controller
