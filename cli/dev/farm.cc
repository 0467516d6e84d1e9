#include "cli/dev/farm.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/dev/place.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::cli {

namespace {

constexpr absl::Duration kTick = absl::Milliseconds(50);
// What has no builds to finish gets this long to end.
constexpr absl::Duration kGrace = absl::Seconds(20);
constexpr size_t kTailLines = 15;

}  // namespace

absl::Status DevFarm::Start(const std::string& name, const Command& command) {
  Part part;
  part.name = name;
  part.log = absl::StrCat(log_dir_, "/", name, ".log");
  std::rename(part.log.c_str(), absl::StrCat(part.log, ".old").c_str());
  const UniqueFd log(open(part.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot write the log ", part.log, ": ", strerror(errno)));
  }
  auto process = ChildProcess::Start(command, {-1, log.get(), log.get()});
  MA_RETURN_IF_ERROR(Annotate(process.status(), absl::StrCat("cannot start the ", name)));
  part.process = *std::move(process);
  parts_.push_back(std::move(part));
  return absl::OkStatus();
}

absl::Status DevFarm::CheckAlive() {
  for (Part& part : parts_) {
    const std::optional<ExitStatus> ended = part.process->WaitFor(absl::ZeroDuration());
    if (!ended.has_value()) continue;
    return absl::UnavailableError(absl::StrCat("the ", part.name, " ended unexpectedly (",
                                               ToString(*ended), "). The end of ", part.log, ":\n",
                                               FileTail(part.log, kTailLines)));
  }
  return absl::OkStatus();
}

absl::Status DevFarm::WaitUntil(const std::string& what, absl::Duration patience,
                                SignalWaiter& signals, const std::function<bool()>& ready) {
  const absl::Time end = absl::Now() + patience;
  while (!ready()) {
    MA_RETURN_IF_ERROR(CheckAlive());
    if (absl::Now() > end) {
      const Part& last = parts_.back();
      return absl::UnavailableError(absl::StrCat("gave up waiting until ", what, ". The end of ",
                                                 last.log, ":\n", FileTail(last.log, kTailLines)));
    }
    if (signals.WaitFor(kTick).has_value()) return absl::AbortedError("asked to stop");
  }
  return absl::OkStatus();
}

absl::Status DevFarm::Watch(SignalWaiter& signals) {
  while (true) {
    if (signals.WaitFor(absl::Milliseconds(250)).has_value()) return absl::OkStatus();
    MA_RETURN_IF_ERROR(CheckAlive());
  }
}

void DevFarm::Stop(SignalWaiter& signals, bool finish_builds) {
  bool asked_again = false;
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
    if (part->process->WaitFor(absl::ZeroDuration()).has_value()) continue;
    part->process->Signal(SIGTERM);
    bool finishing = part->name == "worker" && finish_builds;
    bool told = false;
    const absl::Time quiet = absl::Now() + absl::Seconds(1);
    absl::Time end = absl::Now() + kGrace;
    // The second SIGTERM to a worker makes it hand back. Sent at once it would merge with the
    // first.
    bool hand_back = part->name == "worker" && !finish_builds;
    while (!part->process->WaitFor(kTick).has_value()) {
      if (finishing && !told && absl::Now() > quiet) {
        std::fputs("The worker finishes what it builds. Ctrl-C again hands it back unfinished.\n",
                   stderr);
        told = true;
      }
      if (hand_back && absl::Now() > quiet) {
        part->process->Signal(SIGTERM);
        hand_back = false;
      }
      const bool signalled = signals.WaitFor(absl::ZeroDuration()).has_value();
      if (signalled && !asked_again) {
        asked_again = true;
        if (finishing) part->process->Signal(SIGTERM);
        finishing = false;
        end = absl::Now() + kGrace;
      } else if (signalled || (!finishing && absl::Now() > end)) {
        std::fprintf(stderr, "killing the %s\n", part->name.c_str());
        part->process->Signal(SIGKILL);
      }
    }
  }
  parts_.clear();
}

}  // namespace manyarch::cli
