// manyarch why JOB
#include <memory>

#include "absl/time/clock.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/render/explanation.h"
#include "cli/render/json.h"

namespace manyarch::cli {

namespace {

struct WhyFlags {
  std::string job;
  std::string format = "table";
};

int RunWhy(const WhyFlags& flags, const Invocation& invocation) {
  if (flags.job.empty()) return Fail(absl::InvalidArgumentError("why: which JOB?"));
  Client client(invocation.controller);
  const absl::StatusOr<v1::ExplainJobResponse> why = client.ExplainJob(flags.job);
  if (!why.ok()) return Fail(why.status());
  Print(flags.format == "json" ? ToJson(*why) : ExplanationText(*why, absl::Now()));
  return 0;
}

}  // namespace

void AddWhy(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(app, invocation, "why",
                                 "Say why each platform of a job is where it is, worker by worker");
  const auto flags = std::make_shared<WhyFlags>();
  command->add_option("JOB", flags->job, "Its id, or the beginning of it")->type_name("");
  AddFormat(*command, flags->format);
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunWhy(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
