// Attempts: offered, accepted, finished, lost, found again.
#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

namespace {

// Whether another attempt of this build may still end it well without anybody doing anything.
bool HasLiveAttempt(const Build& build) {
  return std::any_of(build.attempts.begin(), build.attempts.end(), [](const Attempt& attempt) {
    return IsOnWorker(attempt.state) || std::holds_alternative<AttemptVerifying>(attempt.state);
  });
}

// ": attempt 1 on a: it broke; attempt 2 on b: it is lost", or what all of them came to.
std::string Tries(const Build& build) {
  std::string text;
  absl::flat_hash_set<std::string> messages;
  for (const Attempt& attempt : build.attempts) {
    const Failure* failure = nullptr;
    if (const auto* failed = std::get_if<AttemptFailed>(&attempt.state)) failure = &failed->failure;
    if (const auto* lost = std::get_if<AttemptLost>(&attempt.state)) failure = &lost->failure;
    if (failure == nullptr) continue;
    absl::StrAppend(&text, text.empty() ? ": " : "; ", "attempt ", attempt.number, " on ",
                    attempt.worker_name, ": ", failure->message);
    messages.insert(failure->message);
  }
  if (messages.size() != 1 || build.attempts.size() == 1) return text;
  return absl::StrCat(", all: ", *messages.begin());
}

// Phases that were passed while nobody listened have no time of their own.
void NotePhase(Attempt& attempt, Phase phase, absl::Time now) {
  if (phase == Phase::kBuilding && attempt.building_at == absl::InfinitePast()) {
    attempt.building_at = now;
  }
  if (phase == Phase::kPushing && attempt.pushing_at == absl::InfinitePast()) {
    attempt.pushing_at = now;
  }
}

}  // namespace

void Farm::Offer(const Decision& decision) {
  Job& job = jobs_.at(decision.job_id);
  const size_t build_index = decision.key.second;
  Build& build = job.builds[build_index];
  Worker& worker = *pool_.Find(decision.worker);
  Attempt attempt;
  attempt.number = build.attempts.empty() ? 1 : build.attempts.back().number + 1;
  attempt.id = AttemptId(job.id, build.platform, attempt.number);
  attempt.worker = worker.description.id;
  attempt.worker_name = worker.description.name;
  attempt.emulated = decision.emulated;
  attempt.state = AttemptOffered{};
  attempt.offered_at = now_.wall;
  attempt.predicted = decision.predicted;
  attempt.guessed = decision.mere_guess;

  if (decision.hedged) {
    WaitBeside(decision.key, now_.steady + absl::Seconds(decision.predicted));
  } else {
    queue_.Erase(decision.key);
  }
  Occupy(worker, job, build_index, attempt);
  Reindex(worker);
  build.state = BuildRunning{};
  attempts_[attempt.id] = {&job, build_index, build.attempts.size()};
  At(now_.steady + options_.offer_timeout, AttemptTimer{attempt.id});
  Emit(SendOffer{SessionOf(attempt.worker), attempt.id, job.id, build.platform, attempt.emulated,
                 job.spec});
  build.attempts.push_back(std::move(attempt));
  Changed(job);
}

void Farm::On(const OfferAnswered& event) {
  Worker* worker = Heard(event.session);
  if (worker == nullptr) return;
  const std::optional<Place> place = FindAttempt(event.attempt_id);
  const bool ours = place && place->ref().worker == worker->description.id;
  if (event.accepted) {
    if (!ours || IsTerminal(place->ref().state) ||
        std::holds_alternative<AttemptVerifying>(place->ref().state)) {
      Emit(SendAbandon{event.session, event.attempt_id, "this attempt is over"});
      return;
    }
    Revive(*place, Phase::kAccepted);
    return;
  }
  Vacate(worker->description.id, event.attempt_id);
  if (!ours || !std::holds_alternative<AttemptOffered>(place->ref().state)) return;
  Attempt& attempt = place->ref();
  attempt.state = AttemptCancelled{};
  attempt.counts = false;
  attempt.finished_at = now_.wall;
  Failure why;
  why.message = absl::StrCat(attempt.worker_name, " refused it: ", event.reason);
  AfterSetback(*place, why, absl::Seconds(1));
}

