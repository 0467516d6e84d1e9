#include "cli/client.h"

#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace manyarch::cli {

namespace {

constexpr absl::string_view kUnreachable = "manyarch.unreachable";
constexpr absl::Duration kUnaryTimeout = absl::Seconds(30);
// The controller checks the registry before it accepts a job.
constexpr absl::Duration kSubmitTimeout = absl::Minutes(3);

std::shared_ptr<grpc::Channel> Dial(const std::string& address) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // This one also bounds an attempt to connect. Nobody polls while a caller sleeps between calls,
  // so with little time connections that were made would count as too late.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // http_proxy in the environment is for the web: a controller on this machine is no part of it.
  if (absl::StartsWith(address, "127.") || absl::StartsWith(address, "localhost:") ||
      absl::StartsWith(address, "[::1]")) {
    args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  }
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args);
}

// "… Failed to connect to remote host: Connection refused" → "connection refused".
std::string Reason(absl::string_view message) {
  if (absl::StrContains(message, "http1.x server")) {
    return "what listens there is no controller of manyarch";
  }
  for (const absl::string_view marker : {absl::string_view("Failed to connect to remote host: "),
                                         absl::string_view("last error: ")}) {
    const size_t at = message.rfind(marker);
    if (at != absl::string_view::npos) message.remove_prefix(at + marker.size());
  }
  std::string reason(message.empty() ? "no answer" : message);
  if (reason.size() > 1 && !absl::ascii_isupper(static_cast<unsigned char>(reason[1]))) {
    reason[0] = absl::ascii_tolower(static_cast<unsigned char>(reason[0]));
  }
  return reason;
}

void SetDeadline(grpc::ClientContext& context, absl::Duration timeout) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
}

}  // namespace

// Makes a call known to a Cancellation for as long as it lasts.
class Cancellation::Scope {
 public:
  Scope(Cancellation& owner, grpc::ClientContext& call) : owner_(owner) {
    absl::MutexLock lock(&owner_.mutex_);
    if (owner_.cancelled_) call.TryCancel();
    owner_.call_ = &call;
  }
  ~Scope() {
    absl::MutexLock lock(&owner_.mutex_);
    owner_.call_ = nullptr;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Cancellation& owner_;
};

void Cancellation::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (call_ != nullptr) call_->TryCancel();
}

bool Cancellation::cancelled() const {
  absl::MutexLock lock(&mutex_);
  return cancelled_;
}

Client::Client(std::string address)
    : address_(std::move(address)),
      channel_(Dial(address_)),
      farm_(v1::Farm::NewStub(channel_)),
      content_(v1::Content::NewStub(channel_)) {}

absl::Status Client::ToStatus(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  // An UNAVAILABLE over a living connection is the controller's own word.
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      channel_->GetState(false) != GRPC_CHANNEL_READY) {
    absl::Status unreachable = absl::UnavailableError(absl::StrCat(
        "cannot reach the controller at ", address_, ": ", Reason(status.error_message()),
        ". Start one with `manyarch dev`, or set MANYARCH_CONTROLLER."));
    unreachable.SetPayload(kUnreachable, absl::Cord("1"));
    return unreachable;
  }
  // Calls that were cancelled here are not asked what became of them: it was the controller, which
  // stopped in the middle of it. Then it is as out of reach as one that does not answer.
  if (status.error_code() == grpc::StatusCode::CANCELLED ||
      absl::StartsWith(status.error_message(), "the controller is stopping")) {
    absl::Status unreachable = absl::UnavailableError(absl::StrCat(
        "the controller at ", address_, " ended the call: it is stopping or being restarted"));
    unreachable.SetPayload(kUnreachable, absl::Cord("1"));
    return unreachable;
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::DeadlineExceededError(
        absl::StrCat("the controller at ", address_, " did not answer in time"));
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::UnimplementedError(absl::StrCat(
        "what answers at ", address_,
        " is no controller of manyarch, or one too old for this: ", status.error_message()));
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

template <typename Response, typename Call>
absl::StatusOr<Response> Client::Unary(absl::Duration timeout, const Call& call) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  Response response;
  MA_RETURN_IF_ERROR(ToStatus(call(&context, &response)));
  return response;
}

absl::StatusOr<v1::SubmitResponse> Client::Submit(const v1::SubmitRequest& request) {
  return Unary<v1::SubmitResponse>(kSubmitTimeout, [&](auto* context, auto* response) {
    return farm_->Submit(context, request, response);
  });
}

absl::StatusOr<v1::SubmitResponse> Client::RetryJob(const v1::RetryJobRequest& request) {
  return Unary<v1::SubmitResponse>(kSubmitTimeout, [&](auto* context, auto* response) {
    return farm_->RetryJob(context, request, response);
  });
}

