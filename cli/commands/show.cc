// manyarch show JOB
#include <memory>

#include "absl/time/clock.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/render/json.h"
#include "cli/render/listing.h"

namespace manyarch::cli {

namespace {

struct ShowFlags {
  std::string job;
  std::string format = "table";
};

int RunShow(const ShowFlags& flags, const Invocation& invocation) {
  if (flags.job.empty()) return Fail(absl::InvalidArgumentError("show: which JOB?"));
  Client client(invocation.controller);
  const absl::StatusOr<v1::Job> job = client.GetJob(flags.job);
  if (!job.ok()) return Fail(job.status());
  Print(flags.format == "json" ? ToJson(*job) : JobText(*job, absl::Now()));
  return 0;
}

}  // namespace

void AddShow(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      NewCommand(app, invocation, "show", "Show a job with its builds, attempts and digests");
  const auto flags = std::make_shared<ShowFlags>();
  command->add_option("JOB", flags->job, "Its id, or the beginning of it")->type_name("");
  AddFormat(*command, flags->format);
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunShow(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
