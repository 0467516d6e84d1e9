// manyarch logs JOB
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/commands/since.h"
#include "cli/follow.h"
#include "cli/log_follower.h"
#include "cli/render/words.h"
#include "common/base/platform.h"
#include "common/base/status_macros.h"

namespace manyarch::cli {

namespace {

struct LogsFlags {
  std::string job;
  std::string platform;
  std::string attempt;
  bool follow = false;
  int64_t tail = -1;
  std::string since;
};

absl::StatusOr<LogStart> StartOf(const LogsFlags& flags) {
  LogStart start;
  if (flags.tail >= 0) start.tail_lines = flags.tail;
  if (!flags.since.empty()) {
    MA_ASSIGN_OR_RETURN(start.since, ParseSince(flags.since));
  }
  return start;
}

// Lines of logs to stdout, prefixed where there are several platforms.
class LogLines : public Progress {
 public:
  explicit LogLines(bool prefixed) : prefixed_(prefixed) {}
  void OnJob(const v1::Job&) override {}
  void OnLogLine(const LogSource& source, absl::string_view line) override {
    absl::MutexLock lock(&mutex_);
    if (prefixed_) {
      Print(absl::StrCat("[", source.platform, " ", source.worker, "] ", SafeLine(line), "\n"));
    } else {
      Print(absl::StrCat(isatty(STDOUT_FILENO) != 0 ? SafeLine(line) : std::string(line), "\n"));
    }
  }
  void OnNotice(absl::string_view text) override {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  }

 private:
  const bool prefixed_;
  absl::Mutex mutex_;
};

struct Chosen {
  const v1::Build* build;
  const v1::Attempt* attempt;  // Null: none yet.
};

absl::StatusOr<std::vector<Chosen>> Choose(const v1::Job& job, const LogsFlags& flags) {
  std::string platform;
  if (!flags.platform.empty()) {
    MA_ASSIGN_OR_RETURN(const Platform parsed, ParsePlatform(flags.platform));
    platform = ToString(parsed);
  }
  std::vector<Chosen> chosen;
  std::vector<std::string> platforms;
  for (const v1::Build& build : job.builds()) {
    platforms.push_back(PlatformText(build.platform()));
    if (!platform.empty() && platform != platforms.back()) continue;
    const v1::Attempt* attempt = nullptr;
    for (const v1::Attempt& candidate : build.attempts()) {
      if (flags.attempt.empty() || candidate.id() == flags.attempt ||
          absl::StrCat(candidate.number()) == flags.attempt) {
        attempt = &candidate;
      }
    }
    if (flags.attempt.empty() || attempt != nullptr) chosen.push_back({&build, attempt});
  }
  if (!chosen.empty()) return chosen;
  if (!flags.attempt.empty()) {
    return absl::NotFoundError(absl::StrCat("job ", job.id(), " has no attempt '", flags.attempt,
                                            "': `manyarch show ", job.id(), "` lists them"));
  }
  return absl::NotFoundError(absl::StrCat("job ", job.id(), " does not build ", platform,
                                          ": its platforms are ", absl::StrJoin(platforms, ", ")));
}

// The logs as they are now, one after the other; a single one byte for byte.
absl::Status PrintLogs(Client& client, const std::vector<Chosen>& chosen, const LogStart& start,
                       LogLines& lines) {
  const StopToken stop;
  const bool raw = chosen.size() == 1 && isatty(STDOUT_FILENO) == 0;
  for (const Chosen& one : chosen) {
    if (one.attempt == nullptr) {
      lines.OnNotice(absl::StrCat(
          PlatformText(one.build->platform()), " has no log yet: it is ", Word(one.build->state()),
          one.build->waiting_reason().empty() ? "" : ", ", one.build->waiting_reason()));
      continue;
    }
    const LogSource source{one.attempt->id(), PlatformText(one.build->platform()),
                           one.attempt->worker_name()};
    Cancellation never;
    std::string text;
    MA_RETURN_IF_ERROR(ReadLogOverOutages(
        client, one.attempt->id(), start, /*follow=*/false, stop, never,
        [&](absl::string_view bytes) {
          if (raw) {
            Print(bytes);
            return;
          }
          absl::StrAppend(&text, bytes);
          const size_t end = text.rfind('\n');
          if (end == std::string::npos) return;
          for (const absl::string_view line : absl::StrSplit(text.substr(0, end), '\n')) {
            lines.OnLogLine(source, line);
          }
          text.erase(0, end + 1);
        },
        [&](absl::string_view notice) { lines.OnNotice(notice); }));
    if (!text.empty()) lines.OnLogLine(source, text);
  }
  return absl::OkStatus();
}

int RunLogs(const LogsFlags& flags, const Invocation& invocation) {
  if (flags.job.empty()) return Fail(absl::InvalidArgumentError("logs: of which JOB?"));
  const absl::StatusOr<LogStart> start = StartOf(flags);
  if (!start.ok()) return Fail(start.status());
  Client client(invocation.controller);
  const absl::StatusOr<v1::Job> job = client.GetJob(flags.job);
  if (!job.ok()) return Fail(job.status());
  const absl::StatusOr<std::vector<Chosen>> chosen = Choose(*job, flags);
  if (!chosen.ok()) return Fail(chosen.status());
  LogLines lines(chosen->size() > 1);
  if (!flags.follow) {
    const absl::Status status = PrintLogs(client, *chosen, *start, lines);
    return status.ok() ? 0 : Fail(status);
  }
  FollowOptions options;
  options.log_start = *start;
  // The attempts chosen now, and any that is newer, unless one was named.
  options.wants_log = [&](const v1::Build& build, const v1::Attempt& attempt) {
    for (const Chosen& one : *chosen) {
      if (PlatformText(one.build->platform()) != PlatformText(build.platform())) continue;
      if (one.attempt == nullptr || attempt.id() == one.attempt->id()) return true;
      return flags.attempt.empty() && attempt.number() > one.attempt->number();
    }
    return false;
  };
  const absl::StatusOr<v1::Job> last = FollowJob(client, lines, *job, options);
  return last.ok() ? 0 : Fail(last.status());
}

}  // namespace

void AddLogs(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewCommand(app, invocation, "logs", "Print the output of a job's builds");
  const auto flags = std::make_shared<LogsFlags>();
  command->add_option("JOB", flags->job, "Its id, or the beginning of it")->type_name("");
  command->add_option("--platform", flags->platform, "Only this platform")->type_name("PLATFORM");
  command
      ->add_option("--attempt", flags->attempt, "This attempt (id or number), not the latest one")
      ->type_name("ATTEMPT");
  command->add_option("--tail,-n", flags->tail, "Only the last lines of each log")
      ->check(CLI::NonNegativeNumber)
      ->type_name("LINES");
  command
      ->add_option("--since", flags->since,
                   "Only what was printed since, e.g. 10m or 2024-03-01T12:00:00Z")
      ->type_name("TIME");
  command->add_flag("-f,--follow", flags->follow, "Go on until the job is over");
  command->callback([flags, &invocation] {
    invocation.run = [flags, &invocation] { return RunLogs(*flags, invocation); };
  });
}

}  // namespace manyarch::cli
