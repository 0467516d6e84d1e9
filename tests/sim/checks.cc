// The promises, as a run checks them.
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/sim/world.h"

namespace manyarch::sim {

namespace {

const core::PublishIntent* IntentOf(const core::Job& job) {
  if (const auto* s = std::get_if<core::JobPublishing>(&job.state)) return &s->intent;
  if (const auto* s = std::get_if<core::JobSucceeded>(&job.state)) return &s->intent;
  return nullptr;
}

}  // namespace

// P2: whatever a tag comes to point to is an image that has won, or a list of those.
void World::CheckTag(const std::string& tag, const std::string& from, const std::string& digest) {
  const auto list = registry_.lists.find(absl::StrCat(RepositoryOf(tag), "@", digest));
  if (list == registry_.lists.end()) {
    CheckAnchor(tag, from, digest);
    return;
  }
  // A job and its retry may have one list: then it is the retry's.
  const core::Job* writer = nullptr;
  for (const auto& [id, job] : store_.jobs) {
    const core::PublishIntent* intent = IntentOf(job);
    if (intent == nullptr || intent->digest != digest) continue;
    if (writer == nullptr || writer->generation < job.generation) writer = &job;
  }
  if (writer == nullptr) {
    run_.Violated(tag, " was written before the intent was durable");
    return;
  }
  list_writers_[digest] = writer->id;
  CheckGeneration(tag, *writer);
  CheckImmutable(tag, from, *writer);
  CheckList(tag, *writer, list->second);
}

// No earlier submission overwrites a later one.
void World::CheckGeneration(const std::string& tag, const core::Job& job) {
  if (tag_generation_[tag] > job.generation) {
    run_.Violated(tag, " was moved back from submission ", tag_generation_[tag], " to ",
                  job.generation);
  }
  tag_generation_[tag] = job.generation;
}

// What must not be moved is not moved.
void World::CheckImmutable(const std::string& tag, const std::string& from, const core::Job& job) {
  if (job.spec->immutable && !from.empty()) {
    run_.Violated(tag, " was moved by job ", job.id, ", which must not move it");
  }
}

void World::CheckAnchor(const std::string& tag, const std::string& from,
                        const std::string& digest) {
  const core::Job* job = store_.FindWinnersJob(digest);
  if (job == nullptr) {
    run_.Violated(tag, " was written for ", digest, ", which has not won");
    return;
  }
  CheckGeneration(tag, *job);
  CheckImmutable(tag, from, *job);
}

// P2: exactly one verified image for each platform, and all of them there.
void World::CheckList(const std::string& tag, const core::Job& job, const std::string& list) {
  std::map<std::string, std::string> listed;
  for (const auto& [platform, digest] : EntriesOf(list)) {
    if (!listed.emplace(platform, digest).second) run_.Violated(tag, " lists ", platform, " twice");
    const std::string repository = RepositoryOf(tag);
    if (!registry_.Has(repository, digest)) {
      run_.Violated(tag, " lists ", digest, ", which is not there");
      continue;
    }
    if (ToString(registry_.Find(repository, digest).platform) != platform) {
      run_.Violated(tag, " lists an image of another platform as ", platform);
    }
  }
  for (const core::Build& build : job.builds) {
    const auto entry = listed.find(ToString(build.platform));
    const auto* succeeded = std::get_if<core::BuildSucceeded>(&build.state);
    const bool there = entry != listed.end();
    if (there != (!build.optional || succeeded != nullptr)) {
      run_.Violated(tag, " is wrong about ", ToString(build.platform));
    }
    if (!there) continue;
    if (succeeded != nullptr && succeeded->image.digest != entry->second) {
      run_.Violated(tag, " lists ", entry->second, " and not the winner");
    }
    listed.erase(entry);
  }
  if (!listed.empty()) run_.Violated(tag, " lists more platforms than were asked for");
}

// P1.
void World::CheckAcknowledged() {
  if (checked_version_ == store_.version) return;
  checked_version_ = store_.version;
  for (const ClientJob& client : clients_) {
    if (client.acknowledged.empty()) continue;
    const auto job = store_.jobs.find(client.acknowledged);
    if (job == store_.jobs.end() || job->second.idempotency_key != client.key) {
      run_.Violated("job ", client.acknowledged, " was acknowledged and is not in the store");
    }
  }
}

// A build that kills its worker is given to no more of them than it has attempts.
void World::CheckPoisoned(const std::string& attempt_id) {
  const core::Attempt* attempt = store_.FindAttempt(attempt_id);
  // Whoever dies before it can say that it has begun is taken for one that was never reached.
  if (attempt == nullptr || !std::holds_alternative<core::AttemptRunning>(attempt->state)) return;
  const std::string build = attempt_id.substr(0, attempt_id.rfind('-'));
  const int kills = ++kills_[build];
  if (kills > core::JobSpec{}.max_attempts) {
    run_.Violated("build ", build, " has killed ", kills, " workers");
  }
}

// P6.
void World::CheckEnd() {
  for (const ClientJob& client : clients_) {
    if (client.acknowledged.empty()) {
      run_.Violated("the submission ", client.key, " was never taken");
    }
  }
  for (const auto& [id, job] : store_.jobs) {
    if (core::IsTerminal(job.state)) continue;
    for (const core::Build& build : job.builds) {
      const auto* waiting = std::get_if<core::BuildWaiting>(&build.state);
      run_.Trace(id, " ", ToString(build.platform), ": state ", build.state.index(), " ",
                 waiting == nullptr ? "" : waiting->reason, ", ", build.attempts.size(),
                 " attempts");
    }
    run_.Violated("job ", id,
                  " is not finished long after the faults have stopped: ", job.status_reason);
    return;
  }
  CheckTagsAtEnd();
  CheckWorkersAtEnd();
}

// Whether a job that this one repeats, and whose list may be the same, has written the tag.
bool World::EarlierTryWrote(const core::Job& job, const std::string& tag) const {
  for (auto earlier = store_.jobs.find(job.retry_of); earlier != store_.jobs.end();
       earlier = store_.jobs.find(earlier->second.retry_of)) {
    for (const core::TagOutcome& outcome : earlier->second.tags) {
      if (outcome.written && outcome.ref.ToString() == tag) return true;
    }
  }
  return false;
}

// Whether the job `id` is repeated by this one, whose list may be the same.
bool World::Repeats(const std::string& job, const std::string& id) const {
  for (auto at = store_.jobs.find(job); at != store_.jobs.end();
       at = store_.jobs.find(at->second.retry_of)) {
    if (at->first == id) return true;
  }
  return false;
}

// Once things are quiet, a tag points to a job's list exactly when the job says so.
void World::CheckTagsAtEnd() {
  for (const auto& [id, job] : store_.jobs) {
    for (const core::TagOutcome& outcome : job.tags) {
      const std::string tag = outcome.ref.ToString();
      const auto found = registry_.tags.find(tag);
      const auto writer =
          found == registry_.tags.end() ? list_writers_.end() : list_writers_.find(found->second);
      const bool points_here = writer != list_writers_.end() && writer->second == id;
      const bool overwritten = tag_generation_[tag] > job.generation;
      const core::PublishIntent* intent = IntentOf(job);
      const bool same_list =
          found != registry_.tags.end() && intent != nullptr && intent->digest == found->second;
      const bool by_earlier_try = EarlierTryWrote(job, tag);
      const bool to_later_try = writer != list_writers_.end() && Repeats(writer->second, id);
      if (outcome.written && !points_here && !to_later_try && !same_list && !overwritten &&
          !by_earlier_try) {
        run_.Violated("job ", id, " says that it has written ", tag, ", which points elsewhere");
      }
      if (!outcome.written && points_here && !by_earlier_try) {
        run_.Violated(tag, " points to the list of job ", id, ", which does not say so");
      }
      if (std::holds_alternative<core::JobSucceeded>(job.state) && !outcome.written &&
          outcome.note.empty()) {
        run_.Violated("job ", id, " succeeded without writing ", tag, " and does not say why");
      }
    }
  }
}

// Nothing runs, nothing is owed, and both sides agree on it.
void World::CheckWorkersAtEnd() {
  if (controller() == nullptr || !controller()->ready()) {
    run_.Violated("the controller is not back");
    return;
  }
  for (const auto& worker : workers_) {
    if (!worker->up()) continue;
    const core::Worker* seen = controller()->farm().FindWorker(worker->id());
    if (seen == nullptr || !std::holds_alternative<core::WorkerConnected>(seen->state)) {
      run_.Violated(worker->id(), " has not found back to the controller");
    } else if (!seen->occupied.empty()) {
      run_.Violated(worker->id(), " has a slot taken by ", *seen->occupied.begin(),
                    ", says the controller, and nothing runs");
    }
    if (!worker->Idle()) {
      run_.Violated(worker->id(), " still runs something, or holds a result that nobody took");
    }
  }
}

}  // namespace manyarch::sim
