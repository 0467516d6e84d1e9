// The connection, the timers and the end of the worker. Attempts are in attempts.cc.
#include "worker/core/worker.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace manyarch::worker::core {

Worker::Worker(Config config, std::vector<FinishedAttempt> unacknowledged, uint64_t seed)
    : config_(config), random_(seed), slots_(std::max(1, config_.slots)) {
  for (FinishedAttempt& f : unacknowledged) {
    attempts_[f.attempt_id] = Finished{std::move(f.result), f.log_size};
  }
}

Effects Worker::Step(const Event& event, absl::Time now) {
  effects_.clear();
  if (std::holds_alternative<Exited>(life_)) return {};
  std::visit([&](const auto& e) { On(e, now); }, event);
  ExitIfDone();
  return std::exchange(effects_, {});
}

// --- Connection ----------------------------------------------------------------------------------

void Worker::On(const Connected& e, absl::Time now) {
  const auto* dialing = std::get_if<Dialing>(&connection_);
  if (dialing == nullptr || dialing->connection != e.connection) return;
  connection_ = Greeting{e.connection, now};
  SendHello hello{e.connection, {}, {}, !std::holds_alternative<Serving>(life_), not_ready_};
  told_not_ready_ = not_ready_;
  for (const auto& [id, state] : attempts_) {
    if (const auto* running = std::get_if<Running>(&state)) {
      hello.running.push_back({id, running->phase});
    } else if (const auto* stopping = std::get_if<Stopping>(&state)) {
      hello.running.push_back({id, stopping->phase});
    } else {
      hello.finished.push_back(Report(id, std::get<Finished>(state)));
    }
  }
  effects_.push_back(std::move(hello));
}

void Worker::On(const HelloAnswered& e, absl::Time now) {
  const auto* greeting = std::get_if<Greeting>(&connection_);
  if (greeting == nullptr || greeting->connection != e.connection) return;
  const absl::Duration interval = e.heartbeat_interval > absl::ZeroDuration()
                                      ? e.heartbeat_interval
                                      : config_.default_heartbeat;
  connection_ = InSession{e.connection, e.epoch, interval, now + interval, 0, now};
  last_contact_ = now;
  retries_ = 0;
  std::set<std::string> judged;
  for (const AttemptVerdict& verdict : e.verdicts) {
    judged.insert(verdict.attempt_id);
    ApplyVerdict(verdict, e.connection);
  }
  for (const auto& [id, state] : attempts_) {
    // Every attempt gets a verdict; should one be missing, going on is what does no harm.
    if (!judged.contains(id)) effects_.push_back(ResumeLog{e.connection, id, 0});
  }
  // Results that the Hello did not carry yet, or that were not heard, go out again. Repeats are
  // harmless.
  for (const auto& [id, state] : attempts_) {
    if (std::holds_alternative<Finished>(state)) ReportFinished(id);
  }
  // What was decided since the Hello was written is said again here.
  if (const auto* hand_back = std::get_if<HandingBack>(&life_)) {
    effects_.push_back(SendDrain{e.connection, hand_back->attempts});
  } else if (std::holds_alternative<Draining>(life_)) {
    effects_.push_back(SendDrain{e.connection, {}});
  }
  TellReadiness();
}

void Worker::On(const HeartbeatAnswered& e, absl::Time now) { SessionOf(e.connection, now); }

void Worker::On(const LogAcked& e, absl::Time now) {
  if (SessionOf(e.connection, now) == nullptr || !attempts_.contains(e.attempt_id)) return;
  effects_.push_back(AckLog{e.connection, e.attempt_id, e.offset, e.again});
  // A result that came before its whole log was not taken either.
  if (e.again && std::holds_alternative<Finished>(attempts_.at(e.attempt_id))) {
    ReportFinished(e.attempt_id);
  }
}

void Worker::On(const Disconnected& e, absl::Time now) {
  if (std::holds_alternative<Waiting>(connection_) || e.connection != CurrentConnection()) return;
  WaitToRedial(now, e.refused);
}

void Worker::Drop(absl::string_view reason, absl::Time now) {
  effects_.push_back(DropConnection{CurrentConnection(), std::string(reason)});
  WaitToRedial(now, false);
}

// Saying Hello again is how everything is reconciled, so it serves here too.
void Worker::On(const DescriptionChanged&, absl::Time now) {
  if (std::holds_alternative<Waiting>(connection_)) return;  // The next Hello will say it.
  effects_.push_back(DropConnection{CurrentConnection(), "what this worker offers has changed"});
  connection_ = Waiting{now};
}

void Worker::WaitToRedial(absl::Time now, bool refused) {
  const absl::Duration pause = refused ? config_.redial_when_refused * (0.5 + 0.5 * Jitter())
                                       : config_.redial.Delay(retries_++, Jitter());
  connection_ = Waiting{now + pause};
}

InSession* Worker::SessionOf(ConnectionId connection, absl::Time now) {
  auto* session = std::get_if<InSession>(&connection_);
  if (session == nullptr || session->connection != connection) return nullptr;
  session->heard_at = now;
  last_contact_ = now;
  return session;
}

