// The steps of one attempt.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/os/stop_token.h"
#include "worker/build/attempt_runner.h"
#include "worker/build/image_stores.h"
#include "worker/build/output_tail.h"

namespace manyarch::worker {

// What an attempt uses of the runner. All outlive it.
struct AttemptTools {
  const BuildahInfo& buildah;
  ContextSource& contexts;
  const AttemptRunner::PlatformWorks& platform_works;
};

// One attempt from fetching to pushing. Made, run once and thrown away on one thread; what it
// leaves on disk is the caller's to remove.
class Attempt {
 public:
  Attempt(const v1::Offer& offer, const AttemptTools& tools, const StorePaths& store,
          WorkPaths work, std::string cgroup, AttemptObserver& observer, const StopToken& stop);

  v1::Finished Run();

  // Afterwards: ids of images in the store that it has built or taken from the cache, as far as
  // they are known.
  std::set<std::string> UsedImages() const;

 private:
  // Each true when the next may follow; else result_ says why not.
  bool Prepare();
  bool Fetch();
  absl::Status FetchAll(const StopToken& stop);
  absl::Status FindContainerfile(const StopToken& stop);
  bool Build();
  // Whether the image's programs are for its platform.
  bool Inspect();
  bool Push();

  // Runs buildah with its output to the observer; false, with the failure in result_, unless it
  // succeeds.
  bool RunBuildah(const std::vector<std::string>& argv, bool pushing);
  bool Fail(v1::FailureClass failure_class, absl::string_view message, int exit_code = 0);
  // Shown with the build, and a line of the attempt's log.
  void Warn(absl::string_view message);
  // By the code of the status.
  bool Fail(const absl::Status& status);

  const v1::Offer& offer_;
  const AttemptTools& tools_;
  const StorePaths& store_;
  const WorkPaths work_;
  const std::string cgroup_;
  AttemptObserver& observer_;
  const StopToken& stop_;
  const absl::Duration timeout_;
  const absl::Time deadline_;
  OutputTail tail_;
  std::string containerfile_;
  std::string image_id_;
  v1::Finished result_;
};

}  // namespace manyarch::worker
