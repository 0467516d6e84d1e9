// One attempt: context -> buildah build -> buildah push -> the result.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/platform.h"
#include "common/os/disk.h"
#include "common/os/stop_token.h"
#include "manyarch/v1/types.pb.h"
#include "manyarch/v1/worker.pb.h"
#include "worker/build/context_source.h"
#include "worker/core/buildah.h"

namespace manyarch::worker {

// What to run and where.
struct AttemptContext {
  v1::Offer offer;
  int slot = 0;  // From 0; no two attempts of one slot run at a time.
  std::string
      attempt_dir;  // Exists, is the attempt's own, and is removed by the caller afterwards.
};

// Told of what happens, from the threads that run the attempt, one call at a time.
class AttemptObserver {
 public:
  virtual ~AttemptObserver() = default;
  // FETCHING, BUILDING, PUSHING, each once and in this order.
  virtual void OnState(v1::AttemptState state) = 0;
  // Output of the attempt as it comes; any bytes, not cut at lines.
  virtual void OnOutput(absl::string_view bytes) = 0;
};

// Runs attempts, one per slot at a time. Holds no state between attempts but what is on disk: one
// image store a slot and platform (state_dir/slots/<n>). Thread-safe for
// different slots. The thread that calls Run must live until it returns.
class AttemptRunner {
 public:
  // Whether this machine runs programs of the platform now; may use and leave the directory.
  using PlatformWorks = std::function<bool(const Platform& platform, const std::string& scratch)>;

  struct Options {
    std::string state_dir;
    BuildahInfo buildah;                            // Found by DetectBuildah.
    int64_t store_limit_bytes = int64_t{20} << 30;  // Of all image stores.
    MinFree min_free;                               // Of the disk that holds state_dir.
    PlatformWorks platform_works;                   // Empty: they do.
  };

  // Makes the directories it needs. `contexts` must outlive the runner.
  static absl::StatusOr<std::unique_ptr<AttemptRunner>> Create(Options options,
                                                               ContextSource* contexts);
  virtual ~AttemptRunner() = default;

  // Blocks until the attempt is over and nothing of it is left but `attempt_dir` itself, emptied of
  // all that the runner put there. The answer has the attempt's id and exactly one of image,
  // failure, cancelled (when `stop` was given before it was over); log_size is the caller's to fill
  // in. Never throws, never fails otherwise: what went wrong is in the failure.
  virtual v1::Finished Run(const AttemptContext& attempt, AttemptObserver& observer,
                           const StopToken& stop) = 0;

  // Gives up what caches hold over their limits, what was used least lately first. For a slot's
  // thread when its attempt has been reported: nobody waits for it but the slot's next attempt.
  // `stop` ends it soon, but not before something has gone; the next one goes on.
  virtual void Prune(const StopToken& /*stop*/) {}

  // Gives up cached content, layers and base images, what was used least lately first, until
  // `wanted_free` bytes of the disk are free, nothing is left to give up or `stop` is given. Stores
  // in which an attempt runs are left alone; one that starts meanwhile waits. To be called by one
  // thread, of any kind.
  virtual void MakeRoom(int64_t /*wanted_free*/, const StopToken& /*stop*/) {}

  // To be called once, at start, before the first Run: removes what attempts of a killed worker
  // have left (working containers, mounts, cgroups, temporary files, credentials). `attempts_dir`
  // is the directory that holds the attempts' directories; of each, only what the runner put there
  // goes.
  virtual absl::Status CleanUpAll(const std::string& attempts_dir) = 0;
};

}  // namespace manyarch::worker
