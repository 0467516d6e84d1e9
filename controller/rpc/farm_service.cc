#include "controller/rpc/farm_service.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "controller/rpc/explanation.h"
#include "controller/rpc/farm_calls.h"
#include "controller/rpc/retry.h"
#include "controller/rpc/status.h"
#include "controller/rpc/submission.h"
#include "controller/wire/convert.h"
#include "controller/wire/times.h"
#include "spdlog/spdlog.h"

namespace manyarch::controller::rpc {

namespace {

// The first piece is small and each is twice the one before, so that a reader gets on over a
// connection that breaks often.
constexpr size_t kFirstLogPiece = size_t{32} * 1024;
constexpr size_t kLargestLogPiece = size_t{256} * 1024;
constexpr absl::Duration kLongestCall = absl::Seconds(60);
constexpr absl::Duration kTailPatience = absl::Seconds(30);
constexpr int kMostReferences = 100;

absl::Time DeadlineOf(const grpc::ServerContext& context) {
  const absl::Time latest = absl::Now() + kLongestCall;
  return std::min(latest, absl::FromChrono(context.deadline()));
}

bool IsTerminal(const v1::Attempt& attempt) {
  return attempt.state() >= v1::ATTEMPT_STATE_SUCCEEDED;
}

std::string KeyConflict(const std::string& key, const std::string& job_id) {
  return absl::StrCat("the idempotency key '", key, "' belongs to job ", job_id,
                      ", which was submitted with another request; use a new key");
}

}  // namespace

FarmService::FarmService(std::string version, CallPort* calls, JobPort* jobs, LogPort* logs,
                         ContentPort* content, RegistryPort* registry, SecretPort* secrets)
    : version_(std::move(version)),
      calls_(calls),
      jobs_(jobs),
      logs_(logs),
      content_(content),
      registry_(registry),
      secrets_(secrets) {}

// A platform that only workers on other machines offer cannot be pushed to a registry on a
// loopback.
absl::Status FarmService::CheckLoopback(const v1::JobSpec& spec, const core::JobSpec& core_spec) {
  const std::vector<v1::Worker> workers = jobs_->Workers();
  for (const v1::PlatformRequest& request : spec.platforms()) {
    const v1::Worker* elsewhere = nullptr;
    bool here = false;
    for (const v1::Worker& worker : workers) {
      if (worker.state() == v1::WORKER_STATE_LOST) continue;
      for (const v1::OfferedPlatform& offered : worker.description().platforms()) {
        if (wire::FromProto(offered.platform()) != wire::FromProto(request.platform())) continue;
        if (registry_->IsLocal(worker.description())) {
          here = true;
        } else {
          elsewhere = &worker;
        }
      }
    }
    if (here || elsewhere == nullptr) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        core_spec.tags.front().repository,
        " is on the loopback address of the controller's machine, but ",
        ToString(wire::FromProto(request.platform())), " would be built by ",
        elsewhere->description().name(),
        " on another machine, which cannot push there; use a registry address that all machines "
        "can reach"));
  }
  return absl::OkStatus();
}

// The spec with the values that came with the request, sealed.
absl::StatusOr<std::shared_ptr<const core::JobSpec>> FarmService::WithSecrets(
    const std::string& job_id, std::shared_ptr<const core::JobSpec> spec,
    const v1::SubmitRequest& request) {
  const JobSecrets secrets = SecretsOf(request);
  if (secrets.secrets.empty() && secrets.ssh_keys.empty() && secrets.authfile.empty()) return spec;
  auto sealed = std::make_shared<core::JobSpec>(*spec);
  MA_ASSIGN_OR_RETURN(sealed->sealed, secrets_->Seal(job_id, secrets));
  return sealed;
}

