// The farm: every decision the controller makes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "common/base/backoff.h"
#include "controller/core/effects.h"
#include "controller/core/estimates.h"
#include "controller/core/events.h"
#include "controller/core/placement.h"
#include "controller/core/pool.h"
#include "controller/core/queue.h"
#include "controller/core/types.h"

namespace manyarch::controller::core {

struct FarmOptions {
  absl::Duration suspect_after = absl::Seconds(20);  // Silent this long: sent nothing new.
  absl::Duration lost_after = absl::Seconds(60);     // Silent this long: its attempts are lost.
  absl::Duration offer_timeout = absl::Seconds(30);  // An offer not answered is withdrawn.
  absl::Duration timeout_grace =
      absl::Minutes(5);  // On top of a build's timeout, which workers enforce.
  absl::Duration optional_wait =
      absl::Minutes(1);  // Once all required ones are done, optional builds that no worker could
                         // take for this long are given up.
  int cordon_after = 3;  // Jobs that a worker may fail in a row while others succeed.
  absl::Duration keep_keys =
      absl::Minutes(10);  // Idempotency keys of finished jobs stay in memory.
  QueueOptions queue;
  Backoff retry{absl::Seconds(2), absl::Seconds(60), 2.0};
};

// What a store gives back at start: live jobs, and all workers and tag owners.
struct FarmState {
  std::vector<Job> jobs;
  std::vector<Worker> workers;
  absl::flat_hash_map<std::string, TagOwner> tags;
  std::vector<std::pair<BuildKind, History>> estimates;
  int64_t last_generation = 0;
};

// A state machine: events in, effects out. It does nothing itself, reads no clock and draws no
// random numbers. One thread owns it. After each batch of steps the owner makes the named jobs,
// workers and tags durable, then carries out the effects in order, then calls Forget for jobs that
// have become terminal.
class Farm {
 public:
  Farm(FarmOptions options, ListBuilder list_builder, FarmState state, Now now);

  // To be called once before the first Step: takes up what a crash has interrupted.
  void Start(Now now, Effects& effects);
  void Step(const Event& event, Now now, Effects& effects);

  // When the next Tick is due (steady clock); InfiniteFuture when nothing is.
  absl::Time NextDeadline() const;

  const Job* FindJob(const std::string& id) const;
  const Worker* FindWorker(const std::string& id) const { return pool_.Find(id); }
  const TagOwner* FindTag(const std::string& reference) const;
  const Estimates& estimates() const { return estimates_; }
  const absl::btree_map<std::string, Worker>& workers() const { return pool_.all(); }
  const absl::node_hash_map<std::string, Job>& jobs() const { return jobs_; }

  // Drops a terminal job from memory, once it is durable. Others stay.
  void Forget(const std::string& job_id);

 private:
  struct Place {  // Where an attempt is.
    Job* job = nullptr;
    size_t build = 0;
    size_t attempt = 0;
    Build& build_ref() const { return job->builds[build]; }
    Attempt& ref() const { return job->builds[build].attempts[attempt]; }
  };
  struct KnownKey {
    std::string job_id;
    std::string request_hash;
  };
  struct WorkerTimer {
    std::string worker;
  };
  struct AttemptTimer {
    std::string attempt;
  };
  struct BuildTimer {
    std::string job;
    size_t build = 0;
  };
  struct KeyTimer {
    std::string key;
  };
  struct ReconsiderTimer {};
  using Timer = std::variant<WorkerTimer, AttemptTimer, BuildTimer, KeyTimer, ReconsiderTimer>;
  struct Slot {  // Of an attempt that holds one.
    std::string project;
    BuildKey build;
    double predicted = 0;
    absl::Time since;  // Steady.
  };

  // farm_jobs.cc
  void On(const Submit& event);
  void On(const Cancel& event);
  void Advance(Job& job);
  void StopWaitingBuilds(Job& job);
  void FinishJob(Job& job, JobState state);
  void HurryOptionalBuilds(const Job& job);
  absl::Duration PatienceFor(const Job& job, const Build& build) const;

  // farm_reuse.cc
  void StartReuse(const Job& job, const Build& build, const Image& image);
  bool TakeReused(const ImageChecked& event);

  // farm_explain.cc
  void On(const Explain& event);

  // farm_forecast.cc
  struct Span {  // Steady.
    absl::Time start = absl::InfiniteFuture();
    absl::Time finish = absl::InfiniteFuture();
    std::string worker;  // By name, where it can be told.
    bool start_guessed = false;
    bool time_guessed = false;
  };
  void Forecast(const Job& job, size_t build, BuildExplanation& to);
  Span ForecastWaiting(const Job& job, size_t build);
  absl::Time RoomFor(const std::string& project) const;
  Span ForecastRunning(const Build& build) const;

  // farm_publish.cc
  void On(const ImageChecked& event);
  void On(const AnchorFinished& event);
  void On(const PublishProgressed& event);
  void On(const PublishFinished& event);
  void WinBuild(const Place& place, const ImageChecked& event);
  void TakeImage(Job& job, size_t build, const ImageChecked& event, const std::string& winner,
                 const std::string& to_others);
  void StartAnchor(Job& job, Build& build);
  std::vector<TagRef> AnchorRefs(const Job& job, const Build& build) const;
  void TryPublish(Job& job);
  void StartPublish(const Job& job);
  bool IsNewest(const Job& job, const TagRef& ref) const;
  void ReleaseWriters(const Job& job);

