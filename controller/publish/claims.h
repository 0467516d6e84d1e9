#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "controller/core/types.h"

namespace manyarch::controller::publish {

// Who was the last to be asked to write a tag. What is copied first may be overtaken meanwhile by
// a later job: then the tag is the later one's. Thread-safe.
class Claims {
 public:
  // A number that stands for this claim; in the order of the calls.
  int64_t Claim(const std::vector<core::TagRef>& tags) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++last_;
    for (const core::TagRef& tag : tags) {
      Tag& claimed = tags_[tag.ToString()];
      claimed.latest = last_;
      ++claimed.open;
    }
    return last_;
  }
  // Whether nobody has claimed the tag since; nothing of what was forgotten does.
  bool Holds(const core::TagRef& tag, int64_t claim) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (claim <= forgotten_) return false;
    const auto claimed = tags_.find(tag.ToString());
    return claimed == tags_.end() || claimed->second.latest <= claim;
  }
  // To be called once for each claim: its tags are written, or never will be.
  void Release(const std::vector<core::TagRef>& tags, int64_t claim) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (claim <= forgotten_) return;
    for (const core::TagRef& tag : tags) {
      const auto claimed = tags_.find(tag.ToString());
      if (claimed != tags_.end() && --claimed->second.open == 0) tags_.erase(claimed);
    }
  }
  // Whoever has a claim will not release it, or too late: all are claimed anew.
  void Forget() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    tags_.clear();
    forgotten_ = last_;
  }
  // Tags with claims that are not released.
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return tags_.size();
  }

 private:
  struct Tag {
    int64_t latest = 0;
    int open = 0;  // Claims that are not released: an earlier one may come after the latest.
  };
  mutable absl::Mutex mutex_;
  int64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t forgotten_ ABSL_GUARDED_BY(mutex_) = 0;  // Up to which.
  absl::flat_hash_map<std::string, Tag> tags_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::controller::publish
