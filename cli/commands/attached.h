// What commands that stay with a job until it ends have in common.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cli/client.h"
#include "cli/interrupts.h"
#include "cli/render/progress.h"
#include "common/os/stop_token.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// How progress and result are shown, and where else the result goes.
struct AttachFlags {
  std::string progress = "auto";
  bool quiet = false;
  std::string output = "table";
  std::string iidfile;
  std::string metadata_file;
  bool detach_on_interrupt = false;

  bool IsQuiet() const { return quiet || progress == "quiet"; }
};

// --progress, -q, --iidfile, --metadata-file; how the result is printed is the caller's to add.
void AddAttachFlags(CLI::App& command, AttachFlags& flags);

// --detach-on-interrupt
void AddDetachOnInterrupt(CLI::App& command, AttachFlags& flags);

// On stderr, as the flags and the terminal say.
std::unique_ptr<Progress> MakeProgress(const AttachFlags& flags);

// Takes Ctrl-C while it lives: the first one cancels the job or detaches from it, the second one
// leaves at once. Before there may be a job, and when the terminal is gone, the first one leaves
// too. BlockSignals() must have been called before any thread was started. Thread-safe.
class Interrupter {
 public:
  enum class First { kCancels, kDetaches };

  // `before_leaving` is called when the program ends without returning from where it is.
  Interrupter(
      Client& client, Progress& progress, First first,
      std::function<void()> before_leaving = [] {});
  ~Interrupter();
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

  // From here on there may be a job.
  void Submitting() { submitting_ = true; }
  void Submitted(const std::string& job_id);

 private:
  void OnSignal(int signal, int count);
  void Cancel();
  [[noreturn]] void Leave(int signal);
  [[noreturn]] void Detach(const std::string& job_id, int signal);

  Client& client_;
  Progress& progress_;
  const First first_;
  const std::function<void()> before_leaving_;
  StopToken stop_;
  std::atomic<bool> submitting_{false};
  std::thread canceller_;
  absl::Mutex mutex_;
  std::string job_id_ ABSL_GUARDED_BY(mutex_);
  int detach_ ABSL_GUARDED_BY(mutex_) = 0;  // The signal that asked for it before there was a job.
  std::optional<Interrupts> interrupts_;    // Its thread uses all of the above.
};

// Follows the job to its end, shows it, writes the files asked for, and returns the exit status.
int FollowAndReport(Client& client, Progress& progress, const AttachFlags& flags,
                    const v1::Job& job);

// Once a job was submitted, or was not: says why not, prints its id and leaves it running where it
// is to be detached from, else follows and reports as above. Returns the exit status.
int StayOrDetach(Client& client, Progress& progress, Interrupter& interrupter,
                 const AttachFlags& flags, bool detach, const absl::StatusOr<v1::Job>& submitted);

// What is said when a job is over: the result to stdout, all else to stderr. Returns the exit
// status.
int Report(const AttachFlags& flags, const v1::Job& job);

}  // namespace manyarch::cli
