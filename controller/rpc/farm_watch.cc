// A job as it goes on, for clients that watch it, with what is predicted of it.
#include <utility>

#include "absl/time/clock.h"
#include "controller/rpc/explanation.h"
#include "controller/rpc/farm_calls.h"
#include "controller/rpc/farm_service.h"
#include "controller/rpc/status.h"

namespace manyarch::controller::rpc {

namespace {

// Watchers are told when builds are predicted to end no more often than this.
constexpr absl::Duration kTellTimes = absl::Seconds(2);
// And no less often, though nothing else has changed.
constexpr absl::Duration kTellTimesAgain = absl::Seconds(15);

}  // namespace

// What is predicted of a job that lives; nothing where the loop has no time to say.
std::vector<core::BuildExplanation> FarmService::AddTimes(v1::Job& job, absl::Time deadline) {
  if (IsTerminal(job)) return {};
  CallPort::Reply reply = calls_->Call(core::Explain{0, job.id(), true}, deadline);
  if (!reply.status.ok()) return {};
  AddForecast(reply.builds, job);
  return std::move(reply.builds);
}

grpc::Status FarmService::WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                                   grpc::ServerWriter<v1::WatchJobResponse>* writer) {
  const absl::StatusOr<v1::Job> first = jobs_->Get(request->job_id());
  if (!first.ok()) return ToGrpc(first.status());
  const std::string id = first->id();
  // A revision from before a restart of the controller may be ahead of what it has now: any
  // difference counts as news.
  int64_t seen =
      request->after_revision() > 0 && !IsTerminal(*first) ? request->after_revision() : -1;
  absl::Time told = absl::InfinitePast();
  v1::Job known = *first;  // As the store has it, without what is predicted.
  v1::WatchJobResponse response;
  while (!context->IsCancelled()) {
    if (stopping_) return ToGrpc(Stopping());
    absl::StatusOr<std::optional<v1::Job>> job = jobs_->Await(id, seen, absl::Now() + kLookUp);
    if (!job.ok()) return ToGrpc(job.status());
    const absl::Duration since = absl::Now() - told;
    if (!job->has_value() && since < kTellTimesAgain) continue;
    if (job->has_value()) known = **std::move(job);
    seen = known.revision();
    v1::Job now = known;
    if (since > kTellTimes) {
      AddTimes(now, absl::Now() + kLookUp);
      told = absl::Now();
    } else {
      KeepForecast(response.job(), now);
    }
    *response.mutable_job() = std::move(now);
    if (!writer->Write(response)) break;
    if (IsTerminal(known)) return grpc::Status::OK;
  }
  return grpc::Status::CANCELLED;
}

}  // namespace manyarch::controller::rpc
