// What clients call. Every handler converts, calls, maps the status.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "controller/core/effects.h"
#include "controller/rpc/ports.h"
#include "manyarch/v1/farm.grpc.pb.h"

namespace manyarch::controller::rpc {

// Served on the synchronous API: one thread a call. Thread-safe.
class FarmService : public v1::Farm::Service {
 public:
  FarmService(std::string version, CallPort* calls, JobPort* jobs, LogPort* logs,
              ContentPort* content, RegistryPort* registry, SecretPort* secrets);

  // From now on streams end with UNAVAILABLE and submissions are refused so.
  void Stop() { stopping_ = true; }

  grpc::Status Submit(grpc::ServerContext* context, const v1::SubmitRequest* request,
                      v1::SubmitResponse* response) override;
  grpc::Status RetryJob(grpc::ServerContext* context, const v1::RetryJobRequest* request,
                        v1::SubmitResponse* response) override;
  grpc::Status ExplainJob(grpc::ServerContext* context, const v1::ExplainJobRequest* request,
                          v1::ExplainJobResponse* response) override;
  grpc::Status CheckDestinations(grpc::ServerContext* context,
                                 const v1::CheckDestinationsRequest* request,
                                 v1::CheckDestinationsResponse* response) override;
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override;
  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::WatchJobResponse>* writer) override;
  grpc::Status ReadLog(grpc::ServerContext* context, const v1::ReadLogRequest* request,
                       grpc::ServerWriter<v1::ReadLogResponse>* writer) override;
  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context, const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;
  grpc::Status SetWorkerAdmission(grpc::ServerContext* context,
                                  const v1::SetWorkerAdmissionRequest* request,
                                  v1::SetWorkerAdmissionResponse* response) override;
  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request,
                       v1::GetInfoResponse* response) override;

 private:
  // What a submission repeats.
  struct Repeated {
    std::string job_id;  // Empty: nothing.
    std::vector<core::ReusableImage> reuse;
    std::set<std::string> written;  // Tags.
  };
  absl::StatusOr<v1::SubmitResponse> TrySubmit(const v1::SubmitRequest& request,
                                               const Repeated& repeated, absl::Time deadline);
  absl::StatusOr<v1::SubmitResponse> TryRetry(const v1::RetryJobRequest& request,
                                              absl::Time deadline);
  std::vector<core::BuildExplanation> AddTimes(v1::Job& job, absl::Time deadline);
  absl::StatusOr<int64_t> StartOf(const v1::ReadLogRequest& request);
  absl::StatusOr<std::shared_ptr<const core::JobSpec>> WithSecrets(
      const std::string& job_id, std::shared_ptr<const core::JobSpec> spec,
      const v1::SubmitRequest& request);
  absl::Status CheckLoopback(const v1::JobSpec& spec, const core::JobSpec& core_spec);
  absl::StatusOr<bool> IsFinished(const std::string& attempt_id, int64_t* log_size);

  const std::string version_;
  CallPort* const calls_;
  JobPort* const jobs_;
  LogPort* const logs_;
  ContentPort* const content_;
  RegistryPort* const registry_;
  SecretPort* const secrets_;
  std::atomic<bool> stopping_{false};
};

}  // namespace manyarch::controller::rpc
