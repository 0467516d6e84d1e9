#include "tests/support/stream_worker.h"

#include "common/base/platform.h"
#include "common/os/host.h"

namespace manyarch::testing {

StreamWorker::StreamWorker(const std::string& address, OnMessage on_message)
    : on_message_(std::move(on_message)),
      stub_(v1::WorkerSession::NewStub(
          grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
      stream_(stub_->Session(&context_)) {
  reader_ = std::thread([this] { Read(); });
}

StreamWorker::~StreamWorker() {
  context_.TryCancel();
  reader_.join();
}

v1::Hello StreamWorker::HelloOf(const std::string& id, const std::vector<std::string>& platforms,
                                int slots) {
  v1::Hello hello;
  hello.set_protocol_version(1);
  hello.set_incarnation(id + "-1");
  v1::WorkerDescription& worker = *hello.mutable_worker();
  worker.set_id(id);
  worker.set_name(id);
  worker.set_slots(slots);
  worker.set_network(NetworkIdentity());
  for (const std::string& text : platforms) {
    const Platform platform = *ParsePlatform(text);
    v1::Platform& proto = *worker.add_platforms()->mutable_platform();
    proto.set_os(platform.os);
    proto.set_arch(platform.arch);
    proto.set_variant(platform.variant);
  }
  return hello;
}

void StreamWorker::Send(const v1::WorkerMessage& message) {
  absl::MutexLock lock(&write_mutex_);
  stream_->Write(message);
}

void StreamWorker::SayHello(const v1::Hello& hello) {
  v1::WorkerMessage message;
  *message.mutable_hello() = hello;
  Send(message);
}

void StreamWorker::AnswerOffer(const std::string& attempt_id, bool accepted) {
  v1::WorkerMessage message;
  message.mutable_offer_answer()->set_attempt_id(attempt_id);
  message.mutable_offer_answer()->set_accepted(accepted);
  Send(message);
}

void StreamWorker::Finish(const v1::Finished& finished) {
  v1::WorkerMessage message;
  *message.mutable_finished() = finished;
  Send(message);
}

void StreamWorker::Read() {
  v1::ControllerMessage message;
  while (stream_->Read(&message)) on_message_(*this, message);
  const grpc::Status status = stream_->Finish();
  absl::MutexLock lock(&mutex_);
  status_ = status;
  ended_ = true;
}

grpc::Status StreamWorker::AwaitEnd() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&ended_));
  return status_;
}

}  // namespace manyarch::testing
