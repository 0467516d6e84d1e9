// What a worker's core is told. Plain data; time comes beside it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace manyarch::worker::core {

// Names one connection to the controller; given out by the core in Dial, rising. What still arrives
// from an earlier connection is ignored.
using ConnectionId = int64_t;

// How far a running attempt is.
enum class Phase { kAccepted, kFetching, kBuilding, kPushing };

// A result that the controller may not know yet. `result` is opaque here; empty means that the
// attempt was stopped and that nothing of it is left.
struct FinishedAttempt {
  std::string attempt_id;
  std::string result;
  int64_t log_size = 0;

  friend bool operator==(const FinishedAttempt&, const FinishedAttempt&) = default;
};

enum class Verdict { kGoOn, kAbandon, kAcknowledged };

struct AttemptVerdict {
  std::string attempt_id;
  Verdict verdict = Verdict::kGoOn;
  int64_t log_offset = 0;  // The controller has this much of the log.
};

// --- From the link -------------------------------------------------------------------------------

// The stream is open for writing; nothing was heard yet.
struct Connected {
  ConnectionId connection = 0;
};

struct HelloAnswered {
  ConnectionId connection = 0;
  int64_t epoch = 0;
  absl::Duration heartbeat_interval;
  std::vector<AttemptVerdict> verdicts;
};

struct Offered {
  ConnectionId connection = 0;
  std::string attempt_id;
  std::string order;  // What to do, opaque here.
  // "PLATFORM" or "PLATFORM REPOSITORY". Attempts with equal affinity share caches, and those of
  // one platform share base images: they go to the same slot if they can.
  std::string affinity;
};

struct Abandoned {
  ConnectionId connection = 0;
  std::string attempt_id;
  std::string reason;
};

struct Acknowledged {
  ConnectionId connection = 0;
  std::string attempt_id;
};

struct HeartbeatAnswered {
  ConnectionId connection = 0;
  int64_t sequence = 0;
};

struct LogAcked {
  ConnectionId connection = 0;
  std::string attempt_id;
  int64_t offset = 0;
  bool again = false;  // What came after `offset` was not taken: it is wanted once more.
};

// The stream has ended, or could not be opened.
struct Disconnected {
  ConnectionId connection = 0;
  std::string reason;
  bool refused = false;  // The controller said no (version, worker id): dial again, but unhurried.
};

// --- From the attempts that run here -------------------------------------------------------------

struct AttemptStateChanged {
  std::string attempt_id;
  Phase phase = Phase::kAccepted;
};

// Exactly once for each StartAttempt, when nothing of the attempt runs any more.
struct AttemptFinished {
  FinishedAttempt finished;
};

// --- From the operator and the clock -------------------------------------------------------------

// Finish what runs, take nothing new, exit when all is reported.
struct DrainRequested {};
// Stop what runs, give it back, exit.
struct HandBackRequested {};
// Why nothing new can be taken for now, as long as that is so; empty: all is well.
struct ReadinessChanged {
  std::string not_ready;
};
// What the worker says of itself in its Hello is different now: it says Hello anew.
struct DescriptionChanged {};
// Due at Worker::NextDeadline(); harmless at any other time.
struct Tick {};

using Event =
    std::variant<Connected, HelloAnswered, Offered, Abandoned, Acknowledged, HeartbeatAnswered,
                 LogAcked, Disconnected, AttemptStateChanged, AttemptFinished, DrainRequested,
                 HandBackRequested, ReadinessChanged, DescriptionChanged, Tick>;

}  // namespace manyarch::worker::core
