#include "controller/engine.h"

namespace manyarch::controller {

Engine::Engine(core::FarmOptions options, core::ListBuilder list_builder, EnginePorts* ports)
    : options_(options), list_builder_(std::move(list_builder)), ports_(ports) {}

absl::Status Engine::Recover() {
  farm_.reset();
  absl::StatusOr<core::FarmState> state = ports_->Load();
  if (!state.ok()) return state.status();
  const core::Now now = ports_->now();
  farm_ = std::make_unique<core::Farm>(options_, list_builder_, *std::move(state), now);
  core::Effects effects;
  farm_->Start(now, effects);
  for (const auto& [id, job] : farm_->jobs()) effects.progress.insert(id);
  for (const auto& [id, worker] : farm_->workers()) effects.workers_shown.insert(id);
  if (effects.NeedsCommit()) {
    if (absl::Status status = ports_->Commit(*farm_, effects); !status.ok()) return status;
  }
  Settle(effects);
  return absl::OkStatus();
}

absl::Status Engine::Turn(const std::vector<core::Event>& batch) {
  core::Effects effects;
  const core::Now now = ports_->now();
  for (const core::Event& event : batch) farm_->Step(event, now, effects);
  if (farm_->NextDeadline() <= now.steady) farm_->Step(core::Tick{}, now, effects);
  if (effects.NeedsCommit()) {
    if (absl::Status status = ports_->Commit(*farm_, effects); !status.ok()) {
      Refuse(batch, status);
      ports_->StartOver(status);
      return status;
    }
  }
  Settle(effects);
  return absl::OkStatus();
}

// Shows and carries out what is durable now.
void Engine::Settle(const core::Effects& effects) {
  ports_->Show(*farm_, effects);
  for (const core::Effect& effect : effects.out) ports_->CarryOut(effect);
  ports_->Flush();
  for (const std::string& id : effects.jobs) farm_->Forget(id);
}

absl::Time Engine::NextDeadline() const { return farm_->NextDeadline(); }

void Engine::Refuse(const std::vector<core::Event>& events, const absl::Status& why) {
  for (const core::Event& event : events) {
    if (const auto* submit = std::get_if<core::Submit>(&event)) {
      ports_->CarryOut(core::Answer{submit->call, why, ""});
    } else if (const auto* admission = std::get_if<core::SetAdmission>(&event)) {
      ports_->CarryOut(core::Answer{admission->call, why, ""});
    } else if (const auto* explain = std::get_if<core::Explain>(&event)) {
      ports_->CarryOut(core::Explained{explain->call, why, {}});
    } else if (const auto* cancel = std::get_if<core::Cancel>(&event)) {
      ports_->CarryOut(core::Answer{cancel->call, why, cancel->job_id});
    }
  }
}

}  // namespace manyarch::controller
