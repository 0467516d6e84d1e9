// From a pushed image to a tag: checking, anchoring, publishing, and who may write which tag.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

namespace {

// What the list lacks, and why; empty where it lacks nothing.
std::string LeftOut(const Job& job) {
  std::string text;
  for (const Build& build : job.builds) {
    std::string why;
    if (const auto* failed = std::get_if<BuildFailed>(&build.state)) why = failed->failure.message;
    if (const auto* cancelled = std::get_if<BuildCancelled>(&build.state)) why = cancelled->reason;
    if (why.empty()) continue;
    const std::string platform = ToString(build.platform);
    absl::string_view reason = why;
    absl::ConsumePrefix(&reason, platform + ": ");  // Most failures begin with it.
    absl::StrAppend(&text, text.empty() ? "published without " : "; and without ", platform,
                    ", which is optional: ", reason);
  }
  return text;
}

}  // namespace

void Farm::On(const ImageChecked& event) {
  if (TakeReused(event)) return;
  const std::optional<Place> place = FindAttempt(event.attempt_id);
  if (!place || !std::holds_alternative<AttemptVerifying>(place->ref().state)) return;
  if (event.failure) {
    FailAttempt(*place, *event.failure);
    return;
  }
  WinBuild(*place, event);
}

void Farm::WinBuild(const Place& place, const ImageChecked& event) {
  Job& job = *place.job;
  Attempt& attempt = place.ref();
  std::vector<std::string> warnings;
  if (auto* verifying = std::get_if<AttemptVerifying>(&attempt.state)) {
    warnings = std::move(verifying->warnings);
  }
  attempt.state = AttemptSucceeded{event.image};
  attempt.finished_at = now_.wall;
  NoteSuccess(attempt.worker);
  const bool emulates_again = Learn(place);
  const BuildKind kind = KindOf(job, place.build);
  Build& build = place.build_ref();
  build.warnings.insert(build.warnings.end(), warnings.begin(), warnings.end());
  Dequeue(job, place.build);
  TakeImage(job, place.build, event, attempt.id,
            absl::StrCat("attempt ", attempt.number, " has won"));
  if (emulates_again) RequeueLike(kind);
}

// The image is the build's: anchors it and advances the job.
void Farm::TakeImage(Job& job, size_t build_index, const ImageChecked& event,
                     const std::string& winner, const std::string& to_others) {
  Build& build = job.builds[build_index];
  build.warnings.insert(build.warnings.end(), event.warnings.begin(), event.warnings.end());
  EndBuild(job, build_index, BuildSucceeded{event.image, winner}, to_others);
  if (!job.spec->arch_tag_template.empty()) {
    build.anchor = Anchor::kPending;
    StartAnchor(job, build);
  }
  Advance(job);
}

std::vector<TagRef> Farm::AnchorRefs(const Job& job, const Build& build) const {
  std::vector<TagRef> refs;
  for (const TagRef& tag : job.spec->tags) {
    refs.push_back({tag.repository, ArchTag(job.spec->arch_tag_template, tag.tag, build.platform)});
  }
  return refs;
}

bool Farm::IsNewest(const Job& job, const TagRef& ref) const {
  const TagOwner* owner = FindTag(ref.ToString());
  return owner == nullptr || owner->generation <= job.generation;
}

void Farm::StartAnchor(Job& job, Build& build) {
  const auto* succeeded = std::get_if<BuildSucceeded>(&build.state);
  std::vector<TagRef> refs;
  for (TagRef& ref : AnchorRefs(job, build)) {
    if (!IsNewest(job, ref)) continue;
    const std::string name = ref.ToString();
    TagOwner& owner = tags_[name];
    if (owner.generation != job.generation) {
      owner = {job.generation, job.id};
      effects_->tags.insert(name);
    }
    refs.push_back(std::move(ref));
  }
  if (succeeded == nullptr || refs.empty()) {
    build.anchor = Anchor::kSuperseded;
    Changed(job);
    return;
  }
  Emit(WriteAnchor{job.id, build.platform, succeeded->image, std::move(refs), job.spec->immutable,
                   !job.spec->sealed.empty()});
}

void Farm::On(const AnchorFinished& event) {
  const auto it = jobs_.find(event.job_id);
  if (it == jobs_.end()) return;
  Job& job = it->second;
  for (Build& build : job.builds) {
    if (build.platform != event.platform || build.anchor != Anchor::kPending) continue;
    build.anchor = event.error.ok() ? Anchor::kDone : Anchor::kFailed;
    // A job that is over stays as it is; its anchor matters no more.
    if (IsTerminal(job.state)) return;
    if (!event.error.ok()) {
      build.warnings.push_back(
          absl::StrCat("the per-architecture tag was not written: ", event.error.message()));
    }
    Changed(job);
    Advance(job);
    return;
  }
}