absl::StatusOr<v1::SubmitResponse> FarmService::TrySubmit(const v1::SubmitRequest& request,
                                                          const Repeated& repeated,
                                                          absl::Time deadline) {
  if (stopping_) return Stopping();
  MA_ASSIGN_OR_RETURN(v1::JobSpec spec, CheckSubmission(request));
  v1::SubmitResponse response;
  // A repeated submission is answered without asking the registry again.
  MA_ASSIGN_OR_RETURN(const auto known, jobs_->FindSubmission(request.idempotency_key()));
  if (known) {
    if (known->second != request.request_hash()) {
      return absl::AlreadyExistsError(KeyConflict(request.idempotency_key(), known->first));
    }
    MA_ASSIGN_OR_RETURN(*response.mutable_job(), jobs_->Get(known->first));
    response.set_existed(true);
    return response;
  }
  MA_RETURN_IF_ERROR(content_->CheckRoom());
  MA_RETURN_IF_ERROR(content_->CheckContexts(spec));
  MA_ASSIGN_OR_RETURN(std::shared_ptr<const core::JobSpec> core_spec, wire::FromProto(spec));
  if (core_spec->local_only) MA_RETURN_IF_ERROR(CheckLoopback(spec, *core_spec));
  MA_RETURN_IF_ERROR(registry_->Preflight(spec, request.authfile(), repeated.written));

  core::Submit event;
  event.job_id = JobIdFrom(RandomBits());
  MA_ASSIGN_OR_RETURN(core_spec, WithSecrets(event.job_id, std::move(core_spec), request));
  event.idempotency_key = request.idempotency_key();
  event.request_hash = request.request_hash();
  event.spec = std::move(core_spec);
  event.retry_of = repeated.job_id;
  event.reuse = repeated.reuse;
  const CallPort::Reply reply = calls_->Call(std::move(event), deadline);
  MA_RETURN_IF_ERROR(reply.status);
  MA_ASSIGN_OR_RETURN(*response.mutable_job(), jobs_->Get(reply.job_id));
  response.set_existed(reply.existed);
  return response;
}

grpc::Status FarmService::Submit(grpc::ServerContext* context, const v1::SubmitRequest* request,
                                 v1::SubmitResponse* response) {
  absl::StatusOr<v1::SubmitResponse> result = TrySubmit(*request, {}, DeadlineOf(*context));
  if (!result.ok()) return ToGrpc(result.status());
  *response = *std::move(result);
  return grpc::Status::OK;
}

absl::StatusOr<v1::SubmitResponse> FarmService::TryRetry(const v1::RetryJobRequest& request,
                                                         absl::Time deadline) {
  MA_ASSIGN_OR_RETURN(const v1::Job job, jobs_->Get(request.job_id()));
  MA_ASSIGN_OR_RETURN(Retry retry, RetryOf(job, request));
  auto response =
      TrySubmit(retry.request, {job.id(), std::move(retry.reuse), TagsLeftBy(job)}, deadline);
  // Here nobody can send what is missing.
  if (absl::IsFailedPrecondition(response.status()) && !content_->CheckContexts(job.spec()).ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the files that job ", job.id(), " was built from are no longer on the controller (",
        response.status().message(), "): submit it again with `manyarch build`"));
  }
  return response;
}

grpc::Status FarmService::RetryJob(grpc::ServerContext* context, const v1::RetryJobRequest* request,
                                   v1::SubmitResponse* response) {
  absl::StatusOr<v1::SubmitResponse> result = TryRetry(*request, DeadlineOf(*context));
  if (!result.ok()) return ToGrpc(result.status());
  *response = *std::move(result);
  return grpc::Status::OK;
}

grpc::Status FarmService::ExplainJob(grpc::ServerContext* context,
                                     const v1::ExplainJobRequest* request,
                                     v1::ExplainJobResponse* response) {
  absl::StatusOr<v1::Job> job = jobs_->Get(request->job_id());
  if (!job.ok()) return ToGrpc(job.status());
  CallPort::Reply reply;
  if (!IsTerminal(*job)) {
    reply = calls_->Call(core::Explain{0, job->id(), false}, DeadlineOf(*context));
    // It has ended meanwhile.
    if (!reply.status.ok() && !absl::IsNotFound(reply.status)) return ToGrpc(reply.status);
    job = jobs_->Get(job->id());
    if (!job.ok()) return ToGrpc(job.status());
  }
  *response = ExplanationOf(*std::move(job), reply.builds);
  return grpc::Status::OK;
}

