#include "tests/sim/world.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/ids.h"

namespace manyarch::sim {

namespace {

constexpr absl::Duration kFaultTime = absl::Minutes(12);
// Queue, attempts and publishing of the slowest job, with room to spare.
constexpr absl::Duration kQuietTime = absl::Minutes(90);
constexpr absl::Duration kRestart = absl::Seconds(3);

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};
const Platform kS390x{"linux", "s390x", ""};

const core::PublishIntent* IntentOf(const core::Job& job) {
  if (const auto* s = std::get_if<core::JobPublishing>(&job.state)) return &s->intent;
  if (const auto* s = std::get_if<core::JobSucceeded>(&job.state)) return &s->intent;
  return nullptr;
}

}  // namespace

World::World(uint64_t seed) : run_(seed) {
  registry_.on_tag_moved = [this](const std::string& tag, const std::string& digest) {
    CheckTag(tag, digest);
  };
}

RunResult World::Run() {
  StartController();
  AddWorkers();
  AddClients();
  ScheduleFaults();
  const absl::Time quiet = run_.start + kFaultTime;
  while (run_.violation.empty() && run_.scheduler.Step(quiet)) CheckAcknowledged();
  if (run_.violation.empty()) {
    Heal();
    while (run_.violation.empty() && run_.scheduler.Step(quiet + kQuietTime)) CheckAcknowledged();
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
    description.slots = 1 + static_cast<int>(run_.chance.Below(2));
    workers_.push_back(std::make_unique<SimWorker>(
        &run_, &registry_, [this] { return controller(); }, &stalled_until_, description));
    workers_.back()->Start();
  }
}

std::shared_ptr<const core::JobSpec> World::RandomSpec() {
  auto spec = std::make_shared<core::JobSpec>();
  spec->project = "default";
  // Few tags, so that jobs compete for them.
  spec->tags.push_back({"registry/app", absl::StrCat("v", run_.chance.Below(3))});
  if (run_.chance.OneIn(3)) spec->tags.push_back({"registry/app", "latest"});
  spec->platforms.push_back({kAmd64, false});
  if (!run_.chance.OneIn(3)) spec->platforms.push_back({kArm64, run_.chance.OneIn(4)});
  if (run_.chance.OneIn(6)) spec->platforms.push_back({kS390x, run_.chance.OneIn(2)});
  if (run_.chance.OneIn(4)) spec->arch_tag_template.clear();
  if (run_.chance.OneIn(4)) spec->emulation = core::Emulation::kAllow;
  spec->build_timeout = absl::Minutes(5);
  spec->unschedulable_after = absl::Minutes(3);
  return spec;
}

void World::AddClients() {
  const size_t count = 3 + run_.chance.Below(8);
  for (size_t i = 0; i < count; ++i) {
    clients_.push_back({absl::StrCat("key-", i), absl::StrCat("hash-", i), RandomSpec(), ""});
    run_.scheduler.After(run_.chance.Between(absl::ZeroDuration(), absl::Minutes(6)),
                         [this, i] { SubmitUntilAcknowledged(i); });
    if (run_.chance.OneIn(4)) {
      run_.scheduler.After(run_.chance.Between(absl::Seconds(1), absl::Minutes(10)),
                           [this, i] { MaybeCancel(i); });
    }
  }
}