absl::StatusOr<v1::ExplainJobResponse> Client::ExplainJob(absl::string_view job_id) {
  v1::ExplainJobRequest request;
  request.set_job_id(std::string(job_id));
  return Unary<v1::ExplainJobResponse>(kUnaryTimeout, [&](auto* context, auto* response) {
    return farm_->ExplainJob(context, request, response);
  });
}

absl::StatusOr<v1::Job> Client::GetJob(absl::string_view job_id) {
  v1::GetJobRequest request;
  request.set_job_id(std::string(job_id));
  MA_ASSIGN_OR_RETURN(v1::GetJobResponse response,
                      Unary<v1::GetJobResponse>(kUnaryTimeout, [&](auto* context, auto* answer) {
                        return farm_->GetJob(context, request, answer);
                      }));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::ListJobsResponse> Client::ListJobs(const v1::ListJobsRequest& request,
                                                      absl::Duration timeout) {
  return Unary<v1::ListJobsResponse>(timeout, [&](auto* context, auto* response) {
    return farm_->ListJobs(context, request, response);
  });
}

absl::StatusOr<v1::Job> Client::CancelJob(absl::string_view job_id, absl::string_view reason) {
  v1::CancelJobRequest request;
  request.set_job_id(std::string(job_id));
  request.set_reason(std::string(reason));
  MA_ASSIGN_OR_RETURN(v1::CancelJobResponse response,
                      Unary<v1::CancelJobResponse>(kUnaryTimeout, [&](auto* context, auto* answer) {
                        return farm_->CancelJob(context, request, answer);
                      }));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::ListWorkersResponse> Client::ListWorkers(absl::Duration timeout) {
  return Unary<v1::ListWorkersResponse>(timeout, [&](auto* context, auto* response) {
    return farm_->ListWorkers(context, v1::ListWorkersRequest(), response);
  });
}

absl::StatusOr<v1::Worker> Client::SetWorkerAdmission(
    const v1::SetWorkerAdmissionRequest& request) {
  MA_ASSIGN_OR_RETURN(
      v1::SetWorkerAdmissionResponse response,
      Unary<v1::SetWorkerAdmissionResponse>(kUnaryTimeout, [&](auto* context, auto* answer) {
        return farm_->SetWorkerAdmission(context, request, answer);
      }));
  return std::move(*response.mutable_worker());
}

absl::StatusOr<v1::CheckDestinationsResponse> Client::CheckDestinations(
    const v1::CheckDestinationsRequest& request) {
  return Unary<v1::CheckDestinationsResponse>(kSubmitTimeout, [&](auto* context, auto* response) {
    return farm_->CheckDestinations(context, request, response);
  });
}

absl::StatusOr<v1::GetInfoResponse> Client::GetInfo(absl::Duration timeout) {
  return Unary<v1::GetInfoResponse>(timeout, [&](auto* context, auto* response) {
    return farm_->GetInfo(context, v1::GetInfoRequest(), response);
  });
}

absl::StatusOr<v1::FindMissingResponse> Client::FindMissing(const v1::FindMissingRequest& request) {
  return Unary<v1::FindMissingResponse>(kUnaryTimeout, [&](auto* context, auto* response) {
    return content_->FindMissing(context, request, response);
  });
}

absl::Status Client::WatchJob(const v1::WatchJobRequest& request, Cancellation& cancellation,
                              const std::function<void(const v1::Job&)>& on_job) {
  grpc::ClientContext context;
  const Cancellation::Scope scope(cancellation, context);
  const auto reader = farm_->WatchJob(&context, request);
  v1::WatchJobResponse response;
  while (reader->Read(&response)) on_job(response.job());
  return ToStatus(reader->Finish());
}

absl::Status Client::ReadLog(const v1::ReadLogRequest& request, Cancellation& cancellation,
                             const std::function<void(const v1::ReadLogResponse&)>& on_piece) {
  grpc::ClientContext context;
  const Cancellation::Scope scope(cancellation, context);
  const auto reader = farm_->ReadLog(&context, request);
  v1::ReadLogResponse response;
  while (reader->Read(&response)) on_piece(response);
  return ToStatus(reader->Finish());
}

absl::StatusOr<v1::UploadResponse> Client::Upload(
    absl::Duration timeout,
    const std::function<absl::StatusOr<bool>(v1::UploadRequest& piece)>& next) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  v1::UploadResponse response;
  const auto writer = content_->Upload(&context, &response);
  v1::UploadRequest piece;
  absl::StatusOr<bool> more = next(piece);
  while (more.ok() && *more && writer->Write(piece)) {
    piece.Clear();
    more = next(piece);
  }
  if (!more.ok()) {
    context.TryCancel();
    writer->Finish().ok();
    return more.status();
  }
  writer->WritesDone();
  MA_RETURN_IF_ERROR(ToStatus(writer->Finish()));
  return response;
}

bool IsUnreachable(const absl::Status& status) {
  return status.GetPayload(kUnreachable).has_value();
}

bool IsWorthRepeating(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kAborted;
}

}  // namespace manyarch::cli