// The worker has it: accepted just now, or back after it was thought lost.
void Farm::Revive(const Place& place, Phase phase) {
  Attempt& attempt = place.ref();
  Build& build = place.build_ref();
  if (auto* running = std::get_if<AttemptRunning>(&attempt.state)) {
    running->phase = std::max(running->phase, phase);
    NotePhase(attempt, running->phase, now_.wall);
    Progressed(*place.job);
    return;
  }
  const bool offered = std::holds_alternative<AttemptOffered>(attempt.state);
  attempt.state = AttemptRunning{phase};
  attempt.counts = true;
  attempt.finished_at = absl::InfinitePast();
  if (attempt.accepted_at == absl::InfinitePast()) attempt.accepted_at = now_.wall;
  NotePhase(attempt, phase, now_.wall);
  if (attempt.began == absl::InfiniteFuture()) attempt.began = now_.steady;
  attempt.deadline = DeadlineOf(*place.job);
  // The timer of an offer goes on to the deadline: most builds have ended by then, and need no
  // second one that would be kept for hours.
  if (!offered) At(attempt.deadline, AttemptTimer{attempt.id});
  if (std::holds_alternative<BuildWaiting>(build.state)) {
    Dequeue(*place.job, place.build);
    build.state = BuildRunning{};
  }
  if (std::holds_alternative<JobQueued>(place.job->state)) {
    place.job->state = JobRunning{};
    place.job->started_at = now_.wall;
  }
  NoteEmulated(place);
  Changed(*place.job);
}

void Farm::On(const AttemptProgressed& event) {
  Worker* worker = Heard(event.session);
  if (worker == nullptr) return;
  const std::optional<Place> place = FindAttempt(event.attempt_id);
  if (!place || place->ref().worker != worker->description.id) return;
  auto* running = std::get_if<AttemptRunning>(&place->ref().state);
  if (running == nullptr || running->phase == event.phase) return;
  running->phase = event.phase;
  NotePhase(place->ref(), event.phase, now_.wall);
  Progressed(*place->job);
}

void Farm::On(const AttemptFinished& event) {
  Worker* worker = Heard(event.session);
  if (worker == nullptr) return;
  const std::string& id = event.finished.attempt_id;
  const std::optional<Place> place = FindAttempt(id);
  if (!place || place->ref().worker == worker->description.id) TakeResult(event.finished);
  Vacate(worker->description.id, id);
  Emit(SendAcknowledged{event.session, id});
}

void Farm::TakeResult(const FinishedAttempt& finished) {
  const std::optional<Place> place = FindAttempt(finished.attempt_id);
  if (!place) return;
  Attempt& attempt = place->ref();
  if (IsTerminal(attempt.state) || std::holds_alternative<AttemptVerifying>(attempt.state)) return;
  attempt.log_size = finished.log_size;
  if (const auto* reported = std::get_if<Image>(&finished.result)) {
    // Where it was told to push, whatever it says: a worker must not choose what is read with the
    // controller's credentials.
    Image image = *reported;
    image.repository = place->job->spec->tags.front().repository;
    if (attempt.accepted_at == absl::InfinitePast()) Revive(*place, Phase::kPushing);
    attempt.state = AttemptVerifying{image, finished.warnings};
    attempt.pushed_at = now_.wall;
    attempt.took = now_.steady - attempt.began;
    attempt.counts = true;
    if (std::holds_alternative<BuildWaiting>(place->build_ref().state)) {
      Dequeue(*place->job, place->build);
      place->build_ref().state = BuildRunning{};
    }
    Emit(CheckImage{attempt.id, place->build_ref().platform, image, place->job->spec->format,
                    !place->job->spec->sealed.empty()});
    Changed(*place->job);
  } else if (const auto* failure = std::get_if<Failure>(&finished.result)) {
    FailAttempt(*place, *failure);
  } else {
    // The worker gave it up by itself; nothing of it is left, so it cannot come back.
    attempt.state = AttemptCancelled{};
    attempt.counts = false;
    attempt.finished_at = now_.wall;
    Failure why;
    why.message = absl::StrCat(attempt.worker_name, " gave it up");
    AfterSetback(*place, why, absl::ZeroDuration());
  }
}

bool Farm::RunsNatively(const Build& build) {
  return std::any_of(build.attempts.begin(), build.attempts.end(), [](const Attempt& attempt) {
    return !attempt.emulated &&
           (IsOnWorker(attempt.state) || std::holds_alternative<AttemptVerifying>(attempt.state));
  });
}

void Farm::FailAttempt(const Place& place, const Failure& failure) {
  Attempt& attempt = place.ref();
  attempt.state = AttemptFailed{failure};
  attempt.finished_at = now_.wall;
  // Where it runs natively as well, that decides what an emulator may have made slow, or wrong.
  const bool decides = failure.cls == FailureClass::kUser || failure.cls == FailureClass::kTimeout;
  if (decides && !(attempt.emulated && RunsNatively(place.build_ref()))) {
    Changed(*place.job);
    Dequeue(*place.job, place.build);
    EndBuild(*place.job, place.build, BuildFailed{failure}, "another attempt of this build failed");
    Advance(*place.job);
    return;
  }
  const BuildKind kind = KindOf(*place.job, place.build);
  const bool crashed = failure.emulator_crash && attempt.emulated;
  if (crashed) estimates_.EmulatorCrashed(kind, now_.wall);
  if (!decides) NoteFailure(attempt.worker, place.job->id, failure.message);
  const auto tries = std::count_if(
      place.build_ref().attempts.begin(), place.build_ref().attempts.end(), [](const Attempt& a) {
        return a.counts && !std::holds_alternative<AttemptOffered>(a.state);
      });
  // The id's characters stand in for a random number: equal from run to run, different from job to
  // job.
  unsigned sum = 0;
  for (const char c : attempt.id) sum = sum * 31 + static_cast<unsigned char>(c);
  const double jitter = static_cast<double>(sum % 1000) / 1000.0;
  AfterSetback(place, failure,
               options_.retry.Delay(std::max(0, static_cast<int>(tries) - 1), jitter));
  if (crashed && estimates_.EmulatorCrashes(kind) == 1) RequeueLike(kind);
}

