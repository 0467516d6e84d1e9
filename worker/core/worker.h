// The worker's state machine: its connection, its slots and attempts, and how it stops.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "worker/core/effects.h"
#include "worker/core/events.h"

namespace manyarch::worker::core {

struct Config {
  int slots = 1;
  // A connection on which nothing was heard for this long (or for three heartbeat intervals, if
  // that is longer) is dropped and dialled again.
  absl::Duration silence_limit = absl::Seconds(20);
  // Cut off for this long, the worker stops what it runs.
  absl::Duration max_offline = absl::Hours(2);
  // A drain that takes longer becomes a hand-back.
  absl::Duration drain_timeout = absl::Hours(6);
  Backoff redial = {absl::Milliseconds(200), absl::Seconds(2), 2.0};
  absl::Duration redial_when_refused = absl::Seconds(10);
  absl::Duration default_heartbeat = absl::Seconds(5);
};

// Where the connection stands.
struct Waiting {
  absl::Time until = absl::InfinitePast();
};
struct Dialing {
  ConnectionId connection = 0;
  absl::Time since;
};
struct Greeting {  // Hello sent, not answered.
  ConnectionId connection = 0;
  absl::Time since;
};
struct InSession {
  ConnectionId connection = 0;
  int64_t epoch = 0;
  absl::Duration heartbeat_interval;
  absl::Time next_heartbeat;
  int64_t sequence = 0;
  absl::Time heard_at;
};
using ConnectionState = std::variant<Waiting, Dialing, Greeting, InSession>;

// What became of an attempt.
struct Running {
  int slot = 0;
  Phase phase = Phase::kAccepted;
};
enum class StopCause {
  kAbandoned,   // On the controller's order: it waits for the result.
  kOffline,     // Cut off for too long: reported, should the controller come back.
  kHandedBack,  // Given back; reported only if it came to a result after all.
};
struct Stopping {
  int slot = 0;
  Phase phase = Phase::kAccepted;
  StopCause cause = StopCause::kAbandoned;
};
struct Finished {
  std::string result;
  int64_t log_size = 0;
};
using AttemptState = std::variant<Running, Stopping, Finished>;

// How the worker stops.
struct Serving {};
struct Draining {
  absl::Time deadline;
};
struct HandingBack {
  std::vector<std::string> attempts;  // Told to the controller, on each new session again.
};
struct Exited {};
using Life = std::variant<Serving, Draining, HandingBack, Exited>;

// Pure: no I/O, no clock, no thread; equal inputs give equal effects. Not thread-safe.
//
// Start with Step(Tick{}, now); then feed events as they come, and a Tick at NextDeadline().
// A restarted process makes a new Worker from the results that KeepResult wrote and ForgetAttempt
// has not deleted; attempts that ran when it died are not mentioned, which tells the controller
// that they are lost.
class Worker {
 public:
  // `seed` only spreads redials.
  Worker(Config config, std::vector<FinishedAttempt> unacknowledged, uint64_t seed);

  Effects Step(const Event& event, absl::Time now);

  // When the next Tick is due; InfiniteFuture when only an event can change anything.
  absl::Time NextDeadline() const;

  // For tests, the simulator, and log lines.
  const ConnectionState& connection() const { return connection_; }
  ConnectionId CurrentConnection() const;  // -1 while waiting.
  const std::map<std::string, AttemptState>& attempts() const { return attempts_; }
  const Life& life() const { return life_; }
  int FreeSlots() const;

 private:
  struct Slot {
    std::string attempt_id;        // Empty: free.
    std::vector<std::string> ran;  // Affinities of what ran here, each once, the latest last.
    void Take(const std::string& attempt, const std::string& affinity);
  };
  static constexpr size_t kMostKinds = 32;  // Kept of each slot.

  // One for each kind of event.
  void On(const Connected& e, absl::Time now);
  void On(const HelloAnswered& e, absl::Time now);
  void On(const Offered& e, absl::Time now);
  void On(const Abandoned& e, absl::Time now);
  void On(const Acknowledged& e, absl::Time now);
  void On(const HeartbeatAnswered& e, absl::Time now);
  void On(const LogAcked& e, absl::Time now);
  void On(const Disconnected& e, absl::Time now);
  void On(const AttemptStateChanged& e, absl::Time now);
  void On(const AttemptFinished& e, absl::Time now);
  void On(const DrainRequested& e, absl::Time now);
  void On(const HandBackRequested& e, absl::Time now);
  void On(const ReadinessChanged& e, absl::Time now);
  void On(const DescriptionChanged& e, absl::Time now);
  void On(const Tick& e, absl::Time now);

  void ApplyVerdict(const AttemptVerdict& verdict, ConnectionId connection);
  void TellReadiness();
  void ExitIfDone();

  // The session if there is one, and if `connection` is it. A message from it proves it alive.
  InSession* SessionOf(ConnectionId connection, absl::Time now);
  std::optional<ConnectionId> InSessionNow() const;
  absl::Duration SilenceLimit(const InSession& session) const;
  absl::Time SilentAt() const;  // When the present connection counts as silent.
  void Drop(absl::string_view reason, absl::Time now);
  void WaitToRedial(absl::Time now, bool refused);

  int PickSlot(const std::string& affinity) const;  // -1: none is free.
  void Stop(const std::string& attempt_id, StopCause cause, absl::string_view reason);
  void Forget(const std::string& attempt_id);
  void ReportFinished(const std::string& attempt_id);
  FinishedAttempt Report(const std::string& attempt_id, const Finished& finished) const;
  double Jitter();

  Config config_;
  uint64_t random_;
  ConnectionState connection_ = Waiting{};
  ConnectionId last_connection_ = 0;
  int retries_ = 0;
  absl::Time last_contact_ = absl::InfinitePast();  // When a session was last heard.
  std::vector<Slot> slots_;
  std::map<std::string, AttemptState> attempts_;
  Life life_ = Serving{};
  std::string not_ready_;       // Why nothing new is taken for now; empty where it is.
  std::string told_not_ready_;  // On the present connection.
  Effects effects_;             // Of the present step.
};

}  // namespace manyarch::worker::core
