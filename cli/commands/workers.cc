// manyarch workers [ls | show | cordon | drain | uncordon]
#include <cstdio>
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
  std::string reason;
  bool no_wait = false;
};

constexpr absl::Duration kDrainPoll = absl::Seconds(1);

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

// Waits until nothing runs on the worker any more.
int AwaitIdle(Client& client, const v1::Worker& worker) {
  const std::string& name = worker.description().name();
  int told = -1;
  while (true) {
    const absl::StatusOr<v1::ListWorkersResponse> workers = client.ListWorkers();
    if (!workers.ok()) return Fail(workers.status());
    int running = 0;
    for (const v1::Worker& candidate : workers->workers()) {
      if (candidate.description().id() == worker.description().id()) {
        running = candidate.running_size();
      }
    }
    if (running == 0) {
      Print(absl::StrCat(name, " is drained: nothing runs there\n"));
      return 0;
    }
    if (running != told) {
      std::fprintf(stderr, "%s still runs %d %s\n", name.c_str(), running,
                   running == 1 ? "build" : "builds");
    }
    told = running;
    absl::SleepFor(kDrainPoll);
  }
}

int RunAdmit(v1::WorkerAdmission admission, const WorkersFlags& flags,
             const Invocation& invocation) {
  v1::SetWorkerAdmissionRequest request;
  request.set_worker(flags.name);
  request.set_admission(admission);
  request.set_reason(flags.reason);
  Client client(invocation.controller);
  const absl::StatusOr<v1::Worker> worker = client.SetWorkerAdmission(request);
  if (!worker.ok()) return Fail(worker.status());
  const std::string& name = worker->description().name();
  if (admission == v1::WORKER_ADMISSION_SCHEDULABLE) {
    Print(absl::StrCat(name, " takes builds again\n"));
  } else if (admission == v1::WORKER_ADMISSION_CORDONED || flags.no_wait) {
    Print(absl::StrCat(name, " takes nothing new; `manyarch workers uncordon ", name,
                       "` puts it back\n"));
  } else {
    return AwaitIdle(client, *worker);
  }
  return 0;
}

// cordon, drain, uncordon: alike but for what they set.
void AddAdmission(CLI::App& workers, Invocation& invocation,
                  const std::shared_ptr<WorkersFlags>& flags, const char* name,
                  const char* description, v1::WorkerAdmission admission) {
  CLI::App* command = NewCommand(workers, invocation, name, description);
  command->add_option("NAME", flags->name, "Its name or id")->type_name("")->required();
  command
      ->add_option(
          "--reason", flags->reason,
          admission == v1::WORKER_ADMISSION_SCHEDULABLE
              ? "Said in the controller's log"
              : "Shown with the worker and by builds that wait, said in the controller's log")
      ->type_name("TEXT");
  if (admission == v1::WORKER_ADMISSION_DRAINING) {
    command->add_flag("--no-wait", flags->no_wait,
                      "Do not wait until it has finished what it runs");
  }
  command->callback([admission, flags, &invocation] {
    invocation.run = [admission, flags, &invocation] {
      return RunAdmit(admission, *flags, invocation);
    };
  });
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
  AddAdmission(*command, invocation, flags, "cordon", "Let a worker take nothing new",
               v1::WORKER_ADMISSION_CORDONED);
  AddAdmission(*command, invocation, flags, "drain",
               "Let a worker take nothing new, and wait until it has finished what it runs",
               v1::WORKER_ADMISSION_DRAINING);
  AddAdmission(*command, invocation, flags, "uncordon", "Let a worker take builds again",
               v1::WORKER_ADMISSION_SCHEDULABLE);
}

}  // namespace manyarch::cli
