// manyarch jobs
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/commands/since.h"
#include "cli/render/json.h"
#include "cli/render/listing.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

struct JobsFlags {
  int limit = 0;
  std::vector<std::string> states;
  std::string tag;
  std::string project;
  std::string since;
  std::string format = "table";
};

std::map<std::string, v1::JobState> StateNames() {
  std::map<std::string, v1::JobState> names;
  for (int i = v1::JOB_STATE_QUEUED; i <= v1::JOB_STATE_SUPERSEDED; ++i) {
    names[Word(static_cast<v1::JobState>(i))] = static_cast<v1::JobState>(i);
  }
  return names;
}

int RunJobs(const JobsFlags& flags, const Invocation& invocation) {
  v1::ListJobsRequest request;
  request.set_limit(flags.limit);
  const std::map<std::string, v1::JobState> names = StateNames();
  for (const std::string& state : flags.states) request.add_states(names.at(state));
  request.set_tag(flags.tag);
  request.set_project(flags.project);
  if (!flags.since.empty()) {
    const absl::StatusOr<absl::Time> since = ParseSince(flags.since);
    if (!since.ok()) return Fail(since.status());
    request.mutable_submitted_after()->set_seconds(absl::ToUnixSeconds(*since));
  }
  Client client(invocation.controller);
  const absl::StatusOr<v1::ListJobsResponse> jobs = client.ListJobs(request);
  if (!jobs.ok()) return Fail(jobs.status());
  Print(flags.format == "json" ? ToJson(*jobs) : JobsTable(*jobs, absl::Now()));
  return 0;
}

}  // namespace

void AddJobs(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(app, invocation, "jobs", "List jobs, newest first");
  const auto flags = std::make_shared<JobsFlags>();
  command->add_option("--limit", flags->limit, "At most this many (default 50)")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  std::vector<std::string> names;
  for (const auto& [name, state] : StateNames()) names.push_back(name);
  command
      ->add_option("--state", flags->states, "Only jobs in these states (comma list, repeatable)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(names))
      ->type_name("STATE");
  command->add_option("--tag", flags->tag, "Only jobs with a tag that contains this")
      ->type_name("TEXT");
  command->add_option("--project", flags->project, "Only jobs of this project")->type_name("NAME");
  command
      ->add_option("--since", flags->since,
                   "Only jobs submitted since, e.g. 2h or 2024-03-01T12:00:00Z")
      ->type_name("TIME");
  AddFormat(*command, flags->format);
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunJobs(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
