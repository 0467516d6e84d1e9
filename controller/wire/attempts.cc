// Attempts, as jobs tell of them.
#include "controller/wire/convert.h"
#include "controller/wire/match.h"
#include "controller/wire/times.h"

namespace manyarch::controller::wire {

namespace {

void SetState(const core::AttemptState& state, v1::Attempt& proto) {
  std::visit(
      Match{
          [&](const core::AttemptOffered&) { proto.set_state(v1::ATTEMPT_STATE_OFFERED); },
          [&](const core::AttemptRunning& s) {
            static constexpr v1::AttemptState kPhases[] = {
                v1::ATTEMPT_STATE_ACCEPTED, v1::ATTEMPT_STATE_FETCHING, v1::ATTEMPT_STATE_BUILDING,
                v1::ATTEMPT_STATE_PUSHING};
            proto.set_state(kPhases[static_cast<int>(s.phase)]);
          },
          [&](const core::AttemptVerifying& s) {
            proto.set_state(v1::ATTEMPT_STATE_VERIFYING);
            *proto.mutable_image() = ToProto(s.image);
            for (const std::string& warning : s.warnings) proto.add_warnings(warning);
          },
          [&](const core::AttemptSucceeded& s) {
            proto.set_state(v1::ATTEMPT_STATE_SUCCEEDED);
            *proto.mutable_image() = ToProto(s.image);
          },
          [&](const core::AttemptFailed& s) {
            proto.set_state(v1::ATTEMPT_STATE_FAILED);
            *proto.mutable_failure() = ToProto(s.failure);
          },
          [&](const core::AttemptLost& s) {
            proto.set_state(v1::ATTEMPT_STATE_LOST);
            *proto.mutable_failure() = ToProto(s.failure);
          },
          [&](const core::AttemptCancelled&) { proto.set_state(v1::ATTEMPT_STATE_CANCELLED); },
      },
      state);
}

core::AttemptState StateFromProto(const v1::Attempt& proto) {
  switch (proto.state()) {
    case v1::ATTEMPT_STATE_ACCEPTED:
    case v1::ATTEMPT_STATE_FETCHING:
    case v1::ATTEMPT_STATE_BUILDING:
    case v1::ATTEMPT_STATE_PUSHING:
      return core::AttemptRunning{PhaseFromProto(proto.state())};
    case v1::ATTEMPT_STATE_VERIFYING:
      return core::AttemptVerifying{FromProto(proto.image()),
                                    {proto.warnings().begin(), proto.warnings().end()}};
    case v1::ATTEMPT_STATE_SUCCEEDED:
      return core::AttemptSucceeded{FromProto(proto.image())};
    case v1::ATTEMPT_STATE_FAILED:
      return core::AttemptFailed{FromProto(proto.failure())};
    case v1::ATTEMPT_STATE_LOST:
      return core::AttemptLost{FromProto(proto.failure())};
    case v1::ATTEMPT_STATE_CANCELLED:
      return core::AttemptCancelled{};
    default:
      return core::AttemptOffered{};
  }
}

}  // namespace

v1::Attempt ToProto(const core::Attempt& attempt) {
  v1::Attempt proto;
  proto.set_id(attempt.id);
  proto.set_number(attempt.number);
  proto.set_worker_id(attempt.worker);
  proto.set_worker_name(attempt.worker_name);
  proto.set_emulated(attempt.emulated);
  SetState(attempt.state, proto);
  *proto.mutable_offered_at() = ToProto(attempt.offered_at);
  const auto set = [](absl::Time time, auto mutable_field) {
    if (time != absl::InfinitePast()) *mutable_field() = ToProto(time);
  };
  set(attempt.accepted_at, [&] { return proto.mutable_accepted_at(); });
  set(attempt.building_at, [&] { return proto.mutable_building_at(); });
  set(attempt.pushing_at, [&] { return proto.mutable_pushing_at(); });
  set(attempt.pushed_at, [&] { return proto.mutable_pushed_at(); });
  set(attempt.finished_at, [&] { return proto.mutable_finished_at(); });
  proto.set_log_size(attempt.log_size);
  proto.set_counts(attempt.counts);
  return proto;
}

core::Attempt FromProto(const v1::Attempt& proto) {
  core::Attempt attempt;
  attempt.id = proto.id();
  attempt.number = proto.number();
  attempt.worker = proto.worker_id();
  attempt.worker_name = proto.worker_name();
  attempt.emulated = proto.emulated();
  attempt.state = StateFromProto(proto);
  attempt.offered_at = FromProto(proto.offered_at());
  if (proto.has_accepted_at()) attempt.accepted_at = FromProto(proto.accepted_at());
  if (proto.has_building_at()) attempt.building_at = FromProto(proto.building_at());
  if (proto.has_pushing_at()) attempt.pushing_at = FromProto(proto.pushing_at());
  if (proto.has_pushed_at()) attempt.pushed_at = FromProto(proto.pushed_at());
  if (proto.has_finished_at()) attempt.finished_at = FromProto(proto.finished_at());
  attempt.log_size = proto.log_size();
  attempt.counts = proto.counts();
  return attempt;
}

}  // namespace manyarch::controller::wire
