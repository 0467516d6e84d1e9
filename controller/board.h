// Live jobs as clients see them: what the loop has made durable (and progress inside attempts),
// ready to be read and watched without disturbing the loop.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/core/types.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::controller {

// Thread-safe. Holds every live job and the last finished ones; older ones are in the store only.
class Board {
 public:
  // Called by the loop alone. `proto` is the job (wire::ToProto); its spec never changes.
  void Update(const core::Job& job, v1::Job proto);
  void UpdateWorker(const core::Worker& worker);
  // Drops everything: what was shown may never have become durable.
  void Clear();

  // Nothing when the board does not have it.
  std::optional<v1::Job> Find(const std::string& job_id) const;
  bool Has(const std::string& job_id) const;
  // The job as soon as its revision differs from `seen`, or nothing at the deadline or when it is
  // gone.
  std::optional<v1::Job> Await(const std::string& job_id, int64_t seen, absl::Time deadline) const;
  std::vector<v1::Worker> Workers() const;

 private:
  static constexpr size_t kFinishedKept = 1000;

  // Put together when it is read, which is rarer than a change.
  struct Shown {
    std::shared_ptr<const v1::Job> job;  // Without its spec.
    std::shared_ptr<const v1::JobSpec> spec;
  };
  struct Entry {
    Shown shown;
    std::shared_ptr<absl::CondVar> changed = std::make_shared<absl::CondVar>();
  };

  static v1::Job Whole(const Shown& shown);

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> jobs_ ABSL_GUARDED_BY(mutex_);
  std::list<std::string> finished_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, v1::Worker> workers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::controller
