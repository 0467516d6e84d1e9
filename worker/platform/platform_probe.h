// Which platforms this machine can run, found by running programs of them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/platform.h"

namespace manyarch::worker {

struct FoundPlatform {
  Platform platform;
  bool emulated = false;
};

struct MissingPlatform {
  Platform platform;
  std::string reason;  // "running a linux/s390x program: Exec format error; install …"
};

struct ProbeResult {
  std::vector<FoundPlatform> offered;
  std::vector<MissingPlatform> refused;
};

// Runs a tiny static program of each known platform in a chroot of an otherwise empty directory
// under `scratch_dir`, as a build would: an emulator that the kernel cannot reach from inside a
// build root does not count. Takes some milliseconds a platform. Must run as root.
absl::StatusOr<ProbeResult> ProbePlatforms(const std::string& scratch_dir);

// Whether a machine that uname calls `machine` runs the platform without an emulator; `runs_arm32`:
// an arm64 machine whose processor has the 32-bit mode. Pure.
bool IsNative(const Platform& platform, absl::string_view machine, bool runs_arm32);

}  // namespace manyarch::worker
