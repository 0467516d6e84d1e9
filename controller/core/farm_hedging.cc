// Hedged builds that started under emulation because no native worker was registered: once one is,
// they wait for a native slot beside the attempt that runs.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

// An attempt is on its worker. Where a native worker is registered already, the slot is taken no
// later than builds that wait are looked at again.
void Farm::NoteEmulated(const Place& place) {
  const Attempt& attempt = place.ref();
  if (!attempt.emulated || !place.job->spec->hedge) return;
  if (!Hedge(attempt.id)) {
    alone_.insert(attempt.id);
  } else if (queue_.Find({place.job->generation, place.build}) != nullptr) {
    ReconsiderLater();
  }
}

void Farm::HedgeAll() {
  std::erase_if(alone_, [this](const std::string& attempt) { return Hedge(attempt); });
}

// Puts the build of an attempt that runs under emulation into the queue for a native slot; false
// while there is no native worker. True, too, where it is to have none: it waits already, or ends
// sooner as it is.
bool Farm::Hedge(const std::string& attempt_id) {
  const std::optional<Place> place = FindAttempt(attempt_id);
  if (!place || !IsOnWorker(place->ref().state)) return true;
  const Job& job = *place->job;
  const std::vector<Attempt>& attempts = place->build_ref().attempts;
  const auto live = std::count_if(attempts.begin(), attempts.end(), [](const Attempt& attempt) {
    return IsOnWorker(attempt.state) || std::holds_alternative<AttemptVerifying>(attempt.state);
  });
  const BuildKey key{job.generation, place->build};
  const Need need = NeedOf(job, place->build);
  if (live > 1 || !need.hedge || queue_.Find(key) != nullptr) return true;
  const Worker* worker = pool_.Find(place->ref().worker);
  const auto end = worker->expected_end.find(attempt_id);
  if (end == worker->expected_end.end()) return true;
  pool_.Distinguish(need);
  Lane& lane = queue_.LaneOf(need);
  policy_.Refresh(lane);
  if (Policy::HomeIsEmulated(lane)) return false;
  WaitingBuild entry = EntryOf(job, place->build, lane);
  if (Policy::EndsSooner(now_.steady, end->second, entry)) return true;
  lane.servable = Policy::Servable(lane);
  queue_.Insert(need, std::move(entry));
  WaitBeside(key, end->second);
  return true;
}

void Farm::WaitBeside(const BuildKey& key, absl::Time emulated_until) {
  Lane* lane = queue_.Hedge(key, emulated_until);
  if (lane == nullptr) return;
  policy_.Refresh(*lane);
  lane->servable = Policy::Servable(*lane);
}

// What a build that runs waits for beside that; empty: nothing.
std::string Farm::WaitsForBeside(const Job& job, size_t build) {
  const BuildKey key{job.generation, build};
  constexpr absl::string_view kAsWell = "it starts on a native worker as well";
  if (const Lane* lane = queue_.FindLane(key)) {
    if (Policy::HomeIsEmulated(*lane)) return absl::StrCat(kAsWell, " once one is registered");
    const absl::Time start = ForecastWaiting(job, build).start;
    const std::string when =
        start == absl::InfiniteFuture()
            ? " when one has a free slot"
            : absl::StrCat(
                  ", predicted in about ",
                  absl::FormatDuration(absl::Ceil(
                      std::max(absl::ZeroDuration(), start - now_.steady), absl::Minutes(1))));
    return absl::StrCat(kAsWell, when, ", and the first image wins");
  }
  for (const Attempt& attempt : job.builds[build].attempts) {
    if (IsOnWorker(attempt.state) && alone_.contains(attempt.id)) {
      return absl::StrCat(kAsWell, " once one is registered");
    }
  }
  return "";
}

}  // namespace manyarch::controller::core
