#include "cli/follow.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/exit_code.h"
#include "cli/reconnect.h"
#include "cli/render/words.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"

namespace manyarch::cli {

namespace {

double Jitter() { return static_cast<double>(RandomBits() % 1024) / 1024.0; }

void StartLogs(const v1::Job& job, const FollowOptions& options, const LogStart& start,
               LogFollower& logs) {
  for (const v1::Build& build : job.builds()) {
    for (const v1::Attempt& attempt : build.attempts()) {
      // Before it is accepted there is nothing to read.
      if (!attempt.has_accepted_at() && attempt.state() < v1::ATTEMPT_STATE_ACCEPTED) continue;
      if (options.wants_log && !options.wants_log(build, attempt)) continue;
      logs.Start({attempt.id(), PlatformText(build.platform()), attempt.worker_name()}, start);
    }
  }
}

}  // namespace

absl::StatusOr<v1::Job> FollowJob(Client& client, Progress& progress, v1::Job job,
                                  const FollowOptions& options) {
  LogFollower logs(client, {[&](const LogSource& source, absl::string_view line) {
                              progress.OnLogLine(source, line);
                            },
                            [&](absl::string_view text) { progress.OnNotice(text); }});
  const auto show = [&](const v1::Job& now, const LogStart& start) {
    progress.OnJob(now);
    StartLogs(now, options, start, logs);
  };
  show(job, options.log_start);
  Cancellation never;
  absl::Time last_heard = absl::Now();
  int retry = 0;
  bool told = false;
  // After an outage the controller may know less than it had shown before: then take what it has.
  int64_t after_revision = job.revision();
  while (!IsTerminal(job.state())) {
    v1::WatchJobRequest request;
    request.set_job_id(job.id());
    request.set_after_revision(after_revision);
    const absl::Status status = client.WatchJob(request, never, [&](const v1::Job& now) {
      if (told) progress.OnNotice("connected to the controller again");
      told = false;
      retry = 0;
      job = now;
      show(job, {});
    });
    if (IsTerminal(job.state())) break;
    if (!status.ok() && !IsWorthRepeating(status) && !absl::IsCancelled(status)) return status;
    // A stream that was well until now starts a new outage.
    if (retry == 0) last_heard = absl::Now();
    after_revision = 0;
    const absl::Duration pause = kReconnect.Delay(retry++, Jitter());
    if (absl::Now() + pause > last_heard + options.patience) {
      return absl::UnavailableError(absl::StrCat(
          status.message(), " Gave up after ", ShortDuration(options.patience),
          "; the job goes on: `manyarch show ", job.id(), "` tells what became of it."));
    }
    if (!told && retry > 1) {
      progress.OnNotice(absl::StrCat("lost the connection to the controller at ", client.address(),
                                     ": connecting again; the job goes on"));
      told = true;
    }
    absl::SleepFor(pause);
  }
  if (!logs.Drain(options.log_patience)) {
    progress.OnNotice("the end of a log is not there yet: `manyarch logs` shows it later");
  }
  return job;
}

}  // namespace manyarch::cli
