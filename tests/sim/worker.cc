#include "tests/sim/worker.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace manyarch::sim {

namespace {

namespace wc = worker::core;

core::FinishedAttempt ToController(const wc::FinishedAttempt& finished) {
  core::FinishedAttempt value;
  value.attempt_id = finished.attempt_id;
  value.log_size = finished.log_size;
  if (finished.result.empty()) {
    value.result = core::AttemptCancelled{};
  } else if (finished.result == "user" || finished.result == "infrastructure") {
    value.result = core::Failure{
        finished.result == "user" ? core::FailureClass::kUser : core::FailureClass::kInfrastructure,
        "it failed",
        0,
        "",
        {}};
  } else {
    value.result = core::Image{"registry/app", finished.result, 0, ""};
  }
  return value;
}

}  // namespace

SimWorker::SimWorker(RunContext* run, SimRegistry* registry,
                     std::function<SimController*()> controller,
                     core::WorkerDescription description)
    : run_(run),
      registry_(registry),
      controller_(std::move(controller)),
      description_(std::move(description)) {}

void SimWorker::Start() {
  if (process_ != nullptr) return;
  wc::Config config;
  config.slots = description_.slots;
  config.max_offline = absl::Minutes(10);
  config.drain_timeout = absl::Minutes(5);
  std::vector<wc::FinishedAttempt> results;
  for (const auto& [id, result] : results_) results.push_back(result);
  process_ = std::make_shared<Process>(config, results, run_->chance.Bits());
  process_->incarnation = absl::StrCat(id(), "#", ++starts_);
  run_->Trace(process_->incarnation, " starts");
  Step(process_, wc::Tick{});
}

void SimWorker::Kill() {
  if (process_ == nullptr) return;
  run_->Trace(process_->incarnation, " is killed");
  const ProcessPtr dead = std::move(process_);
  process_ = nullptr;
  if (dead->stream != nullptr) dead->stream->Close(/*by_worker=*/true);
}

void SimWorker::Drain() {
  if (process_ == nullptr) return;
  run_->Trace(process_->incarnation, " drains");
  Step(process_, wc::DrainRequested{});
}

void SimWorker::HandBack() {
  if (process_ == nullptr) return;
  run_->Trace(process_->incarnation, " hands back");
  process_->handed_back = true;
  Step(process_, wc::HandBackRequested{});
}

void SimWorker::BreakStream() {
  if (process_ == nullptr || process_->stream == nullptr) return;
  const ProcessPtr process = process_;
  const auto stream = process->stream;
  const auto connection = process->connection;
  stream->Close(/*by_worker=*/true);
  process->stream = nullptr;
  Step(process, wc::Disconnected{connection, "reset", false});
}

void SimWorker::BlackHole(bool to_worker, bool to_controller) {
  if (process_ == nullptr || process_->stream == nullptr) return;
  run_->Trace(id(), "'s stream swallows what goes ", to_worker ? "to it" : "",
              to_worker && to_controller ? " and " : "", to_controller ? "to the controller" : "");
  if (to_worker) process_->stream->Lose(/*to_worker=*/true);
  if (to_controller) process_->stream->Lose(/*to_worker=*/false);
}

void SimWorker::StallStream(absl::Duration length) {
  if (process_ == nullptr || process_->stream == nullptr) return;
  run_->Trace(id(), "'s stream stands still for ", absl::FormatDuration(length));
  process_->stream->Stall(run_->scheduler.now() + length);
}

void SimWorker::SetNotReady(const std::string& why) {
  if (process_ == nullptr) return;
  run_->Trace(id(), why.empty() ? " is ready again" : " is not ready: ", why);
  Step(process_, wc::ReadinessChanged{why});
}

void SimWorker::Step(ProcessPtr process, const wc::Event& event) {
  if (process != process_) return;  // A dead process does nothing more.
  for (const wc::Effect& effect : process->core.Step(event, run_->scheduler.now())) {
    if (process != process_) return;
    std::visit([&](const auto& e) { On(process, e); }, effect);
  }
  if (process->core.FreeSlots() < 0) run_->Violated(id(), " runs more than its slots");
  ScheduleTick(process);
}

