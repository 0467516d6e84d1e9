#include "tests/sim/world.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"

namespace manyarch::sim {

namespace {

constexpr absl::Duration kFaultTime = absl::Minutes(12);
// Queue, attempts and publishing of the slowest job, with room to spare.
constexpr absl::Duration kQuietTime = absl::Minutes(90);
constexpr absl::Duration kRestart = absl::Seconds(3);
// Whatever a dead controller had on its way has landed by then, or never will.
constexpr absl::Duration kLanded = absl::Milliseconds(400);

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};
const Platform kS390x{"linux", "s390x", ""};

}  // namespace

World::World(uint64_t seed) : run_(seed) {
  registry_.on_tag_moved = [this](const std::string& tag, const std::string& from,
                                  const std::string& digest) { CheckTag(tag, from, digest); };
}

RunResult World::Run() {
  StartController();
  AddWorkers();
  AddClients();
  ScheduleFaults();
  const absl::Time quiet = run_.start + kFaultTime;
  while (run_.violation.empty() && run_.scheduler.Step(quiet)) CheckAcknowledged();
  if (run_.violation.empty()) Heal();
  absl::Time end = quiet;
  while (run_.violation.empty() && end < quiet + kQuietTime && !Quiet()) {
    end += absl::Seconds(30);
    while (run_.violation.empty() && run_.scheduler.Step(end)) CheckAcknowledged();
  }
  // What comes late must do no harm either.
  while (run_.violation.empty() && run_.scheduler.Step(end + absl::Minutes(2))) {
    CheckAcknowledged();
  }
  if (run_.violation.empty()) CheckEnd();
  result_.violation = run_.violation;
  result_.trace = run_.trace;
  result_.jobs = static_cast<int>(store_.jobs.size());
  for (const auto& [id, job] : store_.jobs) {
    if (std::holds_alternative<core::JobSucceeded>(job.state)) ++result_.succeeded;
  }
  result_.crashes = static_cast<int>(controllers_.size()) - 1;
  return result_;
}

bool World::Quiet() {
  for (const auto& [id, job] : store_.jobs) {
    if (!core::IsTerminal(job.state)) return false;
  }
  for (const ClientJob& client : clients_) {
    if (client.acknowledged.empty()) return false;
  }
  for (const auto& worker : workers_) {
    if (!worker->Idle()) return false;
  }
  return true;
}

void World::StartController() {
  controllers_.push_back(
      std::make_unique<SimController>(&run_, &store_, &registry_, core::FarmOptions{}));
}

void World::AddWorkers() {
  const std::vector<std::vector<core::OfferedPlatform>> kinds = {
      {{kAmd64, false}, {kArm64, true}}, {{kArm64, false}}, {{kAmd64, false}, {kS390x, true}}};
  const size_t count = 2 + run_.chance.Below(3);
  for (size_t i = 0; i < count; ++i) {
    core::WorkerDescription description;
    description.id = description.name = absl::StrCat("w", i);
    description.platforms = kinds[i % kinds.size()];
    description.labels = {{"even", i % 2 == 0 ? "yes" : "no"}};
    description.slots = 1 + static_cast<int>(run_.chance.Below(2));
    workers_.push_back(std::make_unique<SimWorker>(
        &run_, &registry_, [this] { return controller(); }, description));
    workers_.back()->on_poisoned = [this](const std::string& id) { CheckPoisoned(id); };
    workers_.back()->Start();
  }
}

std::shared_ptr<const core::JobSpec> World::RandomSpec() {
  auto spec = std::make_shared<core::JobSpec>();
  spec->project = run_.chance.OneIn(3) ? "another" : "default";
  // Few tags, so that jobs compete for them.
  spec->tags.push_back({"registry/app", absl::StrCat("v", run_.chance.Below(3))});
  if (run_.chance.OneIn(3)) spec->tags.push_back({"registry/app", "latest"});
  // Workers push to the first one's repository.
  if (run_.chance.OneIn(3)) {
    spec->tags.push_back({"mirror/app", absl::StrCat("v", run_.chance.Below(3))});
  }
  spec->immutable = run_.chance.OneIn(5);
  spec->platforms.push_back({kAmd64, false});
  if (!run_.chance.OneIn(3)) spec->platforms.push_back({kArm64, run_.chance.OneIn(4)});
  if (run_.chance.OneIn(6)) spec->platforms.push_back({kS390x, run_.chance.OneIn(2)});
  spec->keep_going = run_.chance.OneIn(4);
  if (run_.chance.OneIn(4)) spec->arch_tag_template.clear();
  if (run_.chance.OneIn(4)) spec->emulation = core::Emulation::kAllow;
  if (run_.chance.OneIn(4)) spec->hedge = true;
  if (run_.chance.OneIn(8)) spec->constraints = {{"even", run_.chance.OneIn(2) ? "yes" : "no"}};
  spec->priority = static_cast<int>(run_.chance.Below(3));
  spec->options = run_.chance.OneIn(25) ? "poison" : "sound";
  spec->build_timeout = absl::Minutes(5);
  spec->unschedulable_after = absl::Minutes(3);
  return spec;
}

