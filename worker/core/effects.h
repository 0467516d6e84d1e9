// What a worker's core wants done. The driver carries the effects of a step out in order; those
// that say "durably" are durable before the next effect starts.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "worker/core/events.h"

namespace manyarch::worker::core {

// --- For the link --------------------------------------------------------------------------------

// Open a stream; answer with Connected or Disconnected.
struct Dial {
  ConnectionId connection = 0;
};

// Close it, and the transport under it. Events from it are ignored from now on.
struct DropConnection {
  ConnectionId connection = 0;
  std::string reason;
};

struct RunningAttempt {
  std::string attempt_id;
  Phase phase = Phase::kAccepted;

  friend bool operator==(const RunningAttempt&, const RunningAttempt&) = default;
};

// First on every connection: all that runs here, and all results not known to be acknowledged.
struct SendHello {
  ConnectionId connection = 0;
  std::vector<RunningAttempt> running;
  std::vector<FinishedAttempt> finished;
  bool draining = false;
  std::string not_ready;  // Why nothing new is taken for now; empty where it is.
};

struct SendHeartbeat {
  ConnectionId connection = 0;
  int64_t sequence = 0;
};

struct SendOfferAnswer {
  ConnectionId connection = 0;
  std::string attempt_id;
  bool accepted = false;
  std::string reason;  // When refused.
};

struct SendProgress {
  ConnectionId connection = 0;
  std::string attempt_id;
  Phase phase = Phase::kAccepted;
};

// Comes on the wire after the attempt's whole log.
struct SendFinished {
  ConnectionId connection = 0;
  FinishedAttempt finished;
};

struct SendDrain {
  ConnectionId connection = 0;
  std::vector<std::string> hand_back;
};

struct SendReadiness {
  ConnectionId connection = 0;
  std::string not_ready;
};

// Send the attempt's log on this connection, from `offset` on.
struct ResumeLog {
  ConnectionId connection = 0;
  std::string attempt_id;
  int64_t offset = 0;
};

// The controller has the log up to `offset`: the bytes before it may be dropped.
struct AckLog {
  ConnectionId connection = 0;
  std::string attempt_id;
  int64_t offset = 0;
  bool again = false;  // Send from there once more.
};

// --- For the attempts ----------------------------------------------------------------------------

// Write the order down durably, then run it in `slot`; answer with AttemptFinished.
struct StartAttempt {
  std::string attempt_id;
  int slot = 0;
  std::string order;
};

// Kill what runs and clean up; AttemptFinished follows in any case, with an empty result unless the
// attempt was over already.
struct StopAttempt {
  std::string attempt_id;
  std::string reason;
};

// Write the result down durably, so that it is reported after a restart too.
struct KeepResult {
  FinishedAttempt finished;
};

// Delete all that is left of it: directory, result, log.
struct ForgetAttempt {
  std::string attempt_id;
};

// Say what waits in the outbox, close, and end the process with success. The last effect ever.
struct Exit {};

using Effect = std::variant<Dial, DropConnection, SendHello, SendHeartbeat, SendOfferAnswer,
                            SendProgress, SendFinished, SendDrain, SendReadiness, ResumeLog, AckLog,
                            StartAttempt, StopAttempt, KeepResult, ForgetAttempt, Exit>;
using Effects = std::vector<Effect>;

}  // namespace manyarch::worker::core
