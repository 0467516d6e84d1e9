// manyarch build CONTEXT
#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/commands/attached.h"
#include "cli/commands/build_flags.h"
#include "cli/commands/command.h"
#include "cli/commands/secrets.h"
#include "cli/commands/spec_text.h"
#include "cli/context/load.h"
#include "cli/exit_code.h"
#include "cli/interrupts.h"
#include "cli/submit.h"
#include "common/os/signals.h"
#include "spdlog/spdlog.h"

namespace manyarch::cli {

namespace {

std::string Machine() {
  utsname name{};
  return uname(&name) == 0 ? name.machine : "unknown";
}

// What can take long before the farm is asked for anything. A signal ends it, with nothing left
// behind; `*signal` is that signal, or 0.
absl::StatusOr<LoadedContext> LoadUnlessInterrupted(ContextRequest request, v1::JobSpec& spec,
                                                    int* signal) {
  constexpr absl::Duration kPatience = absl::Milliseconds(500);
  StopToken stop;
  request.stop = &stop;
  absl::Notification over;
  std::atomic<int> taken = 0;
  absl::StatusOr<LoadedContext> loaded = absl::CancelledError("interrupted");
  {
    const Interrupts interrupts([&](int number, int) {
      taken = number;
      stop.Stop("interrupted");
      // Whatever it waits for, or reads, is no longer wanted.
      if (over.WaitForNotificationWithTimeout(kPatience)) return;
      request.temporary->RemoveAll();
      _exit(128 + number);
    });
    loaded = LoadContext(request, spec);
    over.Notify();
  }
  *signal = taken;
  return loaded;
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
  // While signals still end the command: a secret may come from a terminal.
  v1::SubmitRequest submit;
  const absl::Status added = AddSecrets({flags.secrets, flags.ssh, flags.authfile}, getenv, submit);
  if (!added.ok()) return Fail(added);
  TemporaryDirs temporary;
  request.temporary = &temporary;
  BlockSignals();
  int signal = 0;
  const absl::Time start = absl::Now();
  const absl::StatusOr<LoadedContext> context = LoadUnlessInterrupted(request, *spec, &signal);
  if (signal != 0) return 128 + signal;
  if (!context.ok()) return Fail(context.status());
  // Names of files have come to it.
  if (const absl::Status text = CheckSpecText(*spec); !text.ok()) return Fail(text);
  spdlog::debug("context: walking and hashing took {:.1f} ms; it comes from {}",
                absl::ToDoubleMilliseconds(absl::Now() - start), spec->source());

  *submit.mutable_spec() = *std::move(spec);
  Client client(invocation.controller);
  const std::unique_ptr<Progress> progress = MakeProgress(flags.attach);
  Interrupter interrupter(client, *progress,
                          flags.attach.detach_on_interrupt ? Interrupter::First::kDetaches
                                                           : Interrupter::First::kCancels,
                          [&] { temporary.RemoveAll(); });
  const absl::StatusOr<v1::Job> submitted = SubmitJob(
      client, *progress, std::move(submit), context->trees, [&] { interrupter.Submitting(); });
  temporary.RemoveAll();
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
