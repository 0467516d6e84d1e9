// manyarch attach JOB, manyarch wait JOB…
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client.h"
#include "cli/commands/attached.h"
#include "cli/commands/command.h"
#include "cli/exit_code.h"
#include "cli/follow.h"
#include "cli/render/json.h"
#include "cli/render/result.h"
#include "cli/render/words.h"
#include "common/os/signals.h"

namespace manyarch::cli {

namespace {

struct WaitFlags {
  std::vector<std::string> jobs;
  std::string format = "table";
};

int RunAttach(const std::string& job_id, const AttachFlags& flags, const Invocation& invocation) {
  if (job_id.empty()) return Fail(absl::InvalidArgumentError("attach: to which JOB?"));
  BlockSignals();
  Client client(invocation.controller);
  const absl::StatusOr<v1::Job> job = client.GetJob(job_id);
  if (!job.ok()) return Fail(job.status());
  const std::unique_ptr<Progress> progress = MakeProgress(flags);
  Interrupter interrupter(client, *progress, Interrupter::First::kDetaches);
  interrupter.Submitted(job->id());
  return FollowAndReport(client, *progress, flags, *job);
}

// The first one, in the order given, that did not succeed decides about the exit status.
int RunWait(const WaitFlags& flags, const Invocation& invocation) {
  if (flags.jobs.empty()) return Fail(absl::InvalidArgumentError("wait: for which JOB?"));
  Client client(invocation.controller);
  QuietProgress progress(stderr);
  FollowOptions options;
  options.wants_log = [](const v1::Build&, const v1::Attempt&) { return false; };
  int exit_code = kExitOk;
  for (const std::string& id : flags.jobs) {
    absl::StatusOr<v1::Job> job = client.GetJob(id);
    if (job.ok()) job = FollowJob(client, progress, *job, options);
    if (!job.ok()) return Fail(job.status());
    if (flags.format == "json") {
      Print(ResultJson(*job));
    } else {
      Print(absl::StrCat(job->id(), " ", Word(job->state()), " ", job->intent().digest(),
                         job->intent().digest().empty() ? "-" : "", "\n"));
    }
    const std::string failure = FailureText(*job);
    std::fwrite(failure.data(), 1, failure.size(), stderr);
    if (exit_code == kExitOk) exit_code = ExitCodeFor(*job);
  }
  return exit_code;
}

}  // namespace

void AddAttach(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      NewCommand(app, invocation, "attach",
                 "Show a job's progress to its end, as build does; Ctrl-C detaches");
  const auto job = std::make_shared<std::string>();
  const auto flags = std::make_shared<AttachFlags>();
  command->add_option("JOB", *job, "Its id, or the beginning of it")->type_name("");
  AddAttachFlags(*command, *flags);
  AddFormat(*command, flags->output);
  command->callback([job, flags, &invocation] {
    invocation.run = [job, flags, &invocation] { return RunAttach(*job, *flags, invocation); };
  });
}

void AddWait(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(app, invocation, "wait",
                                 "Wait until jobs have ended; the exit status is as build's");
  const auto flags = std::make_shared<WaitFlags>();
  command->add_option("JOB", flags->jobs, "Their ids, or the beginnings of them")->type_name("...");
  AddFormat(*command, flags->format);
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunWait(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
