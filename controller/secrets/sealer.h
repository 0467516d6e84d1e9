// Secrets of jobs, sealed for the store.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch::controller {

// Seals with AES-256-GCM under a key of this controller. What is sealed for one job and name opens
// for these only. Thread-safe.
class Sealer {
 public:
  // Reads the key in `path`, which only the controller's user may read; makes a new random one
  // where there is none.
  static absl::StatusOr<Sealer> Open(const std::string& path);

  absl::StatusOr<std::string> Seal(absl::string_view job_id, absl::string_view name,
                                   absl::string_view value) const;
  // FAILED_PRECONDITION, with what to do, where it was sealed with another key or is damaged.
  absl::StatusOr<std::string> Unseal(absl::string_view job_id, absl::string_view name,
                                     absl::string_view sealed) const;

 private:
  Sealer(std::string path, std::string key) : path_(std::move(path)), key_(std::move(key)) {}

  std::string path_;  // For messages.
  std::string key_;
};

}  // namespace manyarch::controller