std::optional<ConnectionId> Worker::InSessionNow() const {
  const auto* session = std::get_if<InSession>(&connection_);
  if (session == nullptr) return std::nullopt;
  return session->connection;
}

ConnectionId Worker::CurrentConnection() const {
  if (const auto* s = std::get_if<Dialing>(&connection_)) return s->connection;
  if (const auto* s = std::get_if<Greeting>(&connection_)) return s->connection;
  if (const auto* s = std::get_if<InSession>(&connection_)) return s->connection;
  return -1;
}

// --- Readiness -----------------------------------------------------------------------------------

void Worker::On(const ReadinessChanged& e, absl::Time) {
  not_ready_ = e.not_ready;
  TellReadiness();
}

void Worker::TellReadiness() {
  const auto connection = InSessionNow();
  if (!connection.has_value() || told_not_ready_ == not_ready_) return;
  told_not_ready_ = not_ready_;
  effects_.push_back(SendReadiness{*connection, not_ready_});
}

// --- Timers --------------------------------------------------------------------------------------

absl::Duration Worker::SilenceLimit(const InSession& session) const {
  return std::max(config_.silence_limit, 3 * session.heartbeat_interval);
}

absl::Time Worker::SilentAt() const {
  if (const auto* s = std::get_if<Dialing>(&connection_)) return s->since + config_.silence_limit;
  if (const auto* s = std::get_if<Greeting>(&connection_)) return s->since + config_.silence_limit;
  if (const auto* s = std::get_if<InSession>(&connection_)) return s->heard_at + SilenceLimit(*s);
  return absl::InfiniteFuture();
}

absl::Time Worker::NextDeadline() const {
  if (std::holds_alternative<Exited>(life_)) return absl::InfiniteFuture();
  absl::Time next = SilentAt();
  if (const auto* waiting = std::get_if<Waiting>(&connection_)) next = waiting->until;
  if (const auto* session = std::get_if<InSession>(&connection_)) {
    next = std::min(next, session->next_heartbeat);
  }
  if (const auto* draining = std::get_if<Draining>(&life_))
    next = std::min(next, draining->deadline);
  const bool any_running = std::any_of(attempts_.begin(), attempts_.end(), [](const auto& a) {
    return std::holds_alternative<Running>(a.second);
  });
  if (any_running) next = std::min(next, last_contact_ + config_.max_offline);
  return next;
}

void Worker::On(const Tick&, absl::Time now) {
  if (const auto* draining = std::get_if<Draining>(&life_); draining && now >= draining->deadline) {
    On(HandBackRequested{}, now);
  }
  if (now >= SilentAt()) Drop("nothing was heard from the controller for too long", now);
  if (auto* session = std::get_if<InSession>(&connection_);
      session != nullptr && now >= session->next_heartbeat) {
    session->next_heartbeat = now + session->heartbeat_interval;
    effects_.push_back(SendHeartbeat{session->connection, ++session->sequence});
  }
  if (now >= last_contact_ + config_.max_offline) {
    std::vector<std::string> running;
    for (const auto& [id, state] : attempts_) {
      if (std::holds_alternative<Running>(state)) running.push_back(id);
    }
    for (const std::string& id : running) {
      Stop(id, StopCause::kOffline,
           absl::StrCat("the controller was out of reach for ",
                        absl::FormatDuration(config_.max_offline)));
    }
  }
  if (const auto* waiting = std::get_if<Waiting>(&connection_); waiting && now >= waiting->until) {
    connection_ = Dialing{++last_connection_, now};
    effects_.push_back(Dial{last_connection_});
  }
}

// --- The end -------------------------------------------------------------------------------------

void Worker::On(const DrainRequested&, absl::Time now) {
  if (!std::holds_alternative<Serving>(life_)) return;
  life_ = Draining{now + config_.drain_timeout};
  if (const auto connection = InSessionNow()) effects_.push_back(SendDrain{*connection, {}});
}

void Worker::On(const HandBackRequested&, absl::Time) {
  if (std::holds_alternative<HandingBack>(life_)) return;
  HandingBack hand_back;
  for (const auto& [id, state] : attempts_) {
    if (std::holds_alternative<Running>(state)) hand_back.attempts.push_back(id);
  }
  if (const auto connection = InSessionNow()) {
    effects_.push_back(SendDrain{*connection, hand_back.attempts});
  }
  for (const std::string& id : hand_back.attempts) {
    Stop(id, StopCause::kHandedBack, "the worker is stopping");
  }
  life_ = std::move(hand_back);
}

void Worker::ExitIfDone() {
  if (std::holds_alternative<Serving>(life_)) return;
  const bool handing_back = std::holds_alternative<HandingBack>(life_);
  for (const auto& [id, state] : attempts_) {
    // Handing back, results that are not acknowledged stay on disk for the next start.
    if (!handing_back || !std::holds_alternative<Finished>(state)) return;
  }
  life_ = Exited{};
  effects_.push_back(Exit{});
}

double Worker::Jitter() {
  random_ += 0x9e3779b97f4a7c15u;  // splitmix64
  uint64_t z = random_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

}  // namespace manyarch::worker::core