void Farm::On(const PublishProgressed& event) {
  const auto it = jobs_.find(event.job_id);
  if (it == jobs_.end() || IsTerminal(it->second.state)) return;
  it->second.status_reason = event.what;
  Progressed(it->second);
}

void Farm::TryPublish(Job& job) {
  for (const TagRef& tag : job.spec->tags) {
    const auto writer = writers_.find(tag.ToString());
    if (writer == writers_.end()) continue;
    job.status_reason =
        absl::StrCat("waiting for job ", writer->second, " to finish writing ", tag.ToString());
    ready_[job.generation] = job.id;
    Progressed(job);
    return;
  }
  bool any = false;
  for (TagOutcome& tag : job.tags) {
    if (IsNewest(job, tag.ref)) {
      any = true;
    } else {
      tag.note = absl::StrCat("not moved: job ", FindTag(tag.ref.ToString())->job_id,
                              ", which was submitted later, has claimed it");
    }
  }
  if (!any) {
    FinishJob(job, JobSuperseded{job.tags.front().note});
    return;
  }
  std::vector<ListEntry> entries;
  for (const Build& build : job.builds) {
    if (const auto* succeeded = std::get_if<BuildSucceeded>(&build.state)) {
      entries.push_back({build.platform, succeeded->image});
    }
  }
  for (const TagOutcome& tag : job.tags) {
    if (!tag.note.empty()) continue;
    const std::string name = tag.ref.ToString();
    tags_[name] = {job.generation, job.id};
    effects_->tags.insert(name);
  }
  job.state = JobPublishing{list_builder_(entries, job.spec->format)};
  job.status_reason.clear();
  Changed(job);
  StartPublish(job);
}

void Farm::StartPublish(const Job& job) {
  Publish publish;
  publish.job_id = job.id;
  publish.intent = std::get<JobPublishing>(job.state).intent;
  publish.source = job.spec->tags.front().repository;
  publish.immutable = job.spec->immutable;
  publish.sealed = !job.spec->sealed.empty();
  for (const TagOutcome& tag : job.tags) {
    if (!tag.note.empty()) continue;
    writers_[tag.ref.ToString()] = job.id;
    publish.tags.push_back(tag.ref);
  }
  Emit(std::move(publish));
}

void Farm::ReleaseWriters(const Job& job) {
  for (const TagOutcome& tag : job.tags) {
    const auto it = writers_.find(tag.ref.ToString());
    if (it != writers_.end() && it->second == job.id) writers_.erase(it);
  }
}

void Farm::On(const PublishFinished& event) {
  const auto it = jobs_.find(event.job_id);
  if (it == jobs_.end()) return;
  Job& job = it->second;
  const auto* publishing = std::get_if<JobPublishing>(&job.state);
  if (publishing == nullptr) return;
  ReleaseWriters(job);
  for (const TagOutcome& outcome : event.tags) {
    for (TagOutcome& tag : job.tags) {
      if (tag.ref.ToString() != outcome.ref.ToString()) continue;
      tag.written = outcome.written;
      tag.note = outcome.note;
    }
  }
  const bool any_written = std::any_of(job.tags.begin(), job.tags.end(),
                                       [](const TagOutcome& tag) { return tag.written; });
  if (event.error.ok() && !any_written) {
    // Later jobs took the tags while the images were copied.
    FinishJob(job, JobSuperseded{job.tags.front().note});
  } else if (event.error.ok()) {
    const PublishIntent intent = publishing->intent;
    FinishJob(job, JobSucceeded{intent});
    job.status_reason = LeftOut(job);
  } else {
    Failure failure;
    // An immutable tag that points elsewhere is what the user asked to be told.
    failure.cls = absl::IsDeadlineExceeded(event.error) ? FailureClass::kTimeout
                  : absl::IsAlreadyExists(event.error)  ? FailureClass::kUser
                                                        : FailureClass::kInfrastructure;
    failure.message = std::string(event.error.message());
    FinishJob(job, JobFailed{std::move(failure)});
  }
  // Those that waited for these tags, in the order in which they were submitted.
  const absl::btree_map<int64_t, std::string> ready = std::move(ready_);
  ready_.clear();
  for (const auto& [generation, id] : ready) {
    const auto waiting = jobs_.find(id);
    if (waiting != jobs_.end()) Advance(waiting->second);
  }
}

}  // namespace manyarch::controller::core