// As a good client does: the same key until there is an answer.
void World::SubmitUntilAcknowledged(size_t index) {
  ClientJob& client = clients_[index];
  if (!client.acknowledged.empty() && !run_.chance.OneIn(3)) return;
  if (SimController* now = controller()) {
    core::Submit event;
    event.job_id = JobIdFrom(run_.chance.Bits());
    event.idempotency_key = client.key;
    event.request_hash = client.request_hash;
    event.spec = client.spec;
    now->Submit(std::move(event), [this, index](absl::Status status, const std::string& job_id) {
      if (!status.ok()) return;
      std::string& acknowledged = clients_[index].acknowledged;
      if (acknowledged.empty()) run_.Trace("job ", job_id, " is acknowledged");
      if (!acknowledged.empty() && acknowledged != job_id) {
        run_.Violated("one key made two jobs, ", acknowledged, " and ", job_id);
      }
      acknowledged = job_id;
    });
  }
  run_.scheduler.After(absl::Seconds(5), [this, index] { SubmitUntilAcknowledged(index); });
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

void World::ScheduleFaults() {
  const uint64_t count = run_.chance.Below(12);
  for (uint64_t i = 0; i < count; ++i) {
    run_.scheduler.After(run_.chance.Between(absl::Seconds(1), kFaultTime - absl::Seconds(5)),
                         [this] { Fault(); });
  }
  // Whoever died is started again, sooner or later.
  for (absl::Time t = run_.start; t < run_.start + kFaultTime; t += kRestart) {
    run_.scheduler.At(t, [this] {
      if (controller() == nullptr) StartController();
      for (const auto& worker : workers_) {
        if (!worker->up() && run_.chance.OneIn(8)) worker->Start();
      }
    });
  }
}

void World::Fault() {
  SimWorker& worker = *workers_[run_.chance.Below(workers_.size())];
  switch (run_.chance.Below(7)) {
    case 0:
    case 1:
      if (controller() != nullptr) controller()->Crash();
      break;
    case 2:
      worker.Kill();
      break;
    case 3:
      worker.BreakStream();
      break;
    case 4: {
      const absl::Duration length = run_.chance.Between(absl::Seconds(1), absl::Minutes(3));
      run_.Trace(worker.id(), " is cut off for ", absl::FormatDuration(length));
      stalled_until_[worker.id()] = run_.scheduler.now() + length;
      break;
    }
    case 5:
      worker.Drain();
      break;
    default:
      worker.HandBack();
      break;
  }
}

void World::Heal() {
  run_.Trace("faults stop");
  run_.faults = false;
  stalled_until_.clear();
  if (controller() == nullptr) StartController();
  // Drained workers end by themselves: each is started again whenever it is down.
  for (int i = 0; i < 200; ++i) {
    run_.scheduler.After(absl::Seconds(5) * i, [this] {
      for (const auto& worker : workers_) worker->Start();
    });
  }
}

// P2: a final tag points to a list of exactly one verified image for each platform, and no earlier
// submission overwrites a later one.
void World::CheckTag(const std::string& tag, const std::string& digest) {
  for (const auto& [id, job] : store_.jobs) {
    for (const core::TagOutcome& outcome : job.tags) {
      if (outcome.ref.ToString() != tag || IntentOf(job) == nullptr) continue;
      const core::PublishIntent& intent = *IntentOf(job);
      if (intent.digest != digest) continue;
      if (tag_generation_[tag] > job.generation) {
        run_.Violated(tag, " was moved back from submission ", tag_generation_[tag], " to ",
                      job.generation);
      }
      tag_generation_[tag] = job.generation;
      std::set<std::string> listed;
      for (absl::string_view entry : absl::StrSplit(intent.list, ';')) {
        const std::pair<std::string, std::string> parts =
            absl::StrSplit(entry, absl::MaxSplits('=', 1));
        if (!listed.insert(parts.first).second)
          run_.Violated(tag, " lists ", parts.first, " twice");
        if (ToString(registry_.images.at(parts.second)) != parts.first) {
          run_.Violated(tag, " lists an image of another platform as ", parts.first);
        }
      }
      for (const core::Build& build : job.builds) {
        const bool there = listed.erase(ToString(build.platform)) > 0;
        const bool wanted =
            !build.optional || std::holds_alternative<core::BuildSucceeded>(build.state);
        if (there != wanted) run_.Violated(tag, " is wrong about ", ToString(build.platform));
      }
      if (!listed.empty()) run_.Violated(tag, " lists more platforms than were asked for");
      return;
    }
  }
  if (registry_.lists.contains(digest)) {
    run_.Violated(tag, " was written before the intent was durable");
  }
}

// P1.
void World::CheckAcknowledged() {
  for (const ClientJob& client : clients_) {
    if (client.acknowledged.empty()) continue;
    const auto job = store_.jobs.find(client.acknowledged);
    if (job == store_.jobs.end() || job->second.idempotency_key != client.key) {
      run_.Violated("job ", client.acknowledged, " was acknowledged and is not in the store");
    }
  }
}

void World::CheckEnd() {
  std::map<std::string, const core::Job*>
      newest;  // By tag: the last job that says it has written it.
  for (const auto& [id, job] : store_.jobs) {
    if (!core::IsTerminal(job.state)) {
      run_.Violated("job ", id,
                    " is not finished long after the faults have stopped: ", job.status_reason);
      for (const core::Build& build : job.builds) {
        const auto* waiting = std::get_if<core::BuildWaiting>(&build.state);
        run_.Trace(id, " ", ToString(build.platform), ": state ", build.state.index(), " ",
                   waiting == nullptr ? "" : waiting->reason, ", ", build.attempts.size(),
                   " attempts");
      }
      return;
    }
    if (!std::holds_alternative<core::JobSucceeded>(job.state)) continue;
    for (const core::TagOutcome& tag : job.tags) {
      if (!tag.written) continue;
      const core::Job*& best = newest[tag.ref.ToString()];
      if (best == nullptr || best->generation < job.generation) best = &job;
    }
  }
  for (const auto& [tag, job] : newest) {
    const auto found = registry_.tags.find(tag);
    // A later job that failed while publishing may have moved it: its failure says so.
    const bool moved_later = tag_generation_[tag] > job->generation;
    if (found == registry_.tags.end() ||
        (found->second != IntentOf(*job)->digest && !moved_later)) {
      run_.Violated("job ", job->id, " says that it has written ", tag, ", which points elsewhere");
    }
  }
  for (const ClientJob& client : clients_) {
    if (client.acknowledged.empty())
      run_.Violated("the submission ", client.key, " was never taken");
  }
}

}  // namespace manyarch::sim
