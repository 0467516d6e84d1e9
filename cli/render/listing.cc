#include "cli/render/listing.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/render/table.h"
#include "cli/render/timeline.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

std::string Offered(const v1::WorkerDescription& worker, bool emulated) {
  std::vector<std::string> platforms;
  for (const v1::OfferedPlatform& offered : worker.platforms()) {
    if (offered.emulated() == emulated) platforms.push_back(PlatformText(offered.platform()));
  }
  return platforms.empty() ? "-" : absl::StrJoin(platforms, ",");
}

// "connected", "connected, draining"
std::string WorkerStateText(const v1::Worker& worker) {
  std::string text = Word(worker.state());
  if (worker.admission() != v1::WORKER_ADMISSION_SCHEDULABLE &&
      worker.admission() != v1::WORKER_ADMISSION_UNSPECIFIED) {
    absl::StrAppend(&text, ", ", Word(worker.admission()));
  } else if (!worker.admission_reason().empty()) {
    absl::StrAppend(&text, ", not ready");
  }
  return text;
}

// The number of the attempt that was sooner done than this one, which was stopped for that; else 0.
int StoppedFor(const v1::Build& build, const v1::Attempt& attempt) {
  if (attempt.state() != v1::ATTEMPT_STATE_CANCELLED) return 0;
  for (const v1::Attempt& other : build.attempts()) {
    if (other.state() == v1::ATTEMPT_STATE_SUCCEEDED &&
        ToTime(other.offered_at()) < ToTime(attempt.finished_at())) {
      return other.number();
    }
  }
  return 0;
}

std::string AttemptText(const v1::Job& job, const v1::Build& build, const v1::Attempt& attempt,
                        absl::Time now) {
  std::string text = absl::StrCat("    attempt ", attempt.number(), "  ", attempt.id(), "  ",
                                  Word(attempt.state()), " on ", attempt.worker_name(), " (",
                                  HowText(attempt.emulated()), ")");
  const auto& start = attempt.has_accepted_at() ? attempt.accepted_at() : attempt.offered_at();
  if (start.seconds() != 0) {
    const absl::Time end = attempt.has_finished_at() ? ToTime(attempt.finished_at()) : now;
    absl::StrAppend(&text, ", ", ShortDuration(end - ToTime(start)));
  }
  absl::StrAppend(&text, "\n      ", TimelineText(PhasesOf(job, build, attempt, now)), "\n");
  if (attempt.has_failure()) {
    absl::StrAppend(&text, "      ", SafeLine(attempt.failure().message()), "\n");
  }
  if (const int winner = StoppedFor(build, attempt); winner != 0) {
    absl::StrAppend(&text, "      stopped: the image of attempt ", winner, " was there first\n");
  }
  return text;
}

std::string BuildText(const v1::Job& job, const v1::Build& build, absl::Time now) {
  std::string text = absl::StrCat("  ", PlatformText(build.platform()),
                                  build.optional() ? " (optional)" : "", ": ", Word(build.state()));
  if (build.state() == v1::BUILD_STATE_WAITING && !build.waiting_reason().empty()) {
    absl::StrAppend(&text, ": ", SafeLine(build.waiting_reason()));
  }
  text += PredictionText(build, now);
  if (build.state() == v1::BUILD_STATE_FAILED) {
    absl::StrAppend(&text, ": ",
                    MessageWithout(build.failure().message(), PlatformText(build.platform())));
  }
  absl::StrAppend(&text, "\n");
  if (build.state() == v1::BUILD_STATE_SUCCEEDED && build.has_image()) {
    absl::StrAppend(&text, "    image  ", build.image().repository(), "@", build.image().digest(),
                    build.reused_from().empty() ? "" : "  (of job ", build.reused_from(),
                    build.reused_from().empty() ? "" : ")", "\n");
  }
  for (const v1::Attempt& attempt : build.attempts()) {
    absl::StrAppend(&text, AttemptText(job, build, attempt, now));
  }
  for (const std::string& warning : build.warnings()) {
    absl::StrAppend(&text, "    warning: ", SafeLine(warning), "\n");
  }
  return text;
}

}  // namespace

std::string JobsTable(const v1::ListJobsResponse& jobs, absl::Time now) {
  std::vector<std::vector<std::string>> rows = {{"ID", "STATE", "AGE", "PLATFORMS", "TAGS"}};
  for (const v1::Job& job : jobs.jobs()) {
    rows.push_back({job.id(), Word(job.state()), Age(job.submitted_at(), now),
                    absl::StrJoin(job.spec().platforms(), ",",
                                  [](std::string* out, const v1::PlatformRequest& request) {
                                    out->append(PlatformText(request.platform()));
                                  }),
                    absl::StrJoin(job.spec().tags(), ",")});
  }
  return AlignedTable(rows);
}

