// The running worker: one loop that feeds its core and does what the core says.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"
#include "worker/build/attempt_runner.h"
#include "worker/core/worker.h"
#include "worker/link/link.h"
#include "worker/slots.h"
#include "worker/state_dir.h"

namespace manyarch::worker {

// Joins core, link, slots and state directory. Run is called once, by the thread that becomes the
// loop; Drain and HandBack come from any thread, before or while it runs. Deleting an agent that
// has not exited stops its attempts and tells nobody, as a crash would.
class Agent {
 public:
  struct Options {
    std::string controller;             // host:port
    v1::WorkerDescription description;  // The id is filled in from the state directory.
    core::Config config;
    int64_t log_spool_limit = link::LogSpool::kDefaultLimit;
  };

  // `state` and `runner` must outlive the agent.
  Agent(Options options, StateDir* state, AttemptRunner* runner);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Cleans up after an earlier worker, then serves until drained or handed back.
  absl::Status Run();
  // Finish what runs, take nothing new, end.
  void Drain() { Post(core::DrainRequested{}); }
  // Stop what runs, give it back, end.
  void HandBack() { Post(core::HandBackRequested{}); }
  // Why nothing new is to be taken for now; empty: it is again.
  void SetNotReady(std::string why) { Post(core::ReadinessChanged{std::move(why)}); }
  // The worker offers something else from now on. Its id stays; what runs goes on.
  void SetDescription(v1::WorkerDescription description);

 private:
  void Post(core::Event event);
  std::deque<core::Event> TakeEvents(absl::Time deadline);
  void TakeDescription();
  void Handle(const core::Event& event);
  // Log lines for people.
  void Narrate(const core::Event& event);
  void NarrateResult(const core::FinishedAttempt& finished);

  // What the link does not do by itself.
  void Do(const core::DropConnection& e);
  void Do(const core::SendOfferAnswer& e);
  void Do(const core::StartAttempt& e);
  void Do(const core::StopAttempt& e);
  void Do(const core::KeepResult& e);
  void Do(const core::ForgetAttempt& e);
  void Do(const core::Exit& e);
  template <typename E>
  void Do(const E& e) {
    link_->Do(e);
  }

  absl::Status Start(const core::StartAttempt& e);

  Options options_;
  StateDir* const state_;
  AttemptRunner* const runner_;
  absl::Mutex mutex_;
  absl::CondVar arrived_;
  std::deque<core::Event> inbox_ ABSL_GUARDED_BY(mutex_);
  v1::WorkerDescription next_description_ ABSL_GUARDED_BY(mutex_);

  // The loop's alone.
  std::unique_ptr<core::Worker> core_;
  bool exit_ = false;
  std::string
      told_reason_;  // Why there is no session, as last logged; empty: in session or untold.

  std::unique_ptr<link::Link> link_;
  std::unique_ptr<Slots> slots_;  // Goes first: its threads use the link.
};

}  // namespace manyarch::worker
