// The small values: platforms, failures, images, and what a worker's session says of attempts.
#include "controller/wire/convert.h"

namespace manyarch::controller::wire {

v1::Platform ToProto(const Platform& platform) {
  v1::Platform proto;
  proto.set_os(platform.os);
  proto.set_arch(platform.arch);
  proto.set_variant(platform.variant);
  return proto;
}

Platform FromProto(const v1::Platform& platform) {
  return NormalPlatform(platform.os(), platform.arch(), platform.variant());
}

namespace {

v1::FailureClass ClassToProto(core::FailureClass cls) {
  switch (cls) {
    case core::FailureClass::kUser:
      return v1::FAILURE_CLASS_USER;
    case core::FailureClass::kInfrastructure:
      return v1::FAILURE_CLASS_INFRASTRUCTURE;
    case core::FailureClass::kLost:
      return v1::FAILURE_CLASS_LOST;
    case core::FailureClass::kTimeout:
      return v1::FAILURE_CLASS_TIMEOUT;
    case core::FailureClass::kUnschedulable:
      return v1::FAILURE_CLASS_UNSCHEDULABLE;
  }
  return v1::FAILURE_CLASS_UNSPECIFIED;
}

core::FailureClass ClassFromProto(v1::FailureClass cls) {
  switch (cls) {
    case v1::FAILURE_CLASS_USER:
      return core::FailureClass::kUser;
    case v1::FAILURE_CLASS_LOST:
      return core::FailureClass::kLost;
    case v1::FAILURE_CLASS_TIMEOUT:
      return core::FailureClass::kTimeout;
    case v1::FAILURE_CLASS_UNSCHEDULABLE:
      return core::FailureClass::kUnschedulable;
    default:  // Retrying is the safe answer to a class this version does not know.
      return core::FailureClass::kInfrastructure;
  }
}

}  // namespace

v1::Failure ToProto(const core::Failure& failure) {
  v1::Failure proto;
  proto.set_class_(ClassToProto(failure.cls));
  proto.set_message(failure.message);
  proto.set_exit_code(failure.exit_code);
  proto.set_step(failure.step);
  for (const std::string& line : failure.last_lines) proto.add_last_lines(line);
  proto.set_emulator_crash(failure.emulator_crash);
  return proto;
}

core::Failure FromProto(const v1::Failure& failure) {
  core::Failure value;
  value.cls = ClassFromProto(failure.class_());
  value.message = failure.message();
  value.exit_code = failure.exit_code();
  value.step = failure.step();
  value.last_lines.assign(failure.last_lines().begin(), failure.last_lines().end());
  value.emulator_crash = failure.emulator_crash();
  return value;
}

v1::Image ToProto(const core::Image& image) {
  v1::Image proto;
  proto.set_repository(image.repository);
  proto.set_digest(image.digest);
  proto.set_size(image.size);
  proto.set_media_type(image.media_type);
  return proto;
}

core::Image FromProto(const v1::Image& image) {
  return {image.repository(), image.digest(), image.size(), image.media_type()};
}

v1::BinaryCheck ToProto(core::BinaryCheck check) {
  static constexpr v1::BinaryCheck kChecks[] = {v1::BINARY_CHECK_WARN, v1::BINARY_CHECK_STRICT,
                                                v1::BINARY_CHECK_OFF};
  return kChecks[static_cast<int>(check)];
}

core::BinaryCheck BinaryCheckFromProto(v1::BinaryCheck check) {
  if (check == v1::BINARY_CHECK_STRICT) return core::BinaryCheck::kStrict;
  if (check == v1::BINARY_CHECK_OFF) return core::BinaryCheck::kOff;
  return core::BinaryCheck::kWarn;
}

core::Phase PhaseFromProto(v1::AttemptState state) {
  switch (state) {
    case v1::ATTEMPT_STATE_FETCHING:
      return core::Phase::kFetching;
    case v1::ATTEMPT_STATE_BUILDING:
      return core::Phase::kBuilding;
    case v1::ATTEMPT_STATE_PUSHING:
      return core::Phase::kPushing;
    default:
      return core::Phase::kAccepted;
  }
}

core::FinishedAttempt FromProto(const v1::Finished& finished) {
  core::FinishedAttempt value;
  value.attempt_id = finished.attempt_id();
  value.log_size = finished.log_size();
  value.warnings.assign(finished.warnings().begin(), finished.warnings().end());
  if (finished.has_image()) {
    value.result = FromProto(finished.image());
  } else if (finished.has_failure()) {
    value.result = FromProto(finished.failure());
  } else {
    value.result = core::AttemptCancelled{};
  }
  return value;
}

core::WorkerHello FromProto(const v1::Hello& hello, uint64_t session) {
  core::WorkerHello value;
  value.session = session;
  value.description = FromProto(hello.worker());
  value.incarnation = hello.incarnation();
  for (const v1::RunningAttempt& running : hello.running()) {
    value.running.push_back({running.attempt_id(), PhaseFromProto(running.state())});
  }
  for (const v1::Finished& finished : hello.finished()) {
    value.finished.push_back(FromProto(finished));
  }
  value.draining = hello.draining();
  value.not_ready = hello.not_ready();
  return value;
}

}  // namespace manyarch::controller::wire