std::string JobText(const v1::Job& job, absl::Time now) {
  std::vector<std::vector<std::string>> rows = {
      {"Job", job.id()},
      {"State", absl::StrCat(Word(job.state()), job.status_reason().empty() ? "" : ": ",
                             SafeLine(job.status_reason()))},
      {"Submitted", Age(job.submitted_at(), now)},
  };
  if (job.has_finished_at()) {
    rows.push_back({"Finished", absl::StrCat(Age(job.finished_at(), now), ", after ",
                                             ShortDuration(ToTime(job.finished_at()) -
                                                           ToTime(job.submitted_at())))});
  }
  if (job.has_predicted_finish()) {
    rows.push_back(
        {"Built in", absl::StrCat("about ", ShortDuration(ToTime(job.predicted_finish()) - now),
                                  job.finish_guessed() ? " (a guess)" : "", ", ",
                                  PlatformText(job.gating()), " last")});
  }
  if (!job.retry_of().empty()) rows.push_back({"Retry of", job.retry_of()});
  if (!job.spec().source().empty()) rows.push_back({"Source", job.spec().source()});
  rows.push_back({"Project", job.spec().project()});
  if (job.spec().priority() != 0) {
    rows.push_back({"Priority", absl::StrCat(job.spec().priority())});
  }
  if (!job.intent().digest().empty()) rows.push_back({"Digest", job.intent().digest()});
  for (const v1::TagResult& tag : job.tags()) {
    const std::string note =
        tag.note().empty() ? (tag.written() ? "written" : "not written") : SafeLine(tag.note());
    rows.push_back({"Tag", absl::StrCat(tag.reference(), " (", note, ")")});
  }
  if (job.has_failure()) {
    const bool failed = job.state() != v1::JOB_STATE_CANCELLED;
    rows.push_back({failed ? "Failure" : "Reason", job.failure().message()});
  }
  std::string text = AlignedTable(rows);
  for (const v1::Build& build : job.builds()) absl::StrAppend(&text, BuildText(job, build, now));
  return text;
}

std::string WorkersTable(const v1::ListWorkersResponse& workers) {
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "ID", "STATE", "NATIVE", "EMULATED", "SLOTS", "RUNNING", "VERSION"}};
  for (const v1::Worker& worker : workers.workers()) {
    const v1::WorkerDescription& self = worker.description();
    rows.push_back({self.name(), self.id(), WorkerStateText(worker), Offered(self, false),
                    Offered(self, true), absl::StrCat(self.slots()),
                    absl::StrCat(worker.running_size()), self.version()});
  }
  return AlignedTable(rows);
}

std::string WorkerText(const v1::Worker& worker, absl::Time now) {
  const v1::WorkerDescription& self = worker.description();
  std::vector<std::vector<std::string>> rows = {
      {"Worker", self.name()},
      {"ID", self.id()},
      {"State", WorkerStateText(worker)},
      {"Native", Offered(self, false)},
      {"Emulated", Offered(self, true)},
      {"Slots", absl::StrCat(self.slots())},
      {"Running", worker.running().empty() ? "-" : absl::StrJoin(worker.running(), ", ")},
      {"Version", self.version()},
      {"buildah", self.buildah_version()},
      {"Isolation", self.isolation()},
      {"Pushes", self.push_by_digest() ? "by digest" : "to a staging tag"},
  };
  // One that is connected is heard every few seconds; the controller notes only when it comes and
  // goes.
  if (worker.state() != v1::WORKER_STATE_CONNECTED) {
    rows.insert(rows.begin() + 3, {"Last seen", Age(worker.last_seen_at(), now)});
  }
  if (!worker.admission_reason().empty()) {
    rows.insert(rows.begin() + 3, {"Because", worker.admission_reason()});
  }
  // A protobuf map has no order of its own.
  std::vector<std::string> labels;
  for (const auto& [name, value] : self.labels()) labels.push_back(absl::StrCat(name, "=", value));
  std::sort(labels.begin(), labels.end());
  if (!labels.empty()) rows.push_back({"Labels", absl::StrJoin(labels, ", ")});
  for (const v1::RefusedPlatform& refused : self.refused()) {
    rows.push_back({"Refuses", absl::StrCat(PlatformText(refused.platform()), ": ",
                                            SafeLine(refused.reason()))});
  }
  return AlignedTable(rows);
}

}  // namespace manyarch::cli