void SimWorker::ScheduleTick(const ProcessPtr& process) {
  const absl::Time due = process->core.NextDeadline();
  if (due >= process->tick_at || due == absl::InfiniteFuture()) return;
  process->tick_at = due;
  run_->scheduler.At(due, [this, process, due] {
    if (process->tick_at != due) return;
    process->tick_at = absl::InfiniteFuture();
    Step(process, wc::Tick{});
  });
}

void SimWorker::Dial(const ProcessPtr& process, wc::ConnectionId connection) {
  SimController* controller = controller_();
  const bool cut = cut_.Any(run_->scheduler.now());
  if (controller == nullptr || cut) {
    // Refused at once when nobody listens; when cut off, nothing is heard at all.
    if (!cut) {
      run_->scheduler.After(absl::Milliseconds(1), [this, process, connection] {
        Step(process, wc::Disconnected{connection, "connection refused", false});
      });
    }
    return;
  }
  auto stream = std::make_shared<SimStream>(run_, &cut_);
  process->stream = stream;
  process->connection = connection;
  process->peer = controller;
  // The process owns its stream: the stream must not keep the process.
  stream->worker_end.on_closed = [this, weak = std::weak_ptr<Process>(process), connection] {
    const ProcessPtr live = weak.lock();
    if (live != nullptr) Step(live, wc::Disconnected{connection, "stream closed", false});
  };
  process->session = controller->Accept(stream, [this, process, connection](ToWorker message) {
    std::visit(
        [&](auto m) {
          m.connection = connection;
          Step(process, m);
        },
        std::move(message));
  });
  run_->scheduler.After(absl::Milliseconds(1),
                        [this, process, connection] { Step(process, wc::Connected{connection}); });
}

void SimWorker::ToController(const ProcessPtr& process,
                             std::function<void(SimController*, uint64_t)> say) {
  if (process->stream == nullptr) return;
  SimController* const peer = process->peer;
  const uint64_t session = process->session;
  process->stream->Send(/*to_worker=*/false,
                        [say = std::move(say), peer, session] { say(peer, session); });
}

void SimWorker::On(const ProcessPtr& p, const wc::DropConnection&) {
  if (p->stream != nullptr) p->stream->Close(/*by_worker=*/true);
  p->stream = nullptr;
}

void SimWorker::On(const ProcessPtr& p, const wc::SendHello& e) {
  core::WorkerHello hello;
  hello.description = description_;
  hello.incarnation = p->incarnation;
  for (const wc::RunningAttempt& running : e.running) {
    hello.running.push_back({running.attempt_id, static_cast<core::Phase>(running.phase)});
  }
  for (const wc::FinishedAttempt& finished : e.finished) {
    hello.finished.push_back(sim::ToController(finished));
  }
  hello.draining = e.draining;
  hello.not_ready = e.not_ready;
  ToController(p, [hello](SimController* controller, uint64_t session) mutable {
    hello.session = session;
    controller->Receive(session, hello);
  });
}

void SimWorker::On(const ProcessPtr& p, const wc::SendHeartbeat& e) {
  ToController(p, [e](SimController* controller, uint64_t session) {
    controller->ReceiveHeartbeat(session, e.sequence);
  });
}

void SimWorker::On(const ProcessPtr& p, const wc::SendOfferAnswer& e) {
  if (!e.accepted) run_->Trace(id(), " refuses ", e.attempt_id, ": ", e.reason);
  // The controller knows what holds a slot here, what it has abandoned included.
  if (absl::StartsWith(e.reason, "all slots are busy")) {
    run_->Violated(id(), " was offered ", e.attempt_id, " while all its slots were taken");
  }
  if (run_->Luck(10)) {
    ToController(p, [e](SimController* controller, uint64_t session) {
      controller->Receive(session,
                          core::OfferAnswered{session, e.attempt_id, e.accepted, e.reason});
    });
  }
  ToController(p, [e](SimController* controller, uint64_t session) {
    controller->Receive(session, core::OfferAnswered{session, e.attempt_id, e.accepted, e.reason});
  });
}