void World::AddClients() {
  const size_t count = 3 + run_.chance.Below(8);
  for (size_t i = 0; i < count; ++i) {
    clients_.push_back(
        {absl::StrCat("key-", i), absl::StrCat("hash-", i), RandomSpec(), "", "", {}});
    run_.scheduler.After(run_.chance.Between(absl::ZeroDuration(), absl::Minutes(6)),
                         [this, i] { SubmitUntilAcknowledged(i); });
    run_.scheduler.After(run_.chance.Between(absl::Minutes(1), absl::Minutes(11)),
                         [this, i] { SubmitAnotherRequest(i); });
    if (run_.chance.OneIn(4)) {
      run_.scheduler.After(run_.chance.Between(absl::Seconds(1), absl::Minutes(10)),
                           [this, i] { MaybeCancel(i); });
    }
    run_.scheduler.After(run_.chance.Between(absl::Minutes(2), absl::Minutes(11)),
                         [this, i] { MaybeRetry(i); });
  }
}

// As a good client does: the same key until there is an answer.
void World::SubmitUntilAcknowledged(size_t index) {
  if (!clients_[index].acknowledged.empty() && !run_.chance.OneIn(3)) return;
  // Now and then an impatient one asks several times at once.
  for (int i = run_.Luck(4) ? 3 : 1; i > 0; --i) Submit(index);
  run_.scheduler.After(absl::Seconds(5), [this, index] { SubmitUntilAcknowledged(index); });
}

void World::Submit(size_t index) {
  SimController* const now = controller();
  if (now == nullptr) return;
  const ClientJob& client = clients_[index];
  core::Submit event;
  event.job_id = JobIdFrom(run_.chance.Bits());
  event.idempotency_key = client.key;
  event.request_hash = client.request_hash;
  event.spec = client.spec;
  event.retry_of = client.retry_of;
  event.reuse = client.reuse;
  now->Submit(std::move(event), [this, index](absl::Status status, const std::string& job_id) {
    if (!status.ok()) return;
    if (!store_.jobs.contains(job_id)) {
      run_.Violated("job ", job_id, " was acknowledged before it was durable");
    }
    if (run_.Luck(8)) return;  // The answer is lost.
    std::string& acknowledged = clients_[index].acknowledged;
    if (acknowledged.empty()) run_.Trace("job ", job_id, " is acknowledged");
    if (!acknowledged.empty() && acknowledged != job_id) {
      run_.Violated("one key made two jobs, ", acknowledged, " and ", job_id);
    }
    acknowledged = job_id;
  });
}

void World::SubmitAnotherRequest(size_t index) {
  const ClientJob& client = clients_[index];
  if (client.acknowledged.empty() || controller() == nullptr) return;
  core::Submit event;
  event.job_id = JobIdFrom(run_.chance.Bits());
  event.idempotency_key = client.key;
  event.request_hash = client.request_hash + "+";
  event.spec = client.spec;
  controller()->Submit(std::move(event), [this, index](absl::Status status, const std::string&) {
    if (status.ok()) run_.Violated("another request was taken under ", clients_[index].key);
  });
}

void World::MaybeCancel(size_t index) {
  const std::string id = clients_[index].acknowledged;
  SimController* now = controller();
  if (id.empty() || now == nullptr) return;
  core::Cancel event;
  event.job_id = id;
  now->Cancel(std::move(event), [this](absl::Status status, const std::string& job_id) {
    if (!status.ok()) return;
    run_.Trace("job ", job_id, " is cancelled");
    if (!std::holds_alternative<core::JobCancelled>(store_.jobs.at(job_id).state)) {
      run_.Violated("the cancellation of ", job_id, " was acknowledged and is not durable");
    }
  });
}

// Somebody repeats a job that has not ended well, with the images that are there.
void World::MaybeRetry(size_t index) {
  const auto ended = store_.jobs.find(clients_[index].acknowledged);
  if (ended == store_.jobs.end() || !core::IsTerminal(ended->second.state)) return;
  if (std::holds_alternative<core::JobSucceeded>(ended->second.state) && !run_.chance.OneIn(8)) {
    return;
  }
  ClientJob retry = clients_[index];
  retry.acknowledged.clear();
  absl::StrAppend(&retry.key, "-again");
  retry.retry_of = ended->first;
  for (const core::Build& build : ended->second.builds) {
    const auto* succeeded = std::get_if<core::BuildSucceeded>(&build.state);
    if (succeeded == nullptr) continue;
    retry.reuse.push_back({build.platform, succeeded->image, ended->first});
  }
  clients_.push_back(std::move(retry));
  SubmitUntilAcknowledged(clients_.size() - 1);
}

