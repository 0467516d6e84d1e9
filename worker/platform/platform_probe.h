// Which platforms this machine can run, found by running programs of them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/platform.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {

struct FoundPlatform {
  Platform platform;
  bool emulated = false;
};

struct MissingPlatform {
  Platform platform;
  std::string reason;  // "running a linux/s390x program: Exec format error; install …"
  // It was ended for being slow, which may be for the machine's load.
  bool timed_out = false;
};

struct ProbeResult {
  std::vector<FoundPlatform> offered;
  std::vector<MissingPlatform> refused;
};

// Runs a tiny static program of each of the platforms in a chroot of an otherwise empty directory
// under `scratch_dir`, as a build would: an emulator that the kernel cannot reach from inside a
// build root does not count. Takes some milliseconds a platform; `patience` where one hangs. Must
// run as root.
absl::StatusOr<ProbeResult> ProbePlatforms(
    const std::string& scratch_dir,
    const std::vector<Platform>& platforms = PlatformsWithTinyProgram(),
    absl::Duration patience = absl::Seconds(10));

// What the kernel knows of the emulator for a platform.
enum class Binfmt { kNotMounted, kOff, kNoHandler, kHandlerOff, kHandler };

// What to do where a program of the platform does not run: half a sentence, or "". `error` is what
// came of running it. Pure.
std::string EmulatorAdvice(const Platform& platform, absl::string_view error, Binfmt binfmt);

// What ran when a platform's program was started: the program itself, or another one for it, an
// emulator that the kernel knows from binfmt_misc.
enum class Ran { kItself, kAnother, kUnknown };

// Whether a machine that uname calls `machine` runs the platform without an emulator. Its family
// alone does not tell: a kernel may lack the 32-bit half of its family, and a processor, too. Nor
// does what ran: a machine may call itself an older one (setarch(8)). Pure.
bool IsNative(const Platform& platform, absl::string_view machine, Ran ran);

}  // namespace manyarch::worker
