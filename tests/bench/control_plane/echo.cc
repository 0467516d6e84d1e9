#include "tests/bench/control_plane/echo.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "manyarch/v1/worker.grpc.pb.h"

namespace manyarch::bench {

namespace {

// An end of a stream: told of each of its operations when it is done.
class Ender {
 public:
  virtual ~Ender() = default;
  virtual void On(bool ok) = 0;
};

void Serve(grpc::CompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Ender*>(tag)->On(ok);
}

class ServerEnd : public Ender {
 public:
  ServerEnd(v1::WorkerSession::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : stream_(&context_) {
    service->RequestSession(&context_, &stream_, queue, queue, this);
  }
  void On(bool ok) override {
    if (!ok) return;  // Over; what is left goes with the process of shutting down.
    if (reading_) {
      v1::ControllerMessage answer;
      answer.mutable_acknowledged()->set_attempt_id(message_.finished().attempt_id());
      reading_ = false;
      stream_.Write(answer, this);
    } else {
      reading_ = true;
      stream_.Read(&message_, this);
    }
  }

 private:
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::ControllerMessage, v1::WorkerMessage> stream_;
  v1::WorkerMessage message_;
  bool reading_ = false;
};

class ClientEnd : public Ender {
 public:
  ClientEnd(const std::string& address, int number, grpc::CompletionQueue* queue,
            std::atomic<int64_t>* trips)
      : trips_(trips) {
    grpc::ChannelArguments arguments;
    arguments.SetInt("stream", number);
    stub_ = v1::WorkerSession::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    v1::Finished& finished = *message_.mutable_finished();
    finished.set_attempt_id("jabcdefghijkl-amd64-1");
    finished.mutable_image()->set_repository("registry.bench/team1/app");
    finished.mutable_image()->set_digest("sha256:" + std::string(64, 'a'));
    stream_ = stub_->PrepareAsyncSession(&context_, queue);
    stream_->StartCall(this);
  }
  void On(bool ok) override {
    if (!ok) return;
    if (writing_) {
      writing_ = false;
      stream_->Read(&answer_, this);
    } else {
      if (answer_.has_acknowledged()) ++*trips_;
      writing_ = true;
      stream_->Write(message_, this);
    }
  }
  void Cancel() { context_.TryCancel(); }

 private:
  std::atomic<int64_t>* const trips_;
  std::unique_ptr<v1::WorkerSession::Stub> stub_;
  grpc::ClientContext context_;
  v1::WorkerMessage message_;
  v1::ControllerMessage answer_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::WorkerMessage, v1::ControllerMessage>> stream_;
  bool writing_ = false;
};

}  // namespace

double EchoRate(int streams, double seconds) {
  v1::WorkerSession::AsyncService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server_queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  std::vector<std::unique_ptr<ServerEnd>> servers;
  for (int i = 0; i < streams; ++i) {
    servers.push_back(std::make_unique<ServerEnd>(&service, server_queue.get()));
  }
  std::thread server_thread([&] { Serve(server_queue.get()); });

  grpc::CompletionQueue client_queue;
  std::atomic<int64_t> trips = 0;
  std::vector<std::unique_ptr<ClientEnd>> clients;
  for (int i = 0; i < streams; ++i) {
    clients.push_back(
        std::make_unique<ClientEnd>(absl::StrCat("127.0.0.1:", port), i, &client_queue, &trips));
  }
  std::thread client_thread([&] { Serve(&client_queue); });

  absl::SleepFor(absl::Seconds(seconds / 4));  // Until all are connected.
  const int64_t before = trips;
  const absl::Time start = absl::Now();
  absl::SleepFor(absl::Seconds(seconds));
  const double rate =
      static_cast<double>(trips - before) / absl::ToDoubleSeconds(absl::Now() - start);

  for (const auto& client : clients) client->Cancel();
  server->Shutdown(std::chrono::system_clock::now());
  server_queue->Shutdown();
  client_queue.Shutdown();
  server_thread.join();
  client_thread.join();
  return rate;
}

}  // namespace manyarch::bench
