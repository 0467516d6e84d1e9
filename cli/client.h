// The connection to the controller: deadlines, and errors as sentences.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "manyarch/v1/content.grpc.pb.h"
#include "manyarch/v1/farm.grpc.pb.h"

namespace manyarch::cli {

// Lets one thread end calls that another one is in. Once cancelled, later calls end at once too.
// Thread-safe.
class Cancellation {
 public:
  void Cancel();
  bool cancelled() const;

 private:
  friend class Client;
  class Scope;
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

// Calls to one controller. Dials when the first call is made. Thread-safe.
class Client {
 public:
  explicit Client(std::string address);

  const std::string& address() const { return address_; }

  absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request);
  absl::StatusOr<v1::SubmitResponse> RetryJob(const v1::RetryJobRequest& request);
  absl::StatusOr<v1::ExplainJobResponse> ExplainJob(absl::string_view job_id);
  absl::StatusOr<v1::Job> GetJob(absl::string_view job_id);
  absl::StatusOr<v1::ListJobsResponse> ListJobs(const v1::ListJobsRequest& request,
                                                absl::Duration timeout = absl::Seconds(30));
  absl::StatusOr<v1::Job> CancelJob(absl::string_view job_id, absl::string_view reason);
  absl::StatusOr<v1::ListWorkersResponse> ListWorkers(absl::Duration timeout = absl::Seconds(30));
  absl::StatusOr<v1::Worker> SetWorkerAdmission(const v1::SetWorkerAdmissionRequest& request);
  absl::StatusOr<v1::CheckDestinationsResponse> CheckDestinations(
      const v1::CheckDestinationsRequest& request);
  absl::StatusOr<v1::GetInfoResponse> GetInfo(absl::Duration timeout = absl::Seconds(30));
  absl::StatusOr<v1::FindMissingResponse> FindMissing(const v1::FindMissingRequest& request);

  // OK when the controller ended the stream: the job is terminal.
  absl::Status WatchJob(const v1::WatchJobRequest& request, Cancellation& cancellation,
                        const std::function<void(const v1::Job&)>& on_job);
  // OK when the controller ended the stream: that is the log's end, or its present end.
  absl::Status ReadLog(const v1::ReadLogRequest& request, Cancellation& cancellation,
                       const std::function<void(const v1::ReadLogResponse&)>& on_piece);
  // Calls `next` for one piece after the other until it returns false or an error.
  absl::StatusOr<v1::UploadResponse> Upload(
      absl::Duration timeout,
      const std::function<absl::StatusOr<bool>(v1::UploadRequest& piece)>& next);

 private:
  absl::Status ToStatus(const grpc::Status& status) const;
  template <typename Response, typename Call>
  absl::StatusOr<Response> Unary(absl::Duration timeout, const Call& call);

  const std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Farm::Stub> farm_;
  std::unique_ptr<v1::Content::Stub> content_;
};

// The controller did not answer at all, as opposed to an UNAVAILABLE that it sent.
bool IsUnreachable(const absl::Status& status);

// The same call may succeed a little later.
bool IsWorthRepeating(const absl::Status& status);

}  // namespace manyarch::cli
