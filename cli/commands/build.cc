// manyarch build CONTEXT
#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/client.h"
#include "cli/commands/build_flags.h"
#include "cli/commands/command.h"
#include "cli/context/load.h"
#include "cli/exit_code.h"
#include "cli/follow.h"
#include "cli/interrupts.h"
#include "cli/render/json.h"
#include "cli/render/result.h"
#include "cli/render/tty.h"
#include "cli/submit.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "common/os/signals.h"
#include "common/os/stop_token.h"

namespace manyarch::cli {

namespace {

std::string Machine() {
  utsname name{};
  return uname(&name) == 0 ? name.machine : "unknown";
}

std::unique_ptr<Progress> MakeProgress(const BuildFlags& flags) {
  if (flags.quiet || flags.progress == "quiet") return std::make_unique<QuietProgress>(stderr);
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal && (flags.progress == "auto" || flags.progress == "tty")) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment.
    const char* kind = getenv("TERM");
    if (kind != nullptr && std::string(kind) != "dumb")
      return std::make_unique<TtyProgress>(stderr);
  }
  return std::make_unique<PlainProgress>(stderr);
}

// Ends the process from the thread that took the signal, whatever others are doing.
[[noreturn]] void Leave(int signal) {
  std::fflush(stdout);
  _exit(128 + signal);
}

// What Ctrl-C means while a build runs: cancel first, leave next. Must outlive the Interrupts that
// call it; ends its own calls when it goes. Thread-safe.
class Interrupter {
 public:
  Interrupter(Client& client, Progress& progress) : client_(client), progress_(progress) {}
  ~Interrupter() {
    stop_.Stop("the command is over");
    if (canceller_.joinable()) canceller_.join();
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

  // From here on there may be a job to cancel.
  void Submitting() { submitting_ = true; }
  void Submitted(const std::string& job_id) {
    absl::MutexLock lock(&mutex_);
    job_id_ = job_id;
  }

  void OnSignal(int signal, int count) {
    // Nothing was asked of the farm, or the terminal is gone: a job that runs goes on without us.
    if (!submitting_ || signal == SIGHUP || count > 1) Leave(signal);
    progress_.OnNotice("cancelling the job; press Ctrl-C again to leave at once");
    // Beside the thread that takes signals, so that a second one is heard.
    canceller_ = std::thread([this] { Cancel(); });
  }

 private:
  void Cancel() {
    while (!stop_.stopped()) {
      std::string job_id;
      {
        absl::MutexLock lock(&mutex_);
        job_id = job_id_;
      }
      if (!job_id.empty()) {
        const absl::Status status = client_.CancelJob(job_id, "interrupted with Ctrl-C").status();
        if (status.ok()) return;
        if (!IsWorthRepeating(status)) {
          progress_.OnNotice(absl::StrCat("cannot cancel: ", status.message()));
          return;
        }
      }
      stop_.WaitFor(absl::Milliseconds(200));
    }
  }

  Client& client_;
  Progress& progress_;
  StopToken stop_;
  std::atomic<bool> submitting_{false};
  std::thread canceller_;
  absl::Mutex mutex_;
  std::string job_id_ ABSL_GUARDED_BY(mutex_);
};

absl::Status WriteFiles(const BuildFlags& flags, const v1::Job& job) {
  if (!flags.iidfile.empty()) {
    MA_RETURN_IF_ERROR(WriteFileAtomic(flags.iidfile, job.intent().digest()));
  }
  if (!flags.metadata_file.empty()) {
    MA_RETURN_IF_ERROR(WriteFileAtomic(flags.metadata_file, MetadataJson(job)));
  }
  return absl::OkStatus();
}

// What is said when all is over. The result goes to stdout, all else to stderr.
int Report(const BuildFlags& flags, const v1::Job& job) {
  const bool quiet = flags.quiet || flags.progress == "quiet";
  const bool done = job.state() == v1::JOB_STATE_SUCCEEDED;
  if (flags.format == "json") {
    Print(ResultJson(job));
  } else if (done && quiet) {
    Print(absl::StrCat(job.intent().digest(), "\n"));
  } else if (done || job.state() == v1::JOB_STATE_SUPERSEDED) {
    Print(ResultText(job));
  }
  if (done) {
    if (const absl::Status status = WriteFiles(flags, job); !status.ok()) return Fail(status);
  }
  // An optional platform that failed is worth a word after a success too.
  const std::string failure = FailureText(job);
  std::fwrite(failure.data(), 1, failure.size(), stderr);
  return ExitCodeFor(job);
}

int RunBuild(const BuildFlags& flags, const Invocation& invocation) {
  if (flags.context.empty() && flags.refused.empty()) {
    return Fail(absl::InvalidArgumentError(
        "build: no CONTEXT given: name the directory with the files to build, e.g. `.`"));
  }
  absl::StatusOr<v1::JobSpec> spec = SpecFromFlags(flags, getenv, Machine());
  if (!spec.ok()) return Fail(spec.status());
  ContextRequest request;
  request.context = flags.context;
  request.file = flags.file;
  request.named = flags.build_contexts;
  request.digest_cache = DigestCacheDirectory([](const char* name) -> const char* {
    return getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment.
  });
  const absl::StatusOr<LoadedContext> context = LoadContext(request, *spec);
  if (!context.ok()) return Fail(context.status());

  BlockSignals();
  Client client(invocation.controller);
  const std::unique_ptr<Progress> progress = MakeProgress(flags);
  Interrupter interrupter(client, *progress);
  const Interrupts interrupts([&](int signal, int count) { interrupter.OnSignal(signal, count); });
  const absl::StatusOr<v1::Job> submitted =
      SubmitJob(client, *progress, *spec, context->trees, [&] { interrupter.Submitting(); });
  if (!submitted.ok()) {
    progress->Finish();
    return Fail(submitted.status());
  }
  interrupter.Submitted(submitted->id());
  if (flags.detach) {
    progress->Finish();
    Print(flags.format == "json" ? ResultJson(*submitted) : absl::StrCat(submitted->id(), "\n"));
    return kExitOk;
  }
  const absl::StatusOr<v1::Job> job = FollowJob(client, *progress, *submitted, {});
  progress->Finish();
  if (!job.ok()) return Fail(job.status());
  return Report(flags, *job);
}

}  // namespace

void AddBuild(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      NewCommand(app, invocation, "build", "Build a directory for several platforms under one tag");
  const auto flags = std::make_shared<BuildFlags>();
  AddBuildFlags(*command, *flags);
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunBuild(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
