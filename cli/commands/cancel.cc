// manyarch cancel JOB
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/exit_code.h"
#include "cli/render/json.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

struct CancelFlags {
  std::string job;
  std::string reason = "cancelled with `manyarch cancel`";
  std::string format = "table";
};

int RunCancel(const CancelFlags& flags, const Invocation& invocation) {
  if (flags.job.empty()) return Fail(absl::InvalidArgumentError("cancel: which JOB?"));
  Client client(invocation.controller);
  const absl::StatusOr<v1::Job> job = client.CancelJob(flags.job, flags.reason);
  if (!job.ok()) {
    // What is over, or being published, cannot be cancelled: nothing of the farm is amiss.
    const int code = Fail(job.status());
    return absl::IsFailedPrecondition(job.status()) ? kExitUsage : code;
  }
  Print(flags.format == "json" ? ToJson(*job)
                               : absl::StrCat(job->id(), " ", Word(job->state()), "\n"));
  return 0;
}

}  // namespace

void AddCancel(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(app, invocation, "cancel", "Cancel a job");
  const auto flags = std::make_shared<CancelFlags>();
  command->add_option("JOB", flags->job, "Its id, or the beginning of it")->type_name("");
  command->add_option("--reason", flags->reason, "Shown with the job")->type_name("TEXT");
  AddFormat(*command, flags->format);
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunCancel(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
