// Starting a process: the part between fork and exec. Most callers want subprocess.h.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/os/files.h"

namespace manyarch {

// What to start. argv only, never a shell.
struct Command {
  std::vector<std::string> argv = {};  // argv[0] without a '/' is looked up on PATH.
  std::optional<std::vector<std::string>> env =
      {};                // "NAME=value" each; absent: this process's own.
  std::string cwd = {};  // Empty: this process's own.
  // A directory to become the process's root; argv[0] is then a path in it.
  std::string chroot = {};
  // Own PID and mount namespaces with a /proc of their own (needs root). A small first process of
  // this program reaps orphans and ends with the command; when it ends, however that is, the kernel
  // kills every process in the namespace and with the last one its mounts go. A command killed by
  // signal N then shows as exit code 128+N.
  bool own_namespaces = false;
};

struct SpawnedProcess {
  pid_t pid = -1;  // Also its process group's id.
  UniqueFd pidfd;  // Readable when it has ended.
};

// Descriptors for the process's 0, 1 and 2; -1: /dev/null. They stay the caller's. All others are
// closed in the process.
struct StandardFds {
  int in = -1;
  int out = -1;
  int err = -1;
};

// Starts it, in a process group of its own, with default signal dispositions and nothing blocked.
// It is killed (SIGKILL) when the thread that called this ends: that thread must outlive it. An
// error of exec is this call's error. The caller must reap `pid`.
absl::StatusOr<SpawnedProcess> Spawn(const Command& command, const StandardFds& fds);

// `name` as it is where it has a '/', else where PATH has it. NOT_FOUND names it.
absl::StatusOr<std::string> FindProgram(const std::string& name);

}  // namespace manyarch
