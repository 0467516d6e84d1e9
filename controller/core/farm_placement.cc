// Carries out what the placement policy decides, and says why those that wait do.
#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

namespace {

// Longer lanes are not told anew why they wait each time the set of workers changes.
constexpr size_t kMostTold = 1000;
// How often it is looked again whether builds that wait for a native slot would end sooner
// emulated.
constexpr absl::Duration kReconsider = absl::Seconds(30);

}  // namespace

BuildKind Farm::KindOf(const Job& job, size_t build) {
  return {job.spec->tags.front().repository, job.spec->target, job.builds[build].platform};
}

// Times that its repository's builds for the platform, or this very build, has crashed its
// emulator.
int64_t Farm::EmulatorCrashes(const Job& job, size_t build) const {
  int64_t crashes = estimates_.EmulatorCrashes(KindOf(job, build));
  if (crashes > 0) return crashes;
  for (const Attempt& attempt : job.builds[build].attempts) {
    const auto* failed = std::get_if<AttemptFailed>(&attempt.state);
    if (failed != nullptr && failed->failure.emulator_crash && attempt.emulated) ++crashes;
  }
  return crashes;
}

// For a build's reason, where it does not go where its job would let it go.
std::string Farm::CrashNote(const Job& job, size_t build, const Need& need) const {
  const int64_t crashes = EmulatorCrashes(job, build);
  if (crashes == 0) return "";
  if (need.policy == job.spec->emulation && need.hedge == job.spec->hedge) return "";
  return absl::StrCat("; it has crashed the emulator ", crashes, crashes == 1 ? " time" : " times",
                      ", so it goes to a native worker where there is any");
}

// What crashes its emulator is built natively wherever any native worker is registered.
Need Farm::NeedOf(const Job& job, size_t build) const {
  const JobSpec& spec = *job.spec;
  Need need;
  need.platform = job.builds[build].platform;
  need.local_only = spec.local_only;
  need.policy = spec.emulation;
  need.hedge = spec.hedge && spec.emulation != Emulation::kNever;
  // Two at a time must not be more than it may have altogether.
  const std::vector<Attempt>& attempts = job.builds[build].attempts;
  const auto used = std::count_if(attempts.begin(), attempts.end(), [](const Attempt& attempt) {
    return attempt.counts && !IsOnWorker(attempt.state);
  });
  if (used > 0 && used + 2 > spec.max_attempts) need.hedge = false;
  need.memory_bytes = spec.memory_bytes;
  need.constraints.assign(spec.constraints.begin(), spec.constraints.end());
  if ((need.hedge || need.policy == Emulation::kAllow) && EmulatorCrashes(job, build) > 0) {
    need.policy = Emulation::kFallback;
    need.hedge = false;
  }
  return need;
}

absl::btree_set<std::string> Farm::WorkersTried(const Build& build) const {
  absl::btree_set<std::string> tried;
  for (const Attempt& attempt : build.attempts) {
    if (attempt.counts && !IsOnWorker(attempt.state)) tried.insert(attempt.worker);
  }
  return tried;
}

WaitingBuild Farm::EntryOf(const Job& job, size_t build_index, const Lane& lane) const {
  WaitingBuild entry;
  entry.key = {job.generation, build_index};
  entry.job_id = job.id;
  entry.project = job.spec->project;
  entry.priority = job.spec->priority;
  entry.submitted = job.queued_at;
  entry.kind = KindOf(job, build_index);
  const History* history = estimates_.Find(entry.kind);
  const bool warm = history != nullptr && !history->warm_workers.empty();
  const Estimate native = estimates_.Predict(entry.kind, false, warm);
  const Estimate emulated = estimates_.Predict(entry.kind, true, warm);
  const bool is_emulated = Policy::HomeIsEmulated(lane);
  entry.native = absl::ToDoubleSeconds(native.mean);
  entry.emulated = absl::ToDoubleSeconds(emulated.mean);
  entry.expected = is_emulated ? entry.emulated : entry.native;
  entry.guessed = is_emulated ? emulated.mere_guess : native.mere_guess;
  for (const std::string& worker : WorkersTried(job.builds[build_index])) {
    entry.avoid.push_back(worker);
  }
  return entry;
}

