// The session with a worker, over real gRPC: who is let in, logs, admission, and stopping.
#include <grpcpp/generic/generic_stub.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {
namespace {

using ::testing::HasSubstr;
using testing::StreamWorker;

// Collects what a worker hears.
class Inbox {
 public:
  StreamWorker::OnMessage Taker() {
    return [this](StreamWorker&, const v1::ControllerMessage& message) {
      absl::MutexLock lock(&mutex_);
      messages_.push_back(message);
    };
  }
  // The next message of this kind, others skipped.
  v1::ControllerMessage Await(v1::ControllerMessage::KindCase kind) {
    absl::MutexLock lock(&mutex_);
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      while (next_ < messages_.size() && messages_[next_].kind_case() != kind) ++next_;
      return next_ < messages_.size();
    };
    mutex_.Await(absl::Condition(&there));
    return messages_[next_++];
  }

 private:
  absl::Mutex mutex_;
  std::vector<v1::ControllerMessage> messages_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
};

class SessionTest : public ControllerTest {};

TEST_F(SessionTest, AnotherProtocolVersionIsRefusedWithBothNumbers) {
  StreamWorker worker(address_, [](StreamWorker&, const v1::ControllerMessage&) {});
  v1::Hello hello = StreamWorker::HelloOf("w", {"linux/amd64"}, 1);
  hello.set_protocol_version(99);
  worker.SayHello(hello);
  const grpc::Status status = worker.AwaitEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("99"));
}

TEST_F(SessionTest, NamesAndLabelsWithControlCharactersAreRefusedAndShownWithoutThem) {
  const auto refusal = [&](const std::function<void(v1::WorkerDescription&)>& change) {
    StreamWorker worker(address_, [](StreamWorker&, const v1::ControllerMessage&) {});
    v1::Hello hello = StreamWorker::HelloOf("w", {"linux/amd64"}, 1);
    change(*hello.mutable_worker());
    worker.SayHello(hello);
    const grpc::Status status = worker.AwaitEnd();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return status.error_message();
  };
  EXPECT_EQ(refusal([](auto& worker) { worker.set_name("red\x1b[31m"); }),
            "the worker's name 'red\\x1b[31m' has control characters in it: choose another");
  EXPECT_THAT(refusal([](auto& worker) { worker.set_id("a\nb"); }), HasSubstr("id 'a\\nb'"));
  EXPECT_THAT(refusal([](auto& worker) { (*worker.mutable_labels())["zone"] = "\u009b2J"; }),
              HasSubstr("label 'zone="));
  EXPECT_EQ(
      refusal([](auto& worker) { worker.set_version("1\r2"); }),
      "the worker's version '1\\r2' has control characters in it: look at what it runs there");
  EXPECT_THAT(refusal([](auto& worker) { worker.set_buildah_version("1.28\x1b[2J"); }),
              HasSubstr("version of buildah '1.28\\x1b[2J'"));
  EXPECT_THAT(refusal([](auto& worker) { worker.set_isolation("oci\n(runc)"); }),
              HasSubstr("isolation 'oci\\n(runc)'"));
  EXPECT_THAT(refusal([](auto& worker) { worker.set_version(std::string(129, '1')); }),
              HasSubstr("version has more than 128 characters"));
  EXPECT_THAT(refusal([](auto& worker) { (*worker.mutable_labels())["memory"] = "lots"; }),
              HasSubstr("label 'memory=lots' is not the memory of a machine"));
}

