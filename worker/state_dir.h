// What a worker keeps on disk over restarts: who it is, and results that are not acknowledged.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/os/files.h"
#include "manyarch/v1/worker.pb.h"
#include "worker/core/events.h"

namespace manyarch::worker {

// The state directory, locked against other workers for as long as this object lives:
//   lock, worker-id, attempts/<id>/{offer.pb,finished.pb,log}
// Attempt ids that could not be a file's name are refused. Thread-compatible.
class StateDir {
 public:
  // Makes it where it is missing; an error when another worker has it.
  static absl::StatusOr<std::unique_ptr<StateDir>> Open(const std::string& path);

  const std::string& path() const { return path_; }
  // Random, stable over restarts.
  const std::string& worker_id() const { return worker_id_; }
  std::string attempts_dir() const { return path_ + "/attempts"; }

  std::string AttemptDir(const std::string& attempt_id) const;
  std::string LogPath(const std::string& attempt_id) const;

  // Durably, and without the credentials in it.
  absl::Status AddAttempt(const v1::Offer& offer);
  absl::Status KeepResult(const core::FinishedAttempt& finished);
  absl::Status Forget(const std::string& attempt_id);

  // The results kept; attempts without one ran when the last worker died: they are removed.
  absl::StatusOr<std::vector<core::FinishedAttempt>> Restore();

 private:
  StateDir(std::string path, UniqueFd lock, std::string worker_id)
      : path_(std::move(path)), lock_(std::move(lock)), worker_id_(std::move(worker_id)) {}

  const std::string path_;
  const UniqueFd lock_;
  const std::string worker_id_;
};

}  // namespace manyarch::worker
