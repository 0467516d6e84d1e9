// When builds are predicted to start and to end. Only for those who ask: nothing is decided by it.
#include <algorithm>

#include "controller/core/farm.h"

namespace manyarch::controller::core {

namespace {

// Builds and workers that are looked at, at most, for one answer.
constexpr int kMostAhead = 2000;
constexpr int kMostWorkers = 200;

struct FreeSlot {
  absl::Time at = absl::InfiniteFuture();
  std::string worker;
  std::string attempt = {};  // That holds it till then; empty: none.
};

// When the first slot of the class is predicted to be free, and whose.
FreeSlot FirstFree(const WorkerClass& of, const WorkerPool& pool, absl::Time now) {
  if (!of.free.empty()) return {now, of.free.begin()->second};
  FreeSlot first;
  int looked_at = 0;
  for (const std::string& id : of.registered) {
    if (++looked_at > kMostWorkers) break;
    for (const auto& [attempt, end] : pool.Find(id)->expected_end) {
      const absl::Time at = std::max(end, now);
      if (at < first.at) first = {at, id, attempt};
    }
  }
  return first;
}

}  // namespace

// When the project is predicted to have room for another build.
absl::Time Farm::RoomFor(const std::string& project) const {
  if (queue_.MayStart(project)) return now_.steady;
  absl::Time room = absl::InfiniteFuture();
  for (const auto& [attempt, slot] : slots_) {
    if (slot.project != project) continue;
    room = std::min(room, std::max(now_.steady, slot.since + absl::Seconds(slot.predicted)));
  }
  return room;
}

// Both ends are infinitely far where they cannot be told.
Farm::Span Farm::ForecastWaiting(const Job& job, size_t build) {
  const BuildKey key{job.generation, build};
  const WaitingBuild* const entry = queue_.Find(key);
  const Lane* const lane = queue_.FindLane(key);
  if (entry == nullptr || lane == nullptr) return {};
  const bool emulated = Policy::HomeIsEmulated(*lane);
  FreeSlot first;
  for (const Option& option : lane->options) {
    if (option.emulated != emulated) continue;
    FreeSlot slot = FirstFree(*option.of, pool_, now_.steady);
    if (slot.at < first.at) first = std::move(slot);
  }
  // What runs already needs no room beside.
  if (!lane->need.beside) first.at = std::max(first.at, RoomFor(job.spec->project));
  if (first.at == absl::InfiniteFuture()) return {};
  const double all = emulated ? lane->emulated : lane->native;
  const double ahead = queue_.Ahead(key, emulated, kMostAhead);
  absl::Time start = first.at;
  if (all > 0 && ahead > 0) {
    const double done = std::min(1e9, policy_.HomeDone(*lane, now_));
    // The slots are taken one after the other until all is done.
    const absl::Duration left = now_.steady + absl::Seconds(done) - first.at;
    start += std::max(absl::ZeroDuration(), left) * std::min(1.0, ahead / all);
  }
  const absl::Time finish = start + absl::Seconds(emulated ? entry->emulated : entry->native);
  const std::optional<Place> before = FindAttempt(first.attempt);
  return {start, finish, ahead > 0 ? "" : pool_.Find(first.worker)->description.name,
          before && before->ref().guessed, entry->guessed};
}

Farm::Span Farm::ForecastRunning(const Build& build) const {
  Span span;
  for (const Attempt& attempt : build.attempts) {
    if (std::holds_alternative<AttemptVerifying>(attempt.state))
      return {now_.steady, now_.steady, "", false, false};
    const Worker* worker = pool_.Find(attempt.worker);
    if (!IsOnWorker(attempt.state) || worker == nullptr) continue;
    const auto end = worker->expected_end.find(attempt.id);
    if (end == worker->expected_end.end()) continue;
    const absl::Time finish = std::max(end->second, now_.steady);
    if (finish >= span.finish) continue;
    span.finish = finish;
    span.time_guessed = attempt.guessed;
  }
  return span;
}

// In wall time, for people; absent where it cannot be told.
void Farm::Forecast(const Job& job, size_t build, BuildExplanation& to) {
  Span span;
  const auto& state = job.builds[build].state;
  if (std::holds_alternative<BuildWaiting>(state)) {
    span = ForecastWaiting(job, build);
  } else if (std::holds_alternative<BuildRunning>(state)) {
    span = ForecastRunning(job.builds[build]);
  }
  const absl::Duration skew = now_.wall - now_.steady;
  if (span.start != absl::InfiniteFuture()) to.predicted_start = span.start + skew;
  if (span.finish != absl::InfiniteFuture()) to.predicted_finish = span.finish + skew;
  to.predicted_worker = std::move(span.worker);
  to.start_guessed = span.start_guessed;
  to.time_guessed = span.time_guessed;
}

}  // namespace manyarch::controller::core