grpc::Status FarmService::CheckDestinations(grpc::ServerContext* /*context*/,
                                            const v1::CheckDestinationsRequest* request,
                                            v1::CheckDestinationsResponse* response) {
  if (stopping_) return ToGrpc(Stopping());
  if (request->references_size() > kMostReferences) {
    return ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("at most ", kMostReferences, " references are checked at a time")));
  }
  absl::StatusOr<v1::CheckDestinationsResponse> checks = registry_->CheckDestinations(*request);
  if (!checks.ok()) return ToGrpc(checks.status());
  *response = *std::move(checks);
  return grpc::Status::OK;
}

grpc::Status FarmService::GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                                 v1::GetJobResponse* response) {
  absl::StatusOr<v1::Job> job = jobs_->Get(request->job_id());
  if (!job.ok()) return ToGrpc(job.status());
  // A watcher is not told each time that the words change.
  AddReasons(AddTimes(*job, std::min(DeadlineOf(*context), absl::Now() + absl::Seconds(1))), *job);
  *response->mutable_job() = *std::move(job);
  return grpc::Status::OK;
}

grpc::Status FarmService::ListJobs(grpc::ServerContext* /*context*/,
                                   const v1::ListJobsRequest* request,
                                   v1::ListJobsResponse* response) {
  absl::StatusOr<std::vector<v1::Job>> jobs = jobs_->List(*request);
  if (!jobs.ok()) return ToGrpc(jobs.status());
  for (v1::Job& job : *jobs) *response->add_jobs() = std::move(job);
  return grpc::Status::OK;
}

absl::StatusOr<bool> FarmService::IsFinished(const std::string& attempt_id, int64_t* log_size) {
  const std::string job_id = attempt_id.substr(0, attempt_id.find('-'));
  MA_ASSIGN_OR_RETURN(const v1::Job job, jobs_->Get(job_id));
  for (const v1::Build& build : job.builds()) {
    for (const v1::Attempt& attempt : build.attempts()) {
      if (attempt.id() != attempt_id) continue;
      *log_size = attempt.log_size();
      return IsTerminal(attempt) || attempt.state() == v1::ATTEMPT_STATE_VERIFYING;
    }
  }
  return absl::NotFoundError(absl::StrCat("there is no attempt '", attempt_id, "'"));
}

absl::StatusOr<int64_t> FarmService::StartOf(const v1::ReadLogRequest& request) {
  if (request.offset() < 0) {
    return absl::InvalidArgumentError("the offset of a log cannot be negative");
  }
  if (request.has_tail_lines() && request.tail_lines() < 0) {
    return absl::InvalidArgumentError("the lines before the end of a log cannot be negative");
  }
  int64_t start = request.offset();
  const std::string& id = request.attempt_id();
  if (request.has_tail_lines()) {
    MA_ASSIGN_OR_RETURN(start, logs_->OffsetOfTail(id, request.tail_lines()));
  }
  if (request.has_since()) {
    MA_ASSIGN_OR_RETURN(const int64_t since,
                        logs_->OffsetSince(id, wire::FromProto(request.since())));
    // The later of the two where both are given.
    start = request.has_tail_lines() ? std::max(start, since) : since;
  }
  return start;
}

grpc::Status FarmService::ReadLog(grpc::ServerContext* context, const v1::ReadLogRequest* request,
                                  grpc::ServerWriter<v1::ReadLogResponse>* writer) {
  const absl::StatusOr<int64_t> start = StartOf(*request);
  if (!start.ok()) return ToGrpc(start.status());
  int64_t offset = *start;
  // Says where it starts, so that a reader that is cut off before the first bytes can go on there.
  if (request->has_tail_lines() || request->has_since()) {
    v1::ReadLogResponse here;
    here.set_offset(offset);
    if (!writer->Write(here)) return grpc::Status::CANCELLED;
  }
  size_t piece = kFirstLogPiece;
  absl::Time last_news = absl::Now();
  while (!context->IsCancelled()) {
    if (stopping_) return ToGrpc(Stopping());
    // Asked first: what is there once it has finished is all there is.
    int64_t log_size = 0;
    const absl::StatusOr<bool> finished = IsFinished(request->attempt_id(), &log_size);
    if (!finished.ok()) return ToGrpc(finished.status());
    bool any = false;
    while (!context->IsCancelled()) {
      absl::StatusOr<std::string> data = logs_->Read(request->attempt_id(), offset, piece);
      piece = std::min(2 * piece, kLargestLogPiece);
      if (!data.ok()) return ToGrpc(data.status());
      if (data->empty()) break;
      any = true;
      v1::ReadLogResponse response;
      response.set_offset(offset);
      offset += static_cast<int64_t>(data->size());
      response.set_data(*std::move(data));
      if (!writer->Write(response)) return grpc::Status::CANCELLED;
    }
    if (!request->follow() || (*finished && offset >= log_size)) return grpc::Status::OK;
    // The rest may still come from a worker that is cut off; it may also never come.
    if (any || !*finished) last_news = absl::Now();
    if (absl::Now() > last_news + kTailPatience) {
      return ToGrpc(absl::DataLossError(absl::StrCat("the log of ", request->attempt_id(),
                                                     " ends after ", offset, " of ", log_size,
                                                     " bytes: its worker has not sent the rest")));
    }
    if (!any) logs_->AwaitMore(request->attempt_id(), offset, *finished, absl::Now() + kLookUp);
  }
  return grpc::Status::CANCELLED;
}

