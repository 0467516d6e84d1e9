#include "cli/commands/attached.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"
#include "cli/exit_code.h"
#include "cli/follow.h"
#include "cli/render/json.h"
#include "cli/render/raw_json.h"
#include "cli/render/result.h"
#include "cli/render/tty.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::cli {

namespace {

const char* Environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment.
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

absl::Status WriteFiles(const AttachFlags& flags, const v1::Job& job) {
  if (!flags.iidfile.empty()) {
    MA_RETURN_IF_ERROR(WriteFileAtomic(flags.iidfile, job.intent().digest()));
  }
  if (!flags.metadata_file.empty()) {
    MA_RETURN_IF_ERROR(WriteFileAtomic(flags.metadata_file, MetadataJson(job)));
  }
  return absl::OkStatus();
}

}  // namespace

void AddAttachFlags(CLI::App& command, AttachFlags& flags) {
  command.add_option("--progress", flags.progress, "auto, tty, plain, rawjson or quiet")
      ->check(CLI::IsMember({"auto", "tty", "plain", "rawjson", "quiet"}))
      ->type_name("KIND");
  command.add_flag("-q,--quiet", flags.quiet, "Print the list's digest and nothing else");
  command.add_option("--iidfile", flags.iidfile, "Write the list's digest to this file")
      ->type_name("FILE");
  command
      .add_option("--metadata-file", flags.metadata_file,
                  "Write digests, names and times to this file as JSON")
      ->type_name("FILE");
}

void AddDetachOnInterrupt(CLI::App& command, AttachFlags& flags) {
  command.add_flag("--detach-on-interrupt", flags.detach_on_interrupt,
                   "Ctrl-C leaves the job running instead of cancelling it");
}

std::unique_ptr<Progress> MakeProgress(const AttachFlags& flags) {
  if (flags.IsQuiet()) return std::make_unique<QuietProgress>(stderr);
  if (flags.progress == "rawjson") return std::make_unique<RawJsonProgress>(stderr);
  const std::string kind = Environment("TERM");
  if (flags.progress != "plain" && isatty(STDERR_FILENO) != 0 && !kind.empty() && kind != "dumb") {
    return std::make_unique<TtyProgress>(stderr, /*colors=*/*Environment("NO_COLOR") == '\0');
  }
  return std::make_unique<PlainProgress>(stderr);
}

Interrupter::Interrupter(Client& client, Progress& progress, First first,
                         std::function<void()> before_leaving)
    : client_(client),
      progress_(progress),
      first_(first),
      before_leaving_(std::move(before_leaving)) {
  interrupts_.emplace([this](int signal, int count) { OnSignal(signal, count); });
}

Interrupter::~Interrupter() {
  interrupts_.reset();
  stop_.Stop("the command is over");
  if (canceller_.joinable()) canceller_.join();
}

// From the thread that took the signal, whatever others are doing.
void Interrupter::Leave(int signal) {
  progress_.Abandon();
  before_leaving_();
  std::fflush(stdout);
  _exit(128 + signal);
}

void Interrupter::Detach(const std::string& job_id, int signal) {
  progress_.Finish();
  std::fprintf(stderr, "detached: job %s goes on; `manyarch attach %s` shows it again\n",
               job_id.c_str(), job_id.c_str());
  before_leaving_();
  std::fflush(stdout);
  _exit(128 + signal);
}

void Interrupter::Submitted(const std::string& job_id) {
  submitting_ = true;
  int detach = 0;
  {
    absl::MutexLock lock(&mutex_);
    job_id_ = job_id;
    detach = detach_;
  }
  if (detach != 0) Detach(job_id, detach);
}

void Interrupter::OnSignal(int signal, int count) {
  // Nothing was asked of the farm, or the terminal is gone: a job that runs goes on without us.
  if (!submitting_ || signal == SIGHUP || count > 1) Leave(signal);
  if (first_ == First::kDetaches) {
    std::string job_id;
    {
      absl::MutexLock lock(&mutex_);
      job_id = job_id_;
      detach_ = signal;
    }
    if (!job_id.empty()) Detach(job_id, signal);
    progress_.OnNotice("detaching once the job is taken; press Ctrl-C again to leave at once");
    return;
  }
  progress_.OnNotice("cancelling the job; press Ctrl-C again to leave at once");
  // Beside the thread that takes signals, so that a second one is heard.
  canceller_ = std::thread([this] { Cancel(); });
}

void Interrupter::Cancel() {
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

int FollowAndReport(Client& client, Progress& progress, const AttachFlags& flags,
                    const v1::Job& job) {
  const absl::StatusOr<v1::Job> last = FollowJob(client, progress, job, {});
  progress.Finish();
  if (!last.ok()) return Fail(last.status());
  return Report(flags, *last);
}

int StayOrDetach(Client& client, Progress& progress, Interrupter& interrupter,
                 const AttachFlags& flags, bool detach, const absl::StatusOr<v1::Job>& submitted) {
  if (!submitted.ok()) {
    progress.Finish();
    return Fail(submitted.status());
  }
  interrupter.Submitted(submitted->id());
  if (detach) {
    progress.Finish();
    Print(flags.output == "json" ? ResultJson(*submitted) : absl::StrCat(submitted->id(), "\n"));
    return kExitOk;
  }
  return FollowAndReport(client, progress, flags, *submitted);
}

int Report(const AttachFlags& flags, const v1::Job& job) {
  const bool done = job.state() == v1::JOB_STATE_SUCCEEDED;
  if (flags.output == "json") {
    Print(ResultJson(job));
  } else if (done && flags.IsQuiet()) {
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

}  // namespace manyarch::cli