  // farm_attempts.cc
  void On(const OfferAnswered& event);
  void On(const AttemptProgressed& event);
  void On(const AttemptFinished& event);
  void Offer(const Decision& decision);
  void TakeResult(const FinishedAttempt& finished);
  static bool RunsNatively(const Build& build);
  void FailAttempt(const Place& place, const Failure& failure);
  void LoseAttempt(const Place& place, std::string why, bool counts);
  void AfterSetback(const Place& place, const Failure& last, absl::Duration pause);
  void Revive(const Place& place, Phase phase);
  void EndBuild(Job& job, size_t build, BuildState state, const std::string& reason);
  void Abandon(const Attempt& attempt, const std::string& reason);
  bool Learn(const Place& place);
  void Vacate(const std::string& worker_id, const std::string& attempt_id);
  absl::Time DeadlineOf(const Job& job) const;

  // farm_workers.cc
  void On(const WorkerHello& event);
  void On(const WorkerHeard& event);
  void On(const WorkerGone& event);
  void On(const WorkerReadiness& event);
  void On(const WorkerDrains& event);
  void On(const SetAdmission& event);
  Worker* FindByIdOrName(const std::string& text);
  void Admit(Worker& worker, Admission admission, const std::string& reason);
  void NoteSuccess(const std::string& worker_id);
  void NoteFailure(const std::string& worker_id, const std::string& job_id, const std::string& why);
  void NoteLoss(Worker& worker);
  void Grade(Worker& worker);
  bool AdmitSession(const WorkerHello& event);
  std::vector<std::pair<std::string, Verdict>> Reconcile(Worker& worker, const WorkerHello& event);
  Worker* Heard(uint64_t session);
  void CheckWorker(Worker& worker);
  void LoseWorker(Worker& worker);
  uint64_t SessionOf(const std::string& worker_id) const;

  // farm_hedging.cc
  void NoteEmulated(const Place& place);
  void HedgeAll();
  bool Hedge(const std::string& attempt_id);
  void WaitBeside(const BuildKey& key, absl::Time emulated_until);
  std::string WaitsForBeside(const Job& job, size_t build);

  // farm_placement.cc
  void Enqueue(Job& job, size_t build, absl::Time not_before);
  Lane& PutInLane(const Job& job, size_t build, const Need& need);
  void RequeueLike(const BuildKind& kind);
  void Dequeue(const Job& job, size_t build);
  void Dispatch(Lane& lane, const BuildKey& fresh);
  void Dispatch(const WorkerClass& of);
  void DispatchAll();
  void Occupy(Worker& worker, const Job& job, size_t build, Attempt& attempt);
  void Release(const std::string& attempt_id);
  static BuildKind KindOf(const Job& job, size_t build);
  int64_t EmulatorCrashes(const Job& job, size_t build) const;
  std::string CrashNote(const Job& job, size_t build, const Need& need) const;
  std::string WhyItWaits(const Job& job, size_t build, const Need& need, bool servable,
                         const std::string& of_lane) const;
  Need NeedOf(const Job& job, size_t build) const;
  WaitingBuild EntryOf(const Job& job, size_t build, const Lane& lane) const;
  void WorkerChanged(bool tell = false);
  void TellLane(const Need& need, Lane& lane, bool only_reason);
  absl::btree_set<std::string> WorkersTried(const Build& build) const;

  // farm.cc
  void On(const Tick&);
  void Fire(const WorkerTimer& timer);
  void Fire(const AttemptTimer& timer);
  void Fire(const BuildTimer& timer);
  void Fire(const KeyTimer& timer);
  void Fire(const ReconsiderTimer& timer);
  void ReconsiderLater();
  std::optional<Place> FindAttempt(const std::string& attempt_id);
  void Changed(Job& job);
  void Progressed(Job& job);
  void Reindex(const Worker& worker);
  void At(absl::Time steady, Timer timer);
  template <typename E>
  void Emit(E effect) {
    effects_->out.emplace_back(std::move(effect));
  }

  const FarmOptions options_;
  const ListBuilder list_builder_;

  // Valid during Start and Step only.
  Now now_;
  Effects* effects_ = nullptr;

  absl::node_hash_map<std::string, Job> jobs_;
  absl::flat_hash_map<std::string, Place> attempts_;
  absl::flat_hash_map<std::string, KnownKey> keys_;
  absl::flat_hash_map<std::string, TagOwner> tags_;
  absl::flat_hash_map<std::string, std::string> writers_;  // Tag → the job that writes it now.
  absl::btree_map<int64_t, std::string> ready_;            // Jobs that wait for another to write.
  absl::flat_hash_map<uint64_t, std::string> sessions_;    // Session → worker id.
  WorkerPool pool_;
  Estimates estimates_;
  WaitingQueue queue_{options_.queue};
  Policy policy_{&queue_, &pool_, &estimates_};
  absl::flat_hash_map<std::string, Slot> slots_;  // By attempt.
  // Attempts of hedged jobs that run under emulation and, for want of any native worker, wait for
  // none; after a restart all that run so.
  std::set<std::string> alone_;
  bool reconsidering_ = false;  // A timer for it is set.
  std::multimap<absl::Time, Timer> timers_;
  int64_t last_generation_ = 0;
  int64_t successes_ = 0;  // Attempts that have won, since the start.
};

}  // namespace manyarch::controller::core
