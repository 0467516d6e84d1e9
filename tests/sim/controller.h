// A controller process: the real engine and core over simulated store, network and registry.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/engine.h"
#include "tests/sim/network.h"
#include "tests/sim/publisher.h"
#include "tests/sim/registry.h"
#include "tests/sim/run_context.h"
#include "tests/sim/store.h"
#include "worker/core/events.h"

namespace manyarch::sim {

// What the worker's end of a stream is told.
using ToWorker = std::variant<worker::core::HelloAnswered, worker::core::Offered,
                              worker::core::Abandoned, worker::core::Acknowledged,
                              worker::core::HeartbeatAnswered, worker::core::Disconnected>;

// One life of the controller. A crash ends it; what it had in flight may still arrive elsewhere.
class SimController : public controller::EnginePorts {
 public:
  SimController(RunContext* run, SimStore* store, SimRegistry* registry, core::FarmOptions options);

  bool alive() const { return alive_; }
  bool ready() const { return alive_ && ready_; }
  const core::Farm& farm() const { return engine_.farm(); }
  void Crash();
  // Another controller takes over the store while this one stands still; it goes on later, until it
  // learns what has happened. (A write to the registry that lands so late is the one gap that no
  // registry lets us close: there are none.)
  void Overtaken(absl::Duration pause);
  void Post(core::Event event);

  // Clients. `answer` is called with the job's id, unless the process dies first.
  void Submit(core::Submit event, std::function<void(absl::Status, std::string)> answer);
  void Cancel(core::Cancel event, std::function<void(absl::Status, std::string)> answer);
  void SetAdmission(core::SetAdmission event);

  // A worker has dialled: its messages come through Receive, `deliver` takes those for it.
  uint64_t Accept(std::shared_ptr<SimStream> stream, std::function<void(ToWorker)> deliver);
  void Receive(uint64_t session, core::Event event);
  void ReceiveHeartbeat(uint64_t session, int64_t sequence);

  // EnginePorts
  core::Now now() override;
  absl::StatusOr<core::FarmState> Load() override;
  absl::Status Commit(const core::Farm& farm, const core::Effects& effects) override;
  void Show(const core::Farm&, const core::Effects&) override {}
  void CarryOut(const core::Effect& effect) override;
  void StartOver(const absl::Status& why) override;

 private:
  struct Session {
    std::shared_ptr<SimStream> stream;
    std::function<void(ToWorker)> deliver;
    absl::Time heard;  // True time.
  };

  void ScheduleTurn();
  void ScheduleTick();
  void Turn();
  void Recover();
  void Tell(uint64_t session, ToWorker message);
  // Whether the attempt may be ended at its worker: nobody waits for it, durably.
  void CheckAbandoned(const std::string& attempt_id);
  void CheckAcknowledged(const std::string& attempt_id);
  bool Standing() const { return run_->scheduler.now() < stands_until_; }

  void On(const core::Answer& e);
  void On(const core::Explained& e);
  void On(const core::SendHelloAnswer& e);
  void On(const core::SendOffer& e);
  void On(const core::SendAbandon& e);
  void On(const core::SendAcknowledged& e);
  void On(const core::CloseSession& e);
  void On(const core::CheckImage& e);
  void On(const core::WriteAnchor& e);
  void On(const core::Publish& e);

  RunContext* const run_;
  SimStore* const store_;
  const int64_t epoch_;
  const absl::Duration steady_offset_;
  absl::Duration wall_skew_;
  absl::Time stands_until_ = absl::InfinitePast();
  std::unique_ptr<SimPublisher> publisher_;
  const absl::Duration lost_after_;
  controller::Engine engine_;
  bool alive_ = true;
  bool ready_ = false;
  bool turn_scheduled_ = false;
  absl::Time tick_at_ = absl::InfiniteFuture();
  std::vector<core::Event> inbox_;
  std::map<uint64_t, Session> sessions_;
  uint64_t last_session_ = 0;
  std::map<core::CallId, std::function<void(absl::Status, std::string)>> calls_;
  core::CallId last_call_ = 0;
};

}  // namespace manyarch::sim
