// Running programs: to their end with their output (RunCommand), or beside us (ChildProcess).
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/os/spawn.h"
#include "common/os/stop_token.h"

namespace manyarch {

// How a process ended.
struct ExitStatus {
  int code = 0;    // 128 + signal where a signal ended it.
  int signal = 0;  // 0 where it exited by itself.

  bool ok() const { return code == 0; }
};

// "exit code 3", "killed by signal 9 (Killed)"
std::string ToString(const ExitStatus& status);

struct RunOptions {
  std::string stdin_bytes;  // Empty: /dev/null.
  // Gets stdout and stderr, merged, as it comes, on the calling thread. Where it is set, nothing is
  // kept in the result.
  std::function<void(absl::string_view)> on_output;
  // Without on_output: whether stderr is kept together with stdout, in `out`.
  bool merge_stderr = false;
  absl::Duration timeout = absl::InfiniteDuration();
  const StopToken* stop = nullptr;
  // Between SIGTERM and SIGKILL, when it is stopped or too slow.
  absl::Duration grace = absl::Seconds(2);
};

struct RunResult {
  ExitStatus exit;
  bool timed_out = false;
  bool stopped = false;  // `stop` was given while it ran.
  std::string out;
  std::string err;

  bool ok() const { return exit.ok() && !timed_out && !stopped; }
};

// Runs it to its end. Not OK only when it could not be started; everything else is in the result.
// When the process ends, what is left of its process group is killed; its output is drained before
// it is reaped.
absl::StatusOr<RunResult> RunCommand(const Command& command, const RunOptions& options = {});

// The same for programs that have to succeed: their stdout, or an error with the command, how it
// ended and the last of what it said.
absl::StatusOr<std::string> RunChecked(const Command& command, const RunOptions& options = {});

// A program that runs beside us. Killed with its group when the object goes, or when the thread
// that started it ends. One user at a time.
class ChildProcess {
 public:
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const Command& command,
                                                             const StandardFds& fds = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return process_.pid; }
  // Readable when it has ended.
  int pidfd() const { return process_.pidfd.get(); }
  // To the whole group. Nothing happens once it was seen to have ended.
  void Signal(int signal);
  // How it ended, or nothing when `timeout` has passed before. May be asked again.
  std::optional<ExitStatus> WaitFor(absl::Duration timeout);
  // SIGTERM, then SIGKILL after `grace`; returns when it has ended.
  ExitStatus Stop(absl::Duration grace);

 private:
  explicit ChildProcess(SpawnedProcess process) : process_(std::move(process)) {}

  SpawnedProcess process_;
  std::optional<ExitStatus> ended_;
};

}  // namespace manyarch
