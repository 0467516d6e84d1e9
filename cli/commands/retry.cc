// manyarch retry JOB
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "cli/client.h"
#include "cli/commands/attached.h"
#include "cli/commands/command.h"
#include "cli/commands/secrets.h"
#include "cli/exit_code.h"
#include "cli/submit.h"
#include "common/base/ids.h"
#include "common/os/signals.h"

namespace manyarch::cli {

namespace {

struct RetryFlags {
  std::string job;
  bool failed = false;
  bool detach = false;
  SecretFlags secret;
  AttachFlags attach;
};

int RunRetry(const RetryFlags& flags, const Invocation& invocation) {
  if (flags.job.empty()) return Fail(absl::InvalidArgumentError("retry: which JOB?"));
  v1::RetryJobRequest request;
  request.set_job_id(flags.job);
  request.set_failed_only(flags.failed);
  request.set_idempotency_key(absl::StrFormat("%016x%016x", RandomBits(), RandomBits()));
  const absl::Status added = AddSecrets(flags.secret, getenv, request);
  if (!added.ok()) return Fail(added);
  BlockSignals();
  Client client(invocation.controller);
  const std::unique_ptr<Progress> progress = MakeProgress(flags.attach);
  Interrupter interrupter(client, *progress,
                          flags.attach.detach_on_interrupt ? Interrupter::First::kDetaches
                                                           : Interrupter::First::kCancels);
  const absl::StatusOr<v1::Job> job =
      SubmitRetry(client, *progress, request, [&] { interrupter.Submitting(); });
  return StayOrDetach(client, *progress, interrupter, flags.attach, flags.detach, job);
}

}  // namespace

void AddRetry(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(app, invocation, "retry", "Submit a job that has ended once more");
  const auto flags = std::make_shared<RetryFlags>();
  command->add_option("JOB", flags->job, "Its id, or the beginning of it")->type_name("");
  command->add_flag(
      "--failed", flags->failed,
      "Build only what has no image; the others' are used again if the registry still "
      "has them");
  // Those of the job have gone when it ended.
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* help,
                        const char* type) {
    command->add_option(name, values, help)->type_name(type)->allow_extra_args(false);
  };
  list("--secret", flags->secret.secrets, "As for build: a job's secrets are given anew", "FIELDS");
  list("--ssh", flags->secret.ssh, "As for build, and given anew", "ID=FILE");
  command->add_option("--authfile", flags->secret.authfile, "As for build, and given anew")
      ->type_name("FILE");
  command->add_flag("-d,--detach", flags->detach, "Print the new job's id and leave it running");
  AddDetachOnInterrupt(*command, flags->attach);
  AddAttachFlags(*command, flags->attach);
  AddFormat(*command, flags->attach.output);
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunRetry(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