void World::ScheduleFaults() {
  const uint64_t count = run_.chance.Below(12);
  for (uint64_t i = 0; i < count; ++i) {
    run_.scheduler.After(run_.chance.Between(absl::Seconds(1), kFaultTime - absl::Seconds(5)),
                         [this] { Fault(); });
  }
  // Whoever died is started again, sooner or later.
  for (absl::Time t = run_.start; t < run_.start + kFaultTime; t += kRestart) {
    run_.scheduler.At(t, [this] {
      if (controller() == nullptr) {
        run_.scheduler.After(kLanded, [this] {
          if (controller() == nullptr) StartController();
        });
      }
      for (const auto& worker : workers_) {
        if (!worker->up() && run_.chance.OneIn(8)) worker->Start();
      }
    });
  }
}

void World::Fault() {
  const absl::Time now = run_.scheduler.now();
  switch (run_.chance.Below(16)) {
    case 0:
    case 1:
      if (controller() != nullptr) controller()->Crash();
      break;
    case 2:
      ReplaceController();
      break;
    case 3: {
      const absl::Duration length = run_.chance.Between(absl::Seconds(5), absl::Minutes(3));
      run_.Trace("the registry is down for ", absl::FormatDuration(length));
      run_.registry_down_until = now + length;
      break;
    }
    case 4: {
      const absl::Duration length = run_.chance.Between(absl::Seconds(1), absl::Minutes(1));
      run_.Trace("the controller's disk is full for ", absl::FormatDuration(length));
      run_.disk_full_until = now + length;
      break;
    }
    case 5:
      for (const auto& worker : workers_) CutOff(*worker, true, true);
      break;
    default:
      WorkerFault(*workers_[run_.chance.Below(workers_.size())]);
  }
}

void World::WorkerFault(SimWorker& worker) {
  switch (run_.chance.Below(12)) {
    case 0:
      worker.Kill();
      break;
    case 1:
      worker.BreakStream();
      break;
    case 2:
      CutOff(worker, true, true);
      break;
    case 3: {
      const bool up = run_.chance.OneIn(2);
      CutOff(worker, !up, up);
      break;
    }
    case 4:
    case 5: {
      const uint64_t which = run_.chance.Below(3);
      worker.BlackHole(which != 0, which != 1);
      break;
    }
    case 6:
      worker.StallStream(run_.chance.Between(absl::Seconds(5), absl::Minutes(2)));
      break;
    case 7:
      worker.Drain();
      break;
    case 8:
      worker.HandBack();
      break;
    case 9:
      worker.SetNotReady("its disk is full");
      run_.scheduler.After(run_.chance.Between(absl::Seconds(1), absl::Minutes(2)),
                           [&worker] { worker.SetNotReady(""); });
      break;
    case 10:
      SetAdmission(worker.id(), core::Admission::kCordoned);
      break;
    default:
      SetAdmission(worker.id(), core::Admission::kSchedulable);
  }
}

void World::CutOff(SimWorker& worker, bool to_worker, bool to_controller) {
  const absl::Duration length = run_.chance.Between(absl::Seconds(1), absl::Minutes(3));
  run_.Trace(worker.id(), " is cut off for ", absl::FormatDuration(length),
             !to_worker       ? ", one way"
             : !to_controller ? ", the other way"
                              : "");
  const absl::Time until = run_.scheduler.now() + length;
  if (to_worker) worker.cut().to_worker = until;
  if (to_controller) worker.cut().to_controller = until;
}

// The present one stands still, is taken for dead, and wakes up beside its successor.
void World::ReplaceController() {
  SimController* const old = controller();
  if (old == nullptr) return;
  old->Overtaken(run_.chance.Between(absl::Seconds(1), absl::Minutes(2)));
  run_.scheduler.After(kLanded, [this, old] {
    if (controllers_.back().get() == old) StartController();
  });
}

void World::SetAdmission(const std::string& worker, core::Admission admission) {
  if (controller() == nullptr) return;
  run_.Trace(worker, admission == core::Admission::kCordoned ? " is cordoned" : " is uncordoned");
  core::SetAdmission event;
  event.worker = worker;
  event.admission = admission;
  event.reason = "the operator says so";
  controller()->SetAdmission(std::move(event));
}

void World::Heal() {
  run_.Trace("faults stop");
  run_.faults = false;
  run_.registry_down_until = run_.disk_full_until = run_.scheduler.now();
  for (const auto& worker : workers_) {
    worker->cut() = {};
    worker->SetNotReady("");
  }
  if (controller() == nullptr) StartController();
  // Whoever ended is started again, and whoever was taken out is let in.
  for (absl::Duration at; at < kQuietTime; at += absl::Seconds(15)) {
    run_.scheduler.After(at, [this] {
      for (const auto& worker : workers_) {
        worker->Start();
        const core::Worker* seen = controller() == nullptr || !controller()->ready()
                                       ? nullptr
                                       : controller()->farm().FindWorker(worker->id());
        if (seen != nullptr && seen->admission != core::Admission::kSchedulable) {
          SetAdmission(worker->id(), core::Admission::kSchedulable);
        }
      }
    });
  }
}

}  // namespace manyarch::sim
