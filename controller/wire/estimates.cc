// What was learned of durations, as it is stored.
#include "controller/wire/convert.h"
#include "controller/wire/times.h"

namespace manyarch::controller::wire {

namespace {

void ToStored(const core::Learned& learned, v1::StoredMean* stored) {
  stored->set_mean(learned.mean);
  stored->set_variance(learned.variance);
  stored->set_count(learned.count);
}

core::Learned FromStored(const v1::StoredMean& stored) {
  return {stored.mean(), stored.variance(), stored.count()};
}

}  // namespace

v1::StoredEstimate ToStored(const core::BuildKind& kind, const core::History& history) {
  v1::StoredEstimate stored;
  stored.set_repository(kind.repository);
  stored.set_target(kind.target);
  *stored.mutable_platform() = ToProto(kind.platform);
  ToStored(history.native.warm, stored.mutable_native_warm());
  ToStored(history.native.cold, stored.mutable_native_cold());
  ToStored(history.emulated.warm, stored.mutable_emulated_warm());
  ToStored(history.emulated.cold, stored.mutable_emulated_cold());
  stored.set_emulator_crashes(history.emulator_crashes);
  for (const core::WarmWorker& warm : history.warm_workers) {
    v1::StoredWarmWorker& worker = *stored.add_warm_workers();
    worker.set_worker_id(warm.worker);
    *worker.mutable_at() = ToProto(warm.at);
  }
  *stored.mutable_updated_at() = ToProto(history.updated_at);
  return stored;
}

std::pair<core::BuildKind, core::History> FromStored(const v1::StoredEstimate& stored) {
  core::History history;
  history.native = {FromStored(stored.native_warm()), FromStored(stored.native_cold())};
  history.emulated = {FromStored(stored.emulated_warm()), FromStored(stored.emulated_cold())};
  history.emulator_crashes = stored.emulator_crashes();
  for (const v1::StoredWarmWorker& warm : stored.warm_workers()) {
    history.warm_workers.push_back({warm.worker_id(), FromProto(warm.at())});
  }
  history.updated_at = FromProto(stored.updated_at());
  return {core::BuildKind{stored.repository(), stored.target(), FromProto(stored.platform())},
          std::move(history)};
}

}  // namespace manyarch::controller::wire
