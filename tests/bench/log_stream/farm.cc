#include <grpcpp/grpcpp.h>

#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "common/os/host.h"
#include "controller/controller.h"
#include "manyarch/v1/content.grpc.pb.h"
#include "manyarch/v1/farm.grpc.pb.h"
#include "manyarch/v1/worker.pb.h"
#include "tests/bench/log_stream/sides.h"
#include "tests/support/docker_registry.h"
#include "worker/link/log_spool.h"
#include "worker/link/session.h"

namespace manyarch::bench {

namespace {

// A worker that takes the first attempt it is offered and then only sends its log.
class LogSender {
 public:
  LogSender(const std::string& address, std::shared_ptr<worker::link::LogSpool> spool)
      : spool_(std::move(spool)),
        session_(1, address, [this](worker::core::Event event) { On(std::move(event)); }) {
    v1::WorkerMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_protocol_version(1);
    hello.set_incarnation("bench");
    v1::WorkerDescription& self = *hello.mutable_worker();
    self.set_id("bench");
    self.set_name("bench");
    self.set_slots(1);
    self.set_network(NetworkIdentity());
    v1::Platform& platform = *self.add_platforms()->mutable_platform();
    platform.set_os("linux");
    platform.set_arch("amd64");
    session_.outbox().Put(message);
  }

  // The attempt that was offered and accepted.
  const std::string& AwaitAttempt() {
    taken_.WaitForNotification();
    return attempt_;
  }
  void StartLog() {
    session_.outbox().StartLog(attempt_, spool_, 0);
    v1::Finished finished;
    finished.set_attempt_id(attempt_);
    finished.set_log_size(spool_->size());
    finished.mutable_failure()->set_class_(v1::FAILURE_CLASS_USER);
    finished.mutable_failure()->set_message("the benchmark is over");
    session_.outbox().PutFinished(finished);
  }

 private:
  void On(worker::core::Event event) {
    if (const auto* offered = std::get_if<worker::core::Offered>(&event)) {
      attempt_ = offered->attempt_id;
      v1::WorkerMessage message;
      message.mutable_offer_answer()->set_attempt_id(attempt_);
      message.mutable_offer_answer()->set_accepted(true);
      session_.outbox().Put(message);
      taken_.Notify();
    } else if (const auto* acked = std::get_if<worker::core::LogAcked>(&event)) {
      spool_->Acked(acked->offset);
      session_.outbox().AckLog(acked->attempt_id, acked->offset, acked->again);
    }
  }

  const std::shared_ptr<worker::link::LogSpool> spool_;
  std::string attempt_;
  absl::Notification taken_;
  worker::link::Session session_;  // The last: its threads use all of the above.
};

absl::Status ToStatus(const grpc::Status& status, const char* doing) {
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(doing, ": ", status.error_message()));
}

// A job of one platform with an empty context.
absl::Status Submit(const std::shared_ptr<grpc::Channel>& channel, const std::string& host) {
  const std::string bytes = v1::Directory().SerializeAsString();
  v1::UploadRequest piece;
  piece.set_digest(Digest::Of(bytes).ToString());
  piece.set_size(static_cast<int64_t>(bytes.size()));
  piece.set_data(bytes);
  piece.set_last(true);
  grpc::ClientContext upload;
  v1::UploadResponse uploaded;
  const auto writer = v1::Content::NewStub(channel)->Upload(&upload, &uploaded);
  writer->Write(piece);
  writer->WritesDone();
  MA_RETURN_IF_ERROR(ToStatus(writer->Finish(), "uploading"));
  v1::SubmitRequest request;
  request.set_idempotency_key("the-benchmark");
  v1::JobSpec& spec = *request.mutable_spec();
  spec.add_tags(host + "/bench/log:1");
  v1::Platform& platform = *spec.add_platforms()->mutable_platform();
  platform.set_os("linux");
  platform.set_arch("amd64");
  spec.set_context_root(piece.digest());
  request.set_request_hash(Digest::Of(spec.SerializeAsString()).ToString());
  grpc::ClientContext context;
  v1::SubmitResponse response;
  return ToStatus(v1::Farm::NewStub(channel)->Submit(&context, request, &response), "submitting");
}

}  // namespace

absl::StatusOr<absl::Duration> TimeFarm(int64_t bytes, const std::string& dir) {
  MA_ASSIGN_OR_RETURN(const auto registry, testing::DockerRegistry::Start());
  MA_RETURN_IF_ERROR(RemoveTree(dir));
  MA_RETURN_IF_ERROR(MakeDirs(dir));
  controller::Options options;
  options.listen = "127.0.0.1:0";
  options.state_dir = dir + "/state";
  options.plain_http = {registry->host()};
  MA_ASSIGN_OR_RETURN(const auto controller, controller::Controller::Start(options));
  const std::string address = absl::StrCat("127.0.0.1:", controller->port());
  MA_ASSIGN_OR_RETURN(auto spool, worker::link::LogSpool::Open(dir + "/spool", 2 * bytes));
  std::string line(99, 'x');
  line += '\n';
  while (spool->size() < bytes) spool->Append(line);
  spool->Seal();

  LogSender sender(address, spool);
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  MA_RETURN_IF_ERROR(Submit(channel, registry->host()));
  v1::ReadLogRequest request;
  request.set_attempt_id(sender.AwaitAttempt());
  request.set_follow(true);
  grpc::ClientContext context;
  const auto reader = v1::Farm::NewStub(channel)->ReadLog(&context, request);
  const int64_t size = spool->size();
  const absl::Time start = absl::Now();
  sender.StartLog();
  v1::ReadLogResponse piece;
  int64_t got = 0;
  while (got < size && reader->Read(&piece)) got += static_cast<int64_t>(piece.data().size());
  const absl::Duration time = absl::Now() - start;
  context.TryCancel();
  reader->Finish();
  if (got != size) return absl::InternalError(absl::StrCat("got ", got, " bytes of ", size));
  return time;
}

}  // namespace manyarch::bench