TEST_F(SessionTest, WhatIsNoHelloIsRefused) {
  StreamWorker worker(address_, [](StreamWorker&, const v1::ControllerMessage&) {});
  worker.AnswerOffer("j1-amd64-1", true);
  EXPECT_EQ(worker.AwaitEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(SessionTest, ASecondWorkerWithTheSameIdIsRefusedAndTheSameOneTakesOver) {
  Inbox inbox;
  StreamWorker first(address_, inbox.Taker());
  first.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
  inbox.Await(v1::ControllerMessage::kHelloAnswer);

  StreamWorker twin(address_, [](StreamWorker&, const v1::ControllerMessage&) {});
  v1::Hello hello = StreamWorker::HelloOf("w", {"linux/amd64"}, 1);
  hello.set_incarnation("somebody else");
  twin.SayHello(hello);
  const grpc::Status refused = twin.AwaitEnd();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(refused.error_message(), HasSubstr("connected already"));

  Inbox again;
  StreamWorker second(address_, again.Taker());
  second.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
  EXPECT_EQ(again.Await(v1::ControllerMessage::kHelloAnswer).hello_answer().session_epoch(), 2);
  EXPECT_EQ(first.AwaitEnd().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(SessionTest, AWorkerThatComesToAQueueIsGreetedAndOfferedBuildsAtOnce) {
  PushImage("app");
  v1::SubmitResponse submitted;
  for (const char* tag : {"v1", "v2", "v3"}) {
    ASSERT_TRUE(Submit(RequestFor("app", tag, absl::StrCat("queue-key-", tag)), &submitted).ok());
  }
  Inbox inbox;
  StreamWorker worker(address_, inbox.Taker());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 3));
  inbox.Await(v1::ControllerMessage::kHelloAnswer);
  for (int i = 0; i < 3; ++i) inbox.Await(v1::ControllerMessage::kOffer);
}

TEST_F(SessionTest, HeartbeatsAreAnsweredAndLogsAcknowledgedOnceDurable) {
  PushImage("app");
  Inbox inbox;
  StreamWorker worker(address_, inbox.Taker());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
  v1::WorkerMessage heartbeat;
  heartbeat.mutable_heartbeat()->set_sequence(41);
  worker.Send(heartbeat);
  EXPECT_EQ(inbox.Await(v1::ControllerMessage::kHeartbeatAnswer).heartbeat_answer().sequence(), 41);

  v1::SubmitResponse submitted;
  ASSERT_TRUE(Submit(RequestFor("app", "v1", "log-key-1"), &submitted).ok());
  const std::string attempt = inbox.Await(v1::ControllerMessage::kOffer).offer().attempt_id();
  worker.AnswerOffer(attempt, true);
  v1::WorkerMessage log;
  log.mutable_log()->set_attempt_id(attempt);
  log.mutable_log()->set_data("hello ");
  worker.Send(log);
  EXPECT_EQ(inbox.Await(v1::ControllerMessage::kLogAck).log_ack().offset(), 6);
  log.mutable_log()->set_offset(100);  // A hole: asked to go on from where it is.
  worker.Send(log);
  EXPECT_EQ(inbox.Await(v1::ControllerMessage::kLogAck).log_ack().offset(), 6);
  log.mutable_log()->set_offset(4);
  log.mutable_log()->set_data("o world\n");
  worker.Send(log);
  EXPECT_EQ(inbox.Await(v1::ControllerMessage::kLogAck).log_ack().offset(), 12);

  v1::Finished finished;
  finished.set_attempt_id(attempt);
  finished.set_log_size(12);
  finished.mutable_image()->set_digest(image_.digest().ToString());
  finished.mutable_image()->set_repository(registry_->host() + "/app");
  worker.Finish(finished);
  EXPECT_EQ(inbox.Await(v1::ControllerMessage::kAcknowledged).acknowledged().attempt_id(), attempt);
  EXPECT_EQ(AwaitEnd(submitted.job().id()).state(), v1::JOB_STATE_SUCCEEDED);

  grpc::ClientContext context;
  v1::ReadLogRequest request;
  request.set_attempt_id(attempt);
  request.set_follow(true);
  const auto reader = farm_->ReadLog(&context, request);
  std::string text;
  v1::ReadLogResponse piece;
  while (reader->Read(&piece)) text += piece.data();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(text, "hello world\n");
}

TEST_F(SessionTest, AControllerThatRestartsTakesUpWhatRuns) {
  PushImage("app");
  std::string attempt;
  std::string job;
  {
    Inbox inbox;
    StreamWorker worker(address_, inbox.Taker());
    worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
    v1::SubmitResponse submitted;
    ASSERT_TRUE(Submit(RequestFor("app", "v1", "restart-key"), &submitted).ok());
    job = submitted.job().id();
    attempt = inbox.Await(v1::ControllerMessage::kOffer).offer().attempt_id();
    worker.AnswerOffer(attempt, true);
    while (Get(job).state() != v1::JOB_STATE_RUNNING) absl::SleepFor(absl::Milliseconds(5));
    controller_->Stop();
    EXPECT_EQ(worker.AwaitEnd().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  controller_.reset();
  StartController();
  StreamWorker worker(address_, Builder());
  v1::Hello hello = StreamWorker::HelloOf("w", {"linux/amd64"}, 1);
  v1::Finished& finished = *hello.add_finished();
  finished.set_attempt_id(attempt);
  finished.mutable_image()->set_digest(image_.digest().ToString());
  finished.mutable_image()->set_repository(registry_->host() + "/app");
  worker.SayHello(hello);
  const v1::Job ended = AwaitEnd(job);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.builds(0).attempts_size(), 1);
}

TEST_F(SessionTest, CordonedWorkersStaySoOverARestart) {
  const auto set = [&](v1::WorkerAdmission admission, const std::string& reason) {
    grpc::ClientContext context;
    v1::SetWorkerAdmissionRequest request;
    request.set_worker("w");
    request.set_admission(admission);
    request.set_reason(reason);
    v1::SetWorkerAdmissionResponse response;
    return std::make_pair(farm_->SetWorkerAdmission(&context, request, &response), response);
  };
  EXPECT_EQ(set(v1::WORKER_ADMISSION_CORDONED, "").first.error_code(), grpc::StatusCode::NOT_FOUND);
  {
    Inbox inbox;
    StreamWorker worker(address_, inbox.Taker());
    worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
    inbox.Await(v1::ControllerMessage::kHelloAnswer);
    EXPECT_EQ(set(v1::WORKER_ADMISSION_CORDONED, "new disk").second.worker().admission(),
              v1::WORKER_ADMISSION_CORDONED);
  }
  controller_.reset();
  StartController();
  grpc::ClientContext context;
  v1::ListWorkersResponse workers;
  ASSERT_TRUE(farm_->ListWorkers(&context, {}, &workers).ok());
  ASSERT_EQ(workers.workers_size(), 1);
  EXPECT_EQ(workers.workers(0).admission(), v1::WORKER_ADMISSION_CORDONED);
  EXPECT_EQ(workers.workers(0).admission_reason(), "new disk");
  // Why it takes builds again is no reason not to give it some.
  const auto [status, answer] = set(v1::WORKER_ADMISSION_SCHEDULABLE, "it is in");
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answer.worker().admission(), v1::WORKER_ADMISSION_SCHEDULABLE);
  EXPECT_EQ(answer.worker().admission_reason(), "");
}

// By the bytes, since the messages of these services are not among our own.
grpc::ByteBuffer BytesOf(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

TEST_F(SessionTest, HealthAndReflectionAreServed) {
  grpc::GenericStub stub(channel_);
  const auto call = [&](const std::string& method, const std::string& request) {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    grpc::ByteBuffer answer;
    grpc::Status status;
    void* tag = nullptr;
    bool ok = false;
    const auto rpc = stub.PrepareCall(&context, method, &queue);
    rpc->StartCall(nullptr);
    queue.Next(&tag, &ok);
    rpc->WriteLast(BytesOf(request), {}, nullptr);
    queue.Next(&tag, &ok);
    rpc->Read(&answer, nullptr);
    queue.Next(&tag, &ok);
    rpc->Finish(&status, nullptr);
    queue.Next(&tag, &ok);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<grpc::Slice> slices;
    (void)answer.Dump(&slices);
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return bytes;
  };
  EXPECT_EQ(call("/grpc.health.v1.Health/Check", ""), std::string("\x08\x01", 2));  // SERVING
  // ServerReflectionRequest.list_services = "*"
  EXPECT_THAT(call("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3a\x01*"),
              HasSubstr("manyarch.v1.Farm"));
}

}  // namespace
}  // namespace manyarch::controller