void Farm::LoseAttempt(const Place& place, std::string why, bool counts) {
  Failure failure;
  failure.cls = FailureClass::kLost;
  failure.message = std::move(why);
  Attempt& attempt = place.ref();
  attempt.state = AttemptLost{failure};
  attempt.counts = counts;
  attempt.finished_at = now_.wall;
  if (counts) NoteFailure(attempt.worker, place.job->id, failure.message);
  AfterSetback(place, failure, absl::ZeroDuration());
}

// An attempt is gone and the build is not over for that: try again, unless enough was tried.
void Farm::AfterSetback(const Place& place, const Failure& last, absl::Duration pause) {
  Job& job = *place.job;
  Build& build = place.build_ref();
  Changed(job);
  if (IsTerminal(build.state) || HasLiveAttempt(build)) return;
  // It waits already: a lost attempt that comes back only to fail changes nothing for the queue.
  const bool waits = std::holds_alternative<BuildWaiting>(build.state);
  const auto counted = std::count_if(build.attempts.begin(), build.attempts.end(),
                                     [](const Attempt& a) { return a.counts; });
  if (counted >= job.spec->max_attempts) {
    Failure failure = last;
    failure.message = absl::StrCat("gave up after ", counted,
                                   counted == 1 ? " attempt" : " attempts", Tries(build));
    Dequeue(job, place.build);
    EndBuild(job, place.build, BuildFailed{failure}, failure.message);
    Advance(job);
    return;
  }
  if (waits) return;
  Dequeue(job, place.build);
  build.state = BuildWaiting{absl::StrCat("to be tried again, because ", last.message), now_.wall};
  // Another platform may have doomed the job meanwhile: then nothing is started any more.
  StopWaitingBuilds(job);
  if (std::holds_alternative<BuildWaiting>(build.state)) {
    Enqueue(job, place.build,
            pause > absl::ZeroDuration() ? now_.steady + pause : absl::InfinitePast());
  }
  Advance(job);
}

// Makes a build terminal and ends its other attempts. The caller advances the job.
void Farm::EndBuild(Job& job, size_t build_index, BuildState state, const std::string& reason) {
  Build& build = job.builds[build_index];
  Dequeue(job, build_index);
  build.state = std::move(state);
  build.finished_at = now_.wall;
  for (Attempt& attempt : build.attempts) {
    if (IsTerminal(attempt.state)) continue;
    Abandon(attempt, reason);
    attempt.state = AttemptCancelled{};
    attempt.finished_at = now_.wall;
  }
  Changed(job);
}

// From an attempt whose image is good. Whether it has shown that the emulator does not always
// crash.
bool Farm::Learn(const Place& place) {
  const Attempt& attempt = place.ref();
  if (attempt.took <= absl::ZeroDuration()) return false;
  const BuildKind kind = KindOf(*place.job, place.build);
  const bool crashed = estimates_.EmulatorCrashes(kind) > 0;
  estimates_.Succeeded(kind, attempt.worker, attempt.emulated, attempt.took, now_.wall);
  return crashed && estimates_.EmulatorCrashes(kind) == 0;
}

// Tells the worker, where it can be told; where not, its next Hello will be answered so.
void Farm::Abandon(const Attempt& attempt, const std::string& reason) {
  const Worker* worker = pool_.Find(attempt.worker);
  if (worker == nullptr || !worker->occupied.contains(attempt.id)) return;
  const uint64_t session = SessionOf(attempt.worker);
  if (session != 0) Emit(SendAbandon{session, attempt.id, reason});
}

void Farm::Vacate(const std::string& worker_id, const std::string& attempt_id) {
  Worker* worker = pool_.Find(worker_id);
  if (worker == nullptr || worker->occupied.erase(attempt_id) == 0) return;
  worker->expected_end.erase(attempt_id);
  Release(attempt_id);
  Reindex(*worker);
  // Where projects are limited, the one that has ended may let another start anywhere.
  if (options_.queue.max_running > 0) {
    DispatchAll();
  } else {
    Dispatch(*pool_.ClassOf(worker_id));
  }
}

// Workers enforce the timeout; this is for those that do not. It begins anew with every controller:
// what has passed before could be told by the wall clock only, which anybody may set.
absl::Time Farm::DeadlineOf(const Job& job) const {
  return now_.steady + job.spec->build_timeout + options_.timeout_grace;
}

}  // namespace manyarch::controller::core
