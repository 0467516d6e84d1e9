// A worker machine: the real worker core, with attempts that take their time, fail, and push
// images.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/core/types.h"
#include "tests/sim/controller.h"
#include "tests/sim/network.h"
#include "tests/sim/registry.h"
#include "tests/sim/run_context.h"
#include "worker/core/worker.h"

namespace manyarch::sim {

// Survives its processes: the disk does. The function gives the controller that listens now, or
// null.
class SimWorker {
 public:
  SimWorker(RunContext* run, SimRegistry* registry, std::function<SimController*()> controller,
            core::WorkerDescription description);

  // Called when a build is about to kill its worker.
  std::function<void(const std::string& attempt_id)> on_poisoned;

  const std::string& id() const { return description_.id; }
  bool up() const { return process_ != nullptr; }
  void Start();
  // kill -9
  void Kill();
  // SIGTERM; a second one hands back.
  void Drain();
  void HandBack();
  // The stream breaks, and its worker notices.
  void BreakStream();
  // The stream loses all that is and will be under way in one direction or both, and nobody is
  // told.
  void BlackHole(bool to_worker, bool to_controller);
  // The stream alone stands still; what is under way may arrive after its successor's Hello.
  void StallStream(absl::Duration length);
  // Until then nothing passes between the worker and anybody.
  Cut& cut() { return cut_; }
  // The disk is full, or not any more.
  void SetNotReady(const std::string& why);
  // Runs nothing and owes no answer.
  bool Idle() const { return process_ != nullptr && process_->running.empty() && results_.empty(); }

 private:
  // One life of the process.
  struct Process {
    Process(worker::core::Config config, std::vector<worker::core::FinishedAttempt> results,
            uint64_t seed)
        : core(std::move(config), std::move(results), seed) {}
    worker::core::Worker core;
    std::string incarnation;
    std::set<std::string> running;
    bool handed_back = false;  // Then what it ran is nobody's fault.
    std::shared_ptr<SimStream> stream;
    uint64_t session = 0;
    worker::core::ConnectionId connection = 0;
    SimController* peer = nullptr;
    absl::Time tick_at = absl::InfiniteFuture();
  };
  using ProcessPtr = std::shared_ptr<Process>;

  void Step(ProcessPtr process, const worker::core::Event& event);
  void ScheduleTick(const ProcessPtr& process);
  void Dial(const ProcessPtr& process, worker::core::ConnectionId connection);
  void ToController(const ProcessPtr& process, std::function<void(SimController*, uint64_t)> say);
  void End(const ProcessPtr& process, const std::string& attempt_id, const std::string& platform);
  void StartAttempt(const ProcessPtr& process, const std::string& attempt_id,
                    const std::string& order);
  void Finish(const ProcessPtr& process, const std::string& attempt_id, const std::string& result);

  void On(const ProcessPtr& p, const worker::core::Dial& e) { Dial(p, e.connection); }
  void On(const ProcessPtr& p, const worker::core::DropConnection& e);
  void On(const ProcessPtr& p, const worker::core::SendHello& e);
  void On(const ProcessPtr& p, const worker::core::SendHeartbeat& e);
  void On(const ProcessPtr& p, const worker::core::SendOfferAnswer& e);
  void On(const ProcessPtr& p, const worker::core::SendProgress& e);
  void On(const ProcessPtr& p, const worker::core::SendFinished& e);
  void On(const ProcessPtr& p, const worker::core::SendDrain& e);
  void On(const ProcessPtr& p, const worker::core::SendReadiness& e);
  void On(const ProcessPtr&, const worker::core::ResumeLog&) {}
  void On(const ProcessPtr&, const worker::core::AckLog&) {}
  void On(const ProcessPtr& p, const worker::core::StartAttempt& e) {
    StartAttempt(p, e.attempt_id, e.order);
  }
  void On(const ProcessPtr& p, const worker::core::StopAttempt& e);
  void On(const ProcessPtr&, const worker::core::KeepResult& e) {
    results_[e.finished.attempt_id] = e.finished;
  }
  void On(const ProcessPtr&, const worker::core::ForgetAttempt& e) { results_.erase(e.attempt_id); }
  void On(const ProcessPtr& p, const worker::core::Exit&);

  RunContext* const run_;
  SimRegistry* const registry_;
  const std::function<SimController*()> controller_;
  const core::WorkerDescription description_;
  std::map<std::string, worker::core::FinishedAttempt> results_;  // On disk.
  ProcessPtr process_;
  Cut cut_;
  int starts_ = 0;
};

}  // namespace manyarch::sim
