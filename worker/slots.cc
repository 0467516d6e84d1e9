#include "worker/slots.h"

#include <utility>

#include "worker/link/wire.h"

namespace manyarch::worker {

class Slots::Observer : public AttemptObserver {
 public:
  Observer(const Job& job, const Sink& sink) : job_(job), sink_(sink) {}

  void OnState(v1::AttemptState state) override {
    sink_.event(
        core::AttemptStateChanged{job_.attempt.offer.attempt_id(), link::PhaseFromWire(state)});
  }
  void OnOutput(absl::string_view bytes) override {
    job_.log->Append(bytes);
    sink_.log_grew();
  }

 private:
  const Job& job_;
  const Sink& sink_;
};

Slots::Slots(int count, AttemptRunner* runner, Sink sink)
    : runner_(runner),
      sink_(std::move(sink)),
      waiting_(static_cast<size_t>(count)),
      prunes_(static_cast<size_t>(count)) {
  for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { RunSlot(i); });
}

Slots::~Slots() {
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
    for (StopToken* prune : prunes_) {
      if (prune != nullptr) prune->Stop("the worker is ending");
    }
    for (const auto& [id, stop] : stops_) stop->Stop("the worker is ending");
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Slots::Start(AttemptContext attempt, std::shared_ptr<link::LogSpool> log) {
  absl::MutexLock lock(&mutex_);
  auto stop = std::make_shared<StopToken>();
  stops_[attempt.offer.attempt_id()] = stop;
  const auto slot = static_cast<size_t>(attempt.slot);
  waiting_[slot].push_back(Job{std::move(attempt), std::move(log), std::move(stop)});
  if (prunes_[slot] != nullptr) prunes_[slot]->Stop("the slot has an attempt to run");
  changed_.SignalAll();
}

void Slots::Stop(const std::string& attempt_id, const std::string& reason) {
  Job waiting;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = stops_.find(attempt_id);
    if (it == stops_.end()) return;
    it->second->Stop(reason);
    for (std::deque<Job>& jobs : waiting_) {
      for (auto job = jobs.begin(); job != jobs.end(); ++job) {
        if (job->attempt.offer.attempt_id() != attempt_id) continue;
        waiting = std::move(*job);
        jobs.erase(job);
        break;
      }
    }
  }
  if (waiting.log == nullptr) return;  // It runs.
  v1::Finished cancelled;
  cancelled.mutable_cancelled();
  Report(waiting, std::move(cancelled));
}

void Slots::Report(const Job& job, v1::Finished finished) {
  finished.set_attempt_id(job.attempt.offer.attempt_id());
  finished.set_log_size(job.log->Seal());
  {
    absl::MutexLock lock(&mutex_);
    stops_.erase(finished.attempt_id());
  }
  sink_.log_grew();
  sink_.event(core::AttemptFinished{link::FromWire(finished)});
}

void Slots::RunSlot(int slot) {
  while (true) {
    Job job;
    {
      absl::MutexLock lock(&mutex_);
      while (!HasWork(slot)) changed_.Wait(&mutex_);
      if (closing_) return;
      job = std::move(waiting_[slot].front());
      waiting_[slot].pop_front();
    }
    Observer observer(job, sink_);
    Report(job, runner_->Run(job.attempt, observer, *job.stop));
    Prune(slot);
  }
}

void Slots::Prune(int slot) {
  StopToken stop;
  {
    absl::MutexLock lock(&mutex_);
    if (closing_) return;
    prunes_[slot] = &stop;
    if (HasWork(slot)) stop.Stop("the slot has an attempt to run");
  }
  runner_->Prune(stop);
  absl::MutexLock lock(&mutex_);
  prunes_[slot] = nullptr;
}

}  // namespace manyarch::worker
