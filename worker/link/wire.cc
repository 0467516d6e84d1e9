#include "worker/link/wire.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace manyarch::worker::link {

namespace {
constexpr int kProtocolVersion = 1;

core::Verdict FromWire(v1::AttemptVerdict::Verdict verdict) {
  switch (verdict) {
    case v1::AttemptVerdict::VERDICT_ABANDON:
      return core::Verdict::kAbandon;
    case v1::AttemptVerdict::VERDICT_ACKNOWLEDGED:
      return core::Verdict::kAcknowledged;
    default:
      return core::Verdict::kGoOn;
  }
}

absl::Duration FromWire(const google::protobuf::Duration& d) {
  return absl::Seconds(d.seconds()) + absl::Nanoseconds(d.nanos());
}
}  // namespace

core::FinishedAttempt FromWire(const v1::Finished& finished) {
  return {finished.attempt_id(), finished.has_cancelled() ? "" : finished.SerializeAsString(),
          finished.log_size()};
}

v1::Finished ToWire(const core::FinishedAttempt& finished) {
  v1::Finished out;
  if (finished.result.empty() || !out.ParseFromString(finished.result)) out.mutable_cancelled();
  out.set_attempt_id(finished.attempt_id);
  out.set_log_size(finished.log_size);
  return out;
}

core::Phase PhaseFromWire(v1::AttemptState state) {
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

v1::AttemptState ToWire(core::Phase phase) {
  switch (phase) {
    case core::Phase::kAccepted:
      return v1::ATTEMPT_STATE_ACCEPTED;
    case core::Phase::kFetching:
      return v1::ATTEMPT_STATE_FETCHING;
    case core::Phase::kBuilding:
      return v1::ATTEMPT_STATE_BUILDING;
    case core::Phase::kPushing:
      return v1::ATTEMPT_STATE_PUSHING;
  }
  return v1::ATTEMPT_STATE_UNSPECIFIED;
}

v1::WorkerMessage ToWire(const core::SendHello& e, const Identity& identity) {
  v1::WorkerMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_protocol_version(kProtocolVersion);
  *hello.mutable_worker() = identity.worker;
  hello.set_incarnation(identity.incarnation);
  for (const core::RunningAttempt& r : e.running) {
    v1::RunningAttempt& out = *hello.add_running();
    out.set_attempt_id(r.attempt_id);
    out.set_state(ToWire(r.phase));
  }
  for (const core::FinishedAttempt& f : e.finished) *hello.add_finished() = ToWire(f);
  hello.set_draining(e.draining);
  hello.set_not_ready(e.not_ready);
  return message;
}

v1::WorkerMessage ToWire(const core::SendHeartbeat& e) {
  v1::WorkerMessage message;
  message.mutable_heartbeat()->set_sequence(e.sequence);
  return message;
}

v1::WorkerMessage ToWire(const core::SendOfferAnswer& e) {
  v1::WorkerMessage message;
  v1::OfferAnswer& answer = *message.mutable_offer_answer();
  answer.set_attempt_id(e.attempt_id);
  answer.set_accepted(e.accepted);
  answer.set_reason(e.reason);
  return message;
}

v1::WorkerMessage ToWire(const core::SendProgress& e) {
  v1::WorkerMessage message;
  message.mutable_progress()->set_attempt_id(e.attempt_id);
  message.mutable_progress()->set_state(ToWire(e.phase));
  return message;
}

v1::WorkerMessage ToWire(const core::SendDrain& e) {
  v1::WorkerMessage message;
  v1::Drain& drain = *message.mutable_drain();
  for (const std::string& id : e.hand_back) drain.add_hand_back(id);
  return message;
}

v1::WorkerMessage ToWire(const core::SendReadiness& e) {
  v1::WorkerMessage message;
  message.mutable_readiness()->set_not_ready(e.not_ready);
  return message;
}

std::optional<core::Event> FromWire(core::ConnectionId connection,
                                    const v1::ControllerMessage& message) {
  switch (message.kind_case()) {
    case v1::ControllerMessage::kHelloAnswer: {
      const v1::HelloAnswer& answer = message.hello_answer();
      core::HelloAnswered event{
          connection, answer.session_epoch(), FromWire(answer.heartbeat_interval()), {}};
      for (const v1::AttemptVerdict& v : answer.verdicts()) {
        event.verdicts.push_back({v.attempt_id(), FromWire(v.verdict()), v.log_offset()});
      }
      return event;
    }
    case v1::ControllerMessage::kHeartbeatAnswer:
      return core::HeartbeatAnswered{connection, message.heartbeat_answer().sequence()};
    case v1::ControllerMessage::kOffer: {
      const v1::Offer& offer = message.offer();
      const v1::Platform& p = offer.platform();
      return core::Offered{
          connection, offer.attempt_id(), offer.SerializeAsString(),
          absl::StrCat(p.os(), "/", p.arch(), "/", p.variant(), " ", offer.repository())};
    }
    case v1::ControllerMessage::kAbandon:
      return core::Abandoned{connection, message.abandon().attempt_id(),
                             message.abandon().reason()};
    case v1::ControllerMessage::kLogAck:
      return core::LogAcked{connection, message.log_ack().attempt_id(), message.log_ack().offset(),
                            message.log_ack().again()};
    case v1::ControllerMessage::kAcknowledged:
      return core::Acknowledged{connection, message.acknowledged().attempt_id()};
    case v1::ControllerMessage::KIND_NOT_SET:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace manyarch::worker::link
