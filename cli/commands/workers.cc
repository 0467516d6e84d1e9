// manyarch workers [ls | show NAME]
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/nearest.h"
#include "cli/render/json.h"
#include "cli/render/listing.h"

namespace manyarch::cli {

namespace {

struct WorkersFlags {
  std::string name;
  std::string format = "table";
};

int RunList(const WorkersFlags& flags, const Invocation& invocation) {
  Client client(invocation.controller);
  const absl::StatusOr<v1::ListWorkersResponse> workers = client.ListWorkers();
  if (!workers.ok()) return Fail(workers.status());
  Print(flags.format == "json" ? ToJson(*workers) : WorkersTable(*workers));
  return 0;
}

int RunShowWorker(const WorkersFlags& flags, const Invocation& invocation) {
  if (flags.name.empty()) {
    return Fail(absl::InvalidArgumentError("workers show: which worker? Give its name or id."));
  }
  Client client(invocation.controller);
  const absl::StatusOr<v1::ListWorkersResponse> workers = client.ListWorkers();
  if (!workers.ok()) return Fail(workers.status());
  std::vector<std::string> names;
  // Names need not be unique: all that fit are shown.
  v1::ListWorkersResponse found;
  for (const v1::Worker& worker : workers->workers()) {
    names.push_back(worker.description().name());
    if (flags.name == worker.description().name() || flags.name == worker.description().id()) {
      *found.add_workers() = worker;
    }
  }
  if (found.workers().empty()) {
    const std::string nearest = Nearest(flags.name, names);
    return Fail(absl::NotFoundError(
        absl::StrCat("there is no worker '", flags.name, "'",
                     nearest.empty() ? ": `manyarch workers` lists them"
                                     : absl::StrCat(": did you mean '", nearest, "'?"))));
  }
  if (flags.format == "json") {
    Print(ToJson(found));
    return 0;
  }
  for (int i = 0; i < found.workers_size(); ++i) {
    Print(absl::StrCat(i > 0 ? "\n" : "", WorkerText(found.workers(i), absl::Now())));
  }
  return 0;
}

}  // namespace

void AddWorkers(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(app, invocation, "workers", "List workers and what they offer");
  const auto flags = std::make_shared<WorkersFlags>();
  AddFormat(*command, flags->format);
  command->require_subcommand(0, 1);
  // The callbacks of inner commands run first: only a bare `workers` lists by itself.
  command->callback([command, flags, &invocation] {
    if (!command->get_subcommands().empty()) return;
    invocation.run = [flags, &invocation] { return RunList(*flags, invocation); };
  });
  CLI::App* list = NewCommand(*command, invocation, "ls", "List workers and what they offer");
  AddFormat(*list, flags->format);
  list->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunList(*flags, invocation); };
  });
  CLI::App* show = NewCommand(*command, invocation, "show",
                              "Show a worker, and why it refuses the platforms it does not offer");
  show->add_option("NAME", flags->name, "Its name or id")->type_name("");
  AddFormat(*show, flags->format);
  show->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunShowWorker(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
