// manyarch build CONTEXT
#include <sys/utsname.h>

#include <cstdlib>
#include <memory>

#include "cli/client.h"
#include "cli/commands/attached.h"
#include "cli/commands/build_flags.h"
#include "cli/commands/command.h"
#include "cli/commands/secrets.h"
#include "cli/context/load.h"
#include "cli/exit_code.h"
#include "cli/submit.h"
#include "common/os/signals.h"

namespace manyarch::cli {

namespace {

std::string Machine() {
  utsname name{};
  return uname(&name) == 0 ? name.machine : "unknown";
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

  v1::SubmitRequest submit;
  *submit.mutable_spec() = *std::move(spec);
  const absl::Status added = AddSecrets({flags.secrets, flags.ssh, flags.authfile}, getenv, submit);
  if (!added.ok()) return Fail(added);

  BlockSignals();
  Client client(invocation.controller);
  const std::unique_ptr<Progress> progress = MakeProgress(flags.attach);
  Interrupter interrupter(client, *progress,
                          flags.attach.detach_on_interrupt ? Interrupter::First::kDetaches
                                                           : Interrupter::First::kCancels);
  const absl::StatusOr<v1::Job> submitted = SubmitJob(
      client, *progress, std::move(submit), context->trees, [&] { interrupter.Submitting(); });
  return StayOrDetach(client, *progress, interrupter, flags.attach, flags.detach, submitted);
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
