// What the worker does with attempts: offers, progress, results, and the controller's verdicts.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/core/worker.h"

namespace manyarch::worker::core {

namespace {

// Of an affinity: what stands before the first space.
absl::string_view PlatformOf(absl::string_view affinity) {
  return affinity.substr(0, affinity.find(' '));
}

}  // namespace

int Worker::FreeSlots() const {
  return static_cast<int>(std::count_if(slots_.begin(), slots_.end(),
                                        [](const Slot& s) { return s.attempt_id.empty(); }));
}

int Worker::PickSlot(const std::string& affinity) const {
  // Best: the slot that ran the like last. Next: one whose store for the platform has something in
  // it. Else: the one that has run the fewest kinds, for its stores have most room.
  const auto same_platform = [&](const std::string& other) {
    return PlatformOf(other) == PlatformOf(affinity);
  };
  int best = -1;
  std::pair<int, size_t> best_by;
  for (int i = 0; i < static_cast<int>(slots_.size()); ++i) {
    if (!slots_[i].attempt_id.empty()) continue;
    const std::vector<std::string>& ran = slots_[i].ran;
    const auto at = std::find(ran.rbegin(), ran.rend(), affinity);
    std::pair<int, size_t> by = {2, ran.size()};
    if (at != ran.rend()) {
      by = {0, static_cast<size_t>(at - ran.rbegin())};
    } else if (std::any_of(ran.begin(), ran.end(), same_platform)) {
      by = {1, ran.size()};
    }
    if (best >= 0 && by >= best_by) continue;
    best = i;
    best_by = by;
  }
  return best;
}

void Worker::Slot::Take(const std::string& attempt, const std::string& affinity) {
  attempt_id = attempt;
  std::erase(ran, affinity);
  ran.push_back(affinity);
  if (ran.size() > kMostKinds) ran.erase(ran.begin());
}

void Worker::On(const Offered& e, absl::Time now) {
  if (SessionOf(e.connection, now) == nullptr) return;
  const auto refuse = [&](std::string reason) {
    effects_.push_back(SendOfferAnswer{e.connection, e.attempt_id, false, std::move(reason)});
  };
  if (const auto known = attempts_.find(e.attempt_id); known != attempts_.end()) {
    const auto* stopping = std::get_if<Stopping>(&known->second);
    if (stopping != nullptr && stopping->cause != StopCause::kAbandoned) {
      return refuse("this attempt is being stopped here");
    }
    effects_.push_back(SendOfferAnswer{e.connection, e.attempt_id, true, ""});
    if (std::holds_alternative<Finished>(known->second)) ReportFinished(e.attempt_id);
    return;
  }
  if (!std::holds_alternative<Serving>(life_)) return refuse("the worker is draining");
  if (!not_ready_.empty()) return refuse(not_ready_);
  const int slot = PickSlot(e.affinity);
  if (slot < 0) return refuse(absl::StrCat("all slots are busy (", slots_.size(), ")"));
  slots_[slot].Take(e.attempt_id, e.affinity);
  attempts_[e.attempt_id] = Running{slot, Phase::kAccepted};
  effects_.push_back(StartAttempt{e.attempt_id, slot, e.order});
  effects_.push_back(SendOfferAnswer{e.connection, e.attempt_id, true, ""});
  effects_.push_back(ResumeLog{e.connection, e.attempt_id, 0});
}

void Worker::On(const AttemptStateChanged& e, absl::Time) {
  const auto it = attempts_.find(e.attempt_id);
  if (it == attempts_.end()) return;
  if (auto* stopping = std::get_if<Stopping>(&it->second)) stopping->phase = e.phase;
  auto* running = std::get_if<Running>(&it->second);
  if (running == nullptr) return;
  running->phase = e.phase;
  if (const auto connection = InSessionNow()) {
    effects_.push_back(SendProgress{*connection, e.attempt_id, e.phase});
  }
}

void Worker::On(const AttemptFinished& e, absl::Time) {
  const FinishedAttempt& f = e.finished;
  const auto it = attempts_.find(f.attempt_id);
  if (it == attempts_.end() || std::holds_alternative<Finished>(it->second)) return;
  for (Slot& slot : slots_) {
    if (slot.attempt_id == f.attempt_id) slot.attempt_id.clear();
  }
  if (const auto* stopping = std::get_if<Stopping>(&it->second)) {
    const bool wanted = stopping->cause == StopCause::kAbandoned ||
                        stopping->cause == StopCause::kOffline ||
                        // It was over before it could be stopped: its work is not thrown away.
                        (stopping->cause == StopCause::kHandedBack && !f.result.empty());
    if (!wanted) return Forget(f.attempt_id);
  }
  it->second = Finished{f.result, f.log_size};
  effects_.push_back(KeepResult{f});
  ReportFinished(f.attempt_id);
}

void Worker::On(const Abandoned& e, absl::Time now) {
  if (SessionOf(e.connection, now) == nullptr) return;
  const auto it = attempts_.find(e.attempt_id);
  if (it == attempts_.end()) {
    // Never seen, or forgotten: nothing of it is left, and the controller waits to hear so.
    effects_.push_back(SendFinished{e.connection, {e.attempt_id, "", 0}});
  } else if (std::holds_alternative<Finished>(it->second)) {
    ReportFinished(e.attempt_id);
  } else {
    Stop(e.attempt_id, StopCause::kAbandoned, e.reason);
  }
}

void Worker::On(const Acknowledged& e, absl::Time now) {
  if (SessionOf(e.connection, now) == nullptr) return;
  const auto it = attempts_.find(e.attempt_id);
  if (it != attempts_.end() && std::holds_alternative<Finished>(it->second)) Forget(e.attempt_id);
}

void Worker::ApplyVerdict(const AttemptVerdict& verdict, ConnectionId connection) {
  const auto it = attempts_.find(verdict.attempt_id);
  if (it == attempts_.end()) return;
  const auto* finished = std::get_if<Finished>(&it->second);
  // The controller has the result, not all of the log: it gets that, and the result once more.
  const bool log_is_missing = verdict.verdict == Verdict::kAcknowledged && finished != nullptr &&
                              verdict.log_offset < finished->log_size;
  if (verdict.verdict == Verdict::kGoOn || log_is_missing) {
    effects_.push_back(ResumeLog{connection, verdict.attempt_id, verdict.log_offset});
  } else if (finished != nullptr && verdict.verdict == Verdict::kAcknowledged) {
    Forget(verdict.attempt_id);
  } else if (finished == nullptr) {
    // Its slot counts as taken at the controller until it hears that nothing is left.
    Stop(verdict.attempt_id, StopCause::kAbandoned, "the controller no longer wants this attempt");
  }
  // What has ended since the Hello and is not wanted is told like every result.
}

void Worker::Stop(const std::string& attempt_id, StopCause cause, absl::string_view reason) {
  AttemptState& state = attempts_.at(attempt_id);
  if (auto* stopping = std::get_if<Stopping>(&state)) {
    if (cause == StopCause::kAbandoned) stopping->cause = cause;
    return;
  }
  const auto* running = std::get_if<Running>(&state);
  if (running == nullptr) return;
  state = Stopping{running->slot, running->phase, cause};
  effects_.push_back(StopAttempt{attempt_id, std::string(reason)});
}

void Worker::Forget(const std::string& attempt_id) {
  effects_.push_back(ForgetAttempt{attempt_id});
  attempts_.erase(attempt_id);
}

void Worker::ReportFinished(const std::string& attempt_id) {
  const auto connection = InSessionNow();
  if (!connection.has_value()) return;
  const auto& finished = std::get<Finished>(attempts_.at(attempt_id));
  effects_.push_back(SendFinished{*connection, Report(attempt_id, finished)});
}

FinishedAttempt Worker::Report(const std::string& attempt_id, const Finished& finished) const {
  return {attempt_id, finished.result, finished.log_size};
}

}  // namespace manyarch::worker::core