void SimWorker::On(const ProcessPtr& p, const wc::SendProgress& e) {
  ToController(p, [e](SimController* controller, uint64_t session) {
    controller->Receive(
        session, core::AttemptProgressed{session, e.attempt_id, static_cast<core::Phase>(e.phase)});
  });
}

void SimWorker::On(const ProcessPtr& p, const wc::SendFinished& e) {
  const bool twice = run_->Luck(10);  // Repeats must do no harm.
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    ToController(p, [e](SimController* controller, uint64_t session) {
      controller->Receive(session, core::AttemptFinished{session, sim::ToController(e.finished)});
    });
  }
}

void SimWorker::On(const ProcessPtr& p, const wc::SendDrain& e) {
  ToController(p, [e](SimController* controller, uint64_t session) {
    controller->Receive(session, core::WorkerDrains{session, e.hand_back});
  });
}

void SimWorker::On(const ProcessPtr& p, const wc::SendReadiness& e) {
  ToController(p, [e](SimController* controller, uint64_t session) {
    controller->Receive(session, core::WorkerReadiness{session, e.not_ready});
  });
}

void SimWorker::StartAttempt(const ProcessPtr& process, const std::string& attempt_id,
                             const std::string& order) {
  run_->Trace(id(), " starts ", attempt_id);
  process->running.insert(attempt_id);
  if (process->running.size() > static_cast<size_t>(description_.slots)) {
    run_->Violated(id(), " runs ", process->running.size(), " attempts in ", description_.slots,
                   " slots");
  }
  const absl::Duration whole = run_->chance.Between(absl::Seconds(1), absl::Seconds(90));
  run_->scheduler.After(whole / 2, [this, process, attempt_id] {
    if (!process->running.contains(attempt_id)) return;
    Step(process, wc::AttemptStateChanged{attempt_id, wc::Phase::kBuilding});
  });
  const std::vector<std::string> parts = absl::StrSplit(order, '|');
  if (run_->Luck(60)) {
    run_->hung.insert(attempt_id);
    return;
  }
  run_->scheduler.After(whole, [this, process, attempt_id, parts] {
    if (process != process_ || !process->running.contains(attempt_id)) return;
    if (parts[1] != "poison") {
      End(process, attempt_id, parts[0]);
      return;
    }
    run_->Trace(id(), " is killed by ", attempt_id);
    if (on_poisoned && !process->handed_back) on_poisoned(attempt_id);
    Kill();
  });
}

void SimWorker::End(const ProcessPtr& process, const std::string& attempt_id,
                    const std::string& platform) {
  const uint64_t fate = run_->chance.Below(40);
  if (fate == 0) {
    Finish(process, attempt_id, "user");
  } else if (fate <= 3 && run_->faults) {
    Finish(process, attempt_id, "infrastructure");
  } else {
    const std::string digest = absl::StrCat("sha256:", attempt_id);
    // Now and then a base image is of another architecture than it says.
    registry_->PushImage("registry/app", digest,
                         fate == 4 ? Platform{"linux", "mips", ""} : *ParsePlatform(platform));
    Finish(process, attempt_id, digest);
  }
}

void SimWorker::Finish(const ProcessPtr& process, const std::string& attempt_id,
                       const std::string& result) {
  run_->Trace(id(), " has finished ", attempt_id, ": ", result.empty() ? "stopped" : result);
  process->running.erase(attempt_id);
  Step(process, wc::AttemptFinished{{attempt_id, result, 0}});
}

void SimWorker::On(const ProcessPtr& p, const wc::StopAttempt& e) {
  run_->scheduler.After(run_->chance.Between(absl::Milliseconds(10), absl::Seconds(2)),
                        [this, p, id = e.attempt_id] {
                          if (p == process_ && p->running.contains(id)) Finish(p, id, "");
                        });
}

void SimWorker::On(const ProcessPtr& p, const wc::Exit&) {
  run_->Trace(p->incarnation, " exits");
  if (!p->running.empty()) run_->Violated(p->incarnation, " exits while attempts run");
  // What it said last still goes out.
  if (p->stream != nullptr) p->stream->Close(/*by_worker=*/true);
  process_ = nullptr;
}

}  // namespace manyarch::sim
