#include "controller/board.h"

#include <algorithm>

#include "controller/wire/convert.h"

namespace manyarch::controller {

void Board::Update(const core::Job& job, v1::Job proto) {
  auto shown = std::make_shared<const v1::Job>(std::move(proto));
  absl::MutexLock lock(&mutex_);
  Entry& entry = jobs_[job.id];
  if (entry.shown.spec == nullptr) {
    entry.shown.spec = std::make_shared<const v1::JobSpec>(wire::ToProto(*job.spec));
  }
  const bool was_live = entry.shown.job == nullptr || !entry.shown.job->has_finished_at();
  entry.shown.job = std::move(shown);
  entry.changed->SignalAll();
  if (was_live && core::IsTerminal(job.state)) {
    finished_.push_back(job.id);
    if (finished_.size() > kFinishedKept) {
      const auto oldest = jobs_.find(finished_.front());
      if (oldest != jobs_.end()) {
        oldest->second.changed->SignalAll();
        jobs_.erase(oldest);
      }
      finished_.pop_front();
    }
  }
}

void Board::UpdateWorker(const core::Worker& worker) {
  v1::Worker proto = wire::ToProto(worker);
  absl::MutexLock lock(&mutex_);
  workers_[worker.description.id] = std::move(proto);
}

void Board::Clear() {
  absl::MutexLock lock(&mutex_);
  for (auto& [id, entry] : jobs_) entry.changed->SignalAll();
  jobs_.clear();
  finished_.clear();
  workers_.clear();
}

v1::Job Board::Whole(const Shown& shown) {
  v1::Job job = *shown.job;
  *job.mutable_spec() = *shown.spec;
  return job;
}

std::optional<v1::Job> Board::Find(const std::string& job_id) const {
  Shown shown;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = jobs_.find(job_id);
    if (it == jobs_.end()) return std::nullopt;
    shown = it->second.shown;
  }
  return Whole(shown);
}

bool Board::Has(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  return jobs_.contains(job_id);
}

std::optional<v1::Job> Board::Await(const std::string& job_id, int64_t seen,
                                    absl::Time deadline) const {
  Shown shown;
  {
    absl::MutexLock lock(&mutex_);
    while (true) {
      const auto it = jobs_.find(job_id);
      if (it == jobs_.end()) return std::nullopt;
      shown = it->second.shown;
      if (shown.job->revision() != seen) break;
      const std::shared_ptr<absl::CondVar> changed = it->second.changed;
      if (changed->WaitWithDeadline(&mutex_, deadline)) return std::nullopt;
    }
  }
  return Whole(shown);
}

std::vector<v1::Worker> Board::Workers() const {
  std::vector<v1::Worker> workers;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, worker] : workers_) workers.push_back(worker);
  }
  std::sort(workers.begin(), workers.end(), [](const v1::Worker& a, const v1::Worker& b) {
    return a.description().name() < b.description().name();
  });
  return workers;
}

}  // namespace manyarch::controller
