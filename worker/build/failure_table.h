// What went wrong with buildah: the one table from its exit and output to a class of failure. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::worker {

enum class Stage { kBuild, kPush };

// What is known of a buildah that failed.
struct Evidence {
  Stage stage = Stage::kBuild;
  int exit_code = 0;      // 128 + N where signal N ended it.
  std::string output;     // The end of its output.
  std::string last_step;  // "STEP 2/3: RUN make"; may be empty.
  // What the machine says of the time while it ran, whatever was printed:
  bool oom_kill = false;        // The kernel killed something for want of memory.
  bool memory_limit = false;    // The job itself limits what its steps may take.
  bool disk_full = false;       // The disk of the image store or of the temporary files.
  bool emulated = false;        // The platform's programs run under qemu.
  bool emulator_stuck = false;  // qemu waited to die of its program's signal, and was killed.
  // Whose programs that one runs, where it is not what the build is for: "arm64".
  std::string foreign_emulator;
  bool platform_works = true;  // The machine runs programs of the platform.
};

struct Verdict {
  v1::FailureClass failure_class = v1::FAILURE_CLASS_INFRASTRUCTURE;
  std::string message;  // What went wrong and what to do: half a sentence, without the context.
  int exit_code = 0;    // Of the program that a RUN ran; 0 where it was not that.
  // It, or the emulator of the build's platform under it, crashed: a native worker may do better.
  bool emulator_crash = false;
};

// A RUN that ended with a failure of its own is the user's, whatever it printed, unless what the
// machine says and what was printed agree that the machine is at fault.
Verdict Classify(const Evidence& evidence);

// `text` with the worker's own paths, which tell a user nothing, in words.
std::string WithoutPaths(absl::string_view text, absl::string_view work_dir);

}  // namespace manyarch::worker
