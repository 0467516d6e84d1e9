// The controller under test, in a process of its own, and what the machine says of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"

namespace manyarch::bench {

// A real controller (SQLite, synchronous=FULL, gRPC) whose registry is in its own memory.
class ControllerProcess {
 public:
  // `program` is this benchmark's own path. The state directory is made below `parent`, which
  // should be on a real disk.
  static absl::StatusOr<std::unique_ptr<ControllerProcess>> Start(const std::string& program,
                                                                  const std::string& parent,
                                                                  absl::Duration heartbeat);
  const std::string& address() const { return address_; }
  absl::Duration CpuTime() const;
  int64_t ResidentBytes() const;

 private:
  ControllerProcess(TempDir dir, std::unique_ptr<ChildProcess> child)
      : dir_(std::move(dir)), child_(std::move(child)) {}

  TempDir dir_;
  std::unique_ptr<ChildProcess> child_;
  std::string address_;
};

// The other side of it: runs a controller until SIGTERM. Returns the exit code.
int Serve(const std::string& state_dir, absl::Duration heartbeat);

// How long writing a page and syncing it takes on the disk that holds `dir`; the median of many.
absl::Duration SyncTime(const std::string& dir);

}  // namespace manyarch::bench
