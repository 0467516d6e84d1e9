#include "tests/sim/worker.h"

#include "absl/strings/str_cat.h"

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
                     const std::map<std::string, absl::Time>* stalled_until,
                     core::WorkerDescription description)
    : run_(run),
      registry_(registry),
      controller_(std::move(controller)),
      stalled_until_(stalled_until),
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
  const auto stalled = stalled_until_->find(id());
  const bool cut = stalled != stalled_until_->end() && stalled->second > run_->scheduler.now();
  if (controller == nullptr || cut) {
    // Refused at once when nobody listens; when cut off, nothing is heard at all.
    if (!cut) {
      run_->scheduler.After(absl::Milliseconds(1), [this, process, connection] {
        Step(process, wc::Disconnected{connection, "connection refused", false});
      });
    }
    return;
  }
  auto stream = std::make_shared<SimStream>(run_, stalled_until_, id());
  process->stream = stream;
  process->connection = connection;
  process->peer = controller;
  stream->worker_end.on_closed = [this, process, connection] {
    Step(process, wc::Disconnected{connection, "stream closed", false});
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
  const bool twice = run_->faults && run_->chance.OneIn(10);  // Repeats must do no harm.
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

void SimWorker::StartAttempt(const ProcessPtr& process, const std::string& attempt_id,
                             const std::string& platform) {
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
  run_->scheduler.After(whole, [this, process, attempt_id, platform] {
    if (process != process_ || !process->running.contains(attempt_id)) return;
    const uint64_t fate = run_->chance.Below(40);
    std::string result;
    if (fate == 0) {
      result = "user";
    } else if (fate <= 3 && run_->faults) {
      result = "infrastructure";
    } else {
      result = absl::StrCat("sha256:", attempt_id);
      // Now and then a base image is of another architecture than it says.
      registry_->images[result] =
          fate == 4 ? Platform{"linux", "mips", ""} : *ParsePlatform(platform);
    }
    Finish(process, attempt_id, result);
  });
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