grpc::Status FarmService::CancelJob(grpc::ServerContext* context,
                                    const v1::CancelJobRequest* request,
                                    v1::CancelJobResponse* response) {
  if (stopping_) return ToGrpc(Stopping());
  absl::StatusOr<v1::Job> job = jobs_->Get(request->job_id());
  if (!job.ok()) return ToGrpc(job.status());
  if (job->state() != v1::JOB_STATE_CANCELLED) {
    if (IsTerminal(*job)) {
      return ToGrpc(absl::FailedPreconditionError(
          absl::StrCat("job ", job->id(), " has already finished, there is nothing to cancel")));
    }
    core::Cancel event;
    event.job_id = job->id();
    event.reason = request->reason();
    const CallPort::Reply reply = calls_->Call(std::move(event), DeadlineOf(*context));
    if (!reply.status.ok()) return ToGrpc(reply.status);
    job = jobs_->Get(job->id());
    if (!job.ok()) return ToGrpc(job.status());
  }
  *response->mutable_job() = *std::move(job);
  return grpc::Status::OK;
}

grpc::Status FarmService::ListWorkers(grpc::ServerContext* /*context*/,
                                      const v1::ListWorkersRequest* /*request*/,
                                      v1::ListWorkersResponse* response) {
  for (v1::Worker& worker : jobs_->Workers()) *response->add_workers() = std::move(worker);
  return grpc::Status::OK;
}

grpc::Status FarmService::SetWorkerAdmission(grpc::ServerContext* context,
                                             const v1::SetWorkerAdmissionRequest* request,
                                             v1::SetWorkerAdmissionResponse* response) {
  if (stopping_) return ToGrpc(Stopping());
  if (request->admission() == v1::WORKER_ADMISSION_UNSPECIFIED) {
    return ToGrpc(absl::InvalidArgumentError(
        "say whether the worker is to be schedulable, cordoned or draining"));
  }
  core::SetAdmission event;
  event.worker = request->worker();
  event.admission = wire::FromProto(request->admission());
  // Why it takes builds again is of no interest to those that wait.
  if (event.admission != core::Admission::kSchedulable) event.reason = request->reason();
  const CallPort::Reply reply = calls_->Call(std::move(event), DeadlineOf(*context));
  if (!reply.status.ok()) return ToGrpc(reply.status);
  spdlog::info("worker {}: now {}{}", EscapedText(request->worker()),
               request->admission() == v1::WORKER_ADMISSION_CORDONED   ? "cordoned"
               : request->admission() == v1::WORKER_ADMISSION_DRAINING ? "draining"
                                                                       : "schedulable",
               request->reason().empty() ? "" : ": " + EscapedText(request->reason()));
  for (v1::Worker& worker : jobs_->Workers()) {
    if (worker.description().id() == reply.job_id) *response->mutable_worker() = std::move(worker);
  }
  return grpc::Status::OK;
}

grpc::Status FarmService::GetInfo(grpc::ServerContext* /*context*/,
                                  const v1::GetInfoRequest* /*request*/,
                                  v1::GetInfoResponse* response) {
  response->set_version(version_);
  response->set_protocol_version(kProtocolVersion);
  *response->mutable_context_limits() = content_->Limits();
  return grpc::Status::OK;
}

}  // namespace manyarch::controller::rpc