// Of a build in a lane of which `of_lane` tells why all in it wait.
std::string Farm::WhyItWaits(const Job& job, size_t build, const Need& need, bool servable,
                             const std::string& of_lane) const {
  const auto& waiting = std::get<BuildWaiting>(job.builds[build].state);
  std::string why = waiting.setback.empty() ? "" : waiting.setback + "; ";
  // What nobody could take waits for more than for its project.
  if (servable && !queue_.MayStart(job.spec->project)) {
    const int most = options_.queue.max_running;
    absl::StrAppend(&why, "its project runs ", most, most == 1 ? " build" : " builds",
                    " already, as many as it may");
  } else {
    why += of_lane;
  }
  return why + CrashNote(job, build, need);
}

Lane& Farm::PutInLane(const Job& job, size_t build, const Need& need) {
  pool_.Distinguish(need);
  Lane& lane = queue_.LaneOf(need);
  policy_.Refresh(lane);
  lane.servable = Policy::Servable(lane);
  queue_.Insert(need, EntryOf(job, build, lane));
  return lane;
}

// After the first crash of an emulator, or a success under it: what waits of the repository goes
// where it would go were it submitted now. What is emulated already stays where it is.
void Farm::RequeueLike(const BuildKind& kind) {
  std::vector<std::pair<std::string, BuildKey>> alike;
  for (const auto& [need, lane] : queue_.lanes()) {
    if (need.platform != kind.platform || need.beside) continue;
    queue_.ForEach(lane, [&](const WaitingBuild& entry) {
      if (entry.kind.repository != kind.repository) return;
      alike.emplace_back(entry.job_id, entry.key);
    });
  }
  bool moved = false;
  for (const auto& [job_id, key] : alike) {
    Job& job = jobs_.at(job_id);
    const Need need = NeedOf(job, key.second);
    if (queue_.FindLane(key)->need == need) continue;
    const Lane& lane = PutInLane(job, key.second, need);
    if (auto* waiting = std::get_if<BuildWaiting>(&job.builds[key.second].state)) {
      waiting->reason = WhyItWaits(job, key.second, need, lane.servable, pool_.Explain(need));
      Progressed(job);
    }
    moved = true;
  }
  if (!moved) return;
  ReconsiderLater();
  DispatchAll();
}

// Puts a waiting build into its lane, or, with `not_before` ahead, lets a timer do so then.
void Farm::Enqueue(Job& job, size_t build_index, absl::Time not_before) {
  Build& build = job.builds[build_index];
  auto& waiting = std::get<BuildWaiting>(build.state);
  waiting.not_before = not_before;
  if (not_before > now_.steady) {
    At(not_before, BuildTimer{job.id, build_index});
    return;
  }
  waiting.not_before = absl::InfinitePast();
  if (!build.attempts.empty()) waiting.setback = waiting.reason;
  const Need need = NeedOf(job, build_index);
  Lane& lane = PutInLane(job, build_index, need);
  const bool servable = lane.servable;
  if (servable) Dispatch(lane, {job.generation, build_index});
  if (auto* still = std::get_if<BuildWaiting>(&build.state)) {
    still->reason = WhyItWaits(job, build_index, need, servable, pool_.Explain(need));
    if (!servable) {
      still->no_worker_since = now_.steady;
      const absl::Duration limit = PatienceFor(job, build);
      if (limit > absl::ZeroDuration()) At(now_.steady + limit, BuildTimer{job.id, build_index});
    }
    if (need.hedge || need.policy == Emulation::kAllow || pool_.AnyUnsteady()) ReconsiderLater();
    Progressed(job);
  }
}

void Farm::Dequeue(const Job& job, size_t build_index) {
  queue_.Erase({job.generation, build_index});
}

// What a build waits for may come to take longer than was predicted.
void Farm::ReconsiderLater() {
  if (reconsidering_) return;
  reconsidering_ = true;
  At(now_.steady + kReconsider, ReconsiderTimer{});
}

