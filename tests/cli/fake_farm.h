// A controller for tests of the client: real gRPC on a loopback port, answers from a script.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "manyarch/v1/content.grpc.pb.h"
#include "manyarch/v1/farm.grpc.pb.h"

namespace manyarch::cli {

// Each call runs the function set for it; without one it is UNIMPLEMENTED. Functions run on gRPC's
// threads. Can be stopped and started again on its port.
class FakeFarm : public v1::Farm::Service, public v1::Content::Service {
 public:
  using Watch = grpc::ServerWriter<v1::WatchJobResponse>;
  using Log = grpc::ServerWriter<v1::ReadLogResponse>;

  ~FakeFarm() override { Stop(); }

  void Start() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port_), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(static_cast<v1::Farm::Service*>(this));
    builder.RegisterService(static_cast<v1::Content::Service*>(this));
    server_ = builder.BuildAndStart();
  }
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  std::function<grpc::Status(const v1::SubmitRequest&, v1::SubmitResponse*)> submit;
  std::function<grpc::Status(const v1::FindMissingRequest&, v1::FindMissingResponse*)> find_missing;
  std::function<grpc::Status(const v1::ListJobsRequest&, v1::ListJobsResponse*)> list_jobs;
  std::function<grpc::Status(v1::ListWorkersResponse*)> list_workers;
  std::function<grpc::Status(const v1::CheckDestinationsRequest&, v1::CheckDestinationsResponse*)>
      check_destinations;
  std::function<grpc::Status(const v1::RetryJobRequest&, v1::SubmitResponse*)> retry;
  std::function<grpc::Status(const v1::GetJobRequest&, v1::GetJobResponse*)> get_job;
  std::function<grpc::Status(const v1::CancelJobRequest&, v1::CancelJobResponse*)> cancel;
  std::function<grpc::Status(const v1::WatchJobRequest&, Watch*)> watch;
  std::function<grpc::Status(const v1::ReadLogRequest&, Log*, grpc::ServerContext*)> read_log;

 private:
  static grpc::Status None() { return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no script"); }

  grpc::Status GetInfo(grpc::ServerContext*, const v1::GetInfoRequest*,
                       v1::GetInfoResponse* response) override {
    response->set_version("fake");
    return grpc::Status::OK;
  }
  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitRequest* request,
                      v1::SubmitResponse* response) override {
    return submit ? submit(*request, response) : None();
  }
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    return list_jobs ? list_jobs(*request, response) : None();
  }
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse* response) override {
    return list_workers ? list_workers(response) : None();
  }
  grpc::Status CheckDestinations(grpc::ServerContext*, const v1::CheckDestinationsRequest* request,
                                 v1::CheckDestinationsResponse* response) override {
    return check_destinations ? check_destinations(*request, response) : None();
  }
  grpc::Status RetryJob(grpc::ServerContext*, const v1::RetryJobRequest* request,
                        v1::SubmitResponse* response) override {
    return retry ? retry(*request, response) : None();
  }
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override {
    return get_job ? get_job(*request, response) : None();
  }
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override {
    return cancel ? cancel(*request, response) : None();
  }
  grpc::Status FindMissing(grpc::ServerContext*, const v1::FindMissingRequest* request,
                           v1::FindMissingResponse* response) override {
    return find_missing ? find_missing(*request, response) : None();
  }
  grpc::Status Upload(grpc::ServerContext*, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override {
    v1::UploadRequest piece;
    std::string digest;
    while (reader->Read(&piece)) {
      if (!piece.digest().empty()) digest = piece.digest();
      if (piece.last()) response->add_stored(digest);
    }
    return grpc::Status::OK;
  }
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                        Watch* writer) override {
    return watch ? watch(*request, writer) : None();
  }
  grpc::Status ReadLog(grpc::ServerContext* context, const v1::ReadLogRequest* request,
                       Log* writer) override {
    return read_log ? read_log(*request, writer, context) : None();
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace manyarch::cli
