// Workers: as they describe themselves, as the core sees them, as they are stored and listed.
#include "controller/wire/convert.h"
#include "controller/wire/times.h"

namespace manyarch::controller::wire {

namespace {

v1::WorkerAdmission AdmissionToProto(core::Admission admission) {
  switch (admission) {
    case core::Admission::kSchedulable:
      return v1::WORKER_ADMISSION_SCHEDULABLE;
    case core::Admission::kCordoned:
      return v1::WORKER_ADMISSION_CORDONED;
    case core::Admission::kDraining:
      return v1::WORKER_ADMISSION_DRAINING;
  }
  return v1::WORKER_ADMISSION_UNSPECIFIED;
}

core::Admission AdmissionFromProto(v1::WorkerAdmission admission) {
  switch (admission) {
    case v1::WORKER_ADMISSION_CORDONED:
      return core::Admission::kCordoned;
    case v1::WORKER_ADMISSION_DRAINING:
      return core::Admission::kDraining;
    default:
      return core::Admission::kSchedulable;
  }
}

}  // namespace

core::Admission FromProto(v1::WorkerAdmission admission) { return AdmissionFromProto(admission); }

core::WorkerDescription FromProto(const v1::WorkerDescription& description) {
  core::WorkerDescription value;
  value.id = description.id();
  value.name = description.name();
  for (const v1::OfferedPlatform& offered : description.platforms()) {
    value.platforms.push_back({FromProto(offered.platform()), offered.emulated()});
  }
  for (const v1::RefusedPlatform& refused : description.refused()) {
    value.refused.push_back({FromProto(refused.platform()), refused.reason()});
  }
  value.slots = description.slots();
  for (const auto& [name, label] : description.labels()) value.labels[name] = label;
  value.details = description.SerializeAsString();
  return value;
}

v1::Worker ToProto(const core::Worker& worker) {
  v1::Worker proto;
  proto.mutable_description()->ParseFromString(worker.description.details);
  if (std::holds_alternative<core::WorkerConnected>(worker.state)) {
    proto.set_state(v1::WORKER_STATE_CONNECTED);
  } else if (std::holds_alternative<core::WorkerSuspect>(worker.state)) {
    proto.set_state(v1::WORKER_STATE_SUSPECT);
  } else {
    proto.set_state(v1::WORKER_STATE_LOST);
  }
  // One that stops by itself is shown as draining, whatever else was decided.
  proto.set_admission(worker.stopping ? v1::WORKER_ADMISSION_DRAINING
                                      : AdmissionToProto(worker.admission));
  if (worker.stopping) {
    proto.set_admission_reason("the worker is stopping");
  } else if (worker.admission == core::Admission::kSchedulable && !worker.not_ready.empty()) {
    proto.set_admission_reason("takes nothing new for now: " + worker.not_ready);
  } else {
    proto.set_admission_reason(worker.admission_reason);
  }
  for (const std::string& attempt : worker.occupied) proto.add_running(attempt);
  *proto.mutable_last_seen_at() = ToProto(worker.last_seen_at);
  return proto;
}

v1::StoredWorker ToStored(const core::Worker& worker) {
  v1::StoredWorker stored;
  stored.mutable_description()->ParseFromString(worker.description.details);
  stored.set_epoch(worker.epoch);
  stored.set_admission(AdmissionToProto(worker.admission));
  stored.set_admission_reason(worker.admission_reason);
  if (worker.known_since != absl::InfinitePast()) {
    *stored.mutable_known_since() = ToProto(worker.known_since);
  }
  for (const absl::Time at : worker.lost_at) *stored.add_lost_at() = ToProto(at);
  return stored;
}

core::Worker FromStored(const v1::StoredWorker& stored) {
  core::Worker worker;
  worker.description = FromProto(stored.description());
  worker.epoch = stored.epoch();
  worker.admission = AdmissionFromProto(stored.admission());
  worker.admission_reason = stored.admission_reason();
  if (stored.has_known_since()) worker.known_since = FromProto(stored.known_since());
  for (const auto& at : stored.lost_at()) worker.lost_at.push_back(FromProto(at));
  return worker;
}

}  // namespace manyarch::controller::wire