void Farm::Fire(const ReconsiderTimer& timer) {
  const bool unsteady = pool_.AnyUnsteady();
  reconsidering_ = std::any_of(queue_.lanes().begin(), queue_.lanes().end(), [&](const auto& lane) {
    return lane.second.size > 0 &&
           (unsteady || lane.first.hedge || lane.first.policy == Emulation::kAllow);
  });
  if (!reconsidering_) return;
  DispatchAll();
  At(now_.steady + kReconsider, timer);
}

// Starts builds of this lane for as long as any of them finds a worker.
void Farm::Dispatch(Lane& lane, const BuildKey& fresh) {
  while (const std::optional<Decision> decision = policy_.ForLane(lane, &fresh, now_)) {
    Offer(*decision);
  }
}

// Starts waiting builds on workers like this one for as long as any of them finds a slot.
void Farm::Dispatch(const WorkerClass& of) {
  while (const std::optional<Decision> decision = policy_.ForClass(of, now_)) Offer(*decision);
}

// Steadier workers first: where a project may start one more only, what has waited for them gets
// it.
void Farm::DispatchAll() {
  std::vector<const WorkerClass*> classes;
  for (const auto& of : pool_.classes()) classes.push_back(of.get());
  const auto lasts = [](const WorkerClass* of) {
    return of->steady_for > 0 ? of->steady_for : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(classes.begin(), classes.end(),
                   [&](const WorkerClass* a, const WorkerClass* b) { return lasts(a) > lasts(b); });
  for (const WorkerClass* of : classes) Dispatch(*of);
}

// A slot is given to an attempt: what it costs its project, and when it is predicted to be free.
void Farm::Occupy(Worker& worker, const Job& job, size_t build, Attempt& attempt) {
  Release(attempt.id);
  worker.occupied.insert(attempt.id);
  const absl::Time began = attempt.began == absl::InfiniteFuture() ? now_.steady : attempt.began;
  worker.expected_end[attempt.id] = began + absl::Seconds(attempt.predicted);
  const BuildKey key{job.generation, build};
  slots_[attempt.id] = {job.spec->project, key, attempt.predicted, now_.steady};
  queue_.Started(job.spec->project, key, attempt.predicted, now_.steady);
}

// The slot of an attempt is free again, or nobody knows where it is.
void Farm::Release(const std::string& attempt_id) {
  const auto it = slots_.find(attempt_id);
  if (it == slots_.end()) return;
  const double took = absl::ToDoubleSeconds(now_.steady - it->second.since);
  const Slot& slot = it->second;
  queue_.Ended(slot.project, slot.build, took - slot.predicted, now_.steady);
  slots_.erase(it);
}

// After a worker came, went, or changed what it offers. With `tell`, also what waits for a slot is
// told anew of whom: not for workers that come or go, which may be thousands at a time.
void Farm::WorkerChanged(bool tell) {
  HedgeAll();
  for (auto& [need, lane] : queue_.lanes()) {
    policy_.Refresh(lane);
    const bool servable = Policy::Servable(lane);
    const bool flipped = servable != lane.servable;
    lane.servable = servable;
    // An explanation names every worker, so it may be out of date even where the verdict is the
    // same.
    if (flipped || ((tell || !servable) && lane.size <= kMostTold)) TellLane(need, lane, !flipped);
  }
  DispatchAll();
}

void Farm::TellLane(const Need& need, Lane& lane, bool only_reason) {
  const std::string why = pool_.Explain(need);
  queue_.ForEach(lane, [&](const WaitingBuild& entry) {
    Job& job = jobs_.at(entry.job_id);
    auto* waiting = std::get_if<BuildWaiting>(&job.builds[entry.key.second].state);
    if (waiting == nullptr) return;  // Emulated already, it waits for a native slot as well.
    std::string reason = WhyItWaits(job, entry.key.second, need, lane.servable, why);
    if (reason != waiting->reason) {
      waiting->reason = std::move(reason);
      Progressed(job);
    }
    if (only_reason) return;
    waiting->no_worker_since = lane.servable ? absl::InfiniteFuture() : now_.steady;
    const absl::Duration limit = PatienceFor(job, job.builds[entry.key.second]);
    if (!lane.servable && limit > absl::ZeroDuration()) {
      At(now_.steady + limit, BuildTimer{job.id, entry.key.second});
    }
  });
}

}  // namespace manyarch::controller::core
