#include "tests/bench/control_plane/fleet.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/os/host.h"
#include "tests/bench/control_plane/memory_registry.h"

namespace manyarch::bench {

// One session. Its operations complete on one queue, so on one thread; heartbeats come from
// another.
class Fleet::Worker {
 public:
  enum class Operation { kOpen, kRead, kWrite, kFinish };
  struct Tag {
    Worker* worker;
    Operation operation;
  };

  Worker(Fleet* fleet, int number, grpc::CompletionQueue* queue) : fleet_(fleet) {
    grpc::ChannelArguments arguments;
    arguments.SetInt("worker", number);  // Channels with equal arguments share a connection.
    channel_ = grpc::CreateCustomChannel(fleet->options_.address,
                                         grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::WorkerSession::NewStub(channel_);
    hello_ = HelloOf(fleet->options_, number);
    stream_ = stub_->PrepareAsyncSession(&context_, queue);
    stream_->StartCall(&open_);
  }

  void On(Operation operation, bool ok) {
    if (operation == Operation::kFinish) {
      ++fleet_->ended_;
      return;
    }
    if (!ok) {
      absl::MutexLock lock(&mutex_);
      broken_ = true;
      if (operation == Operation::kRead || operation == Operation::kOpen) {
        stream_->Finish(&status_, &finish_);
      }
      return;
    }
    if (operation == Operation::kOpen) {
      v1::WorkerMessage message;
      *message.mutable_hello() = hello_;
      Send(std::move(message));
      stream_->Read(&incoming_, &read_);
    } else if (operation == Operation::kRead) {
      Take();
      stream_->Read(&incoming_, &read_);
    } else {
      absl::MutexLock lock(&mutex_);
      outgoing_.pop_front();
      if (!outgoing_.empty() && !broken_) WriteFront();
    }
  }

  void Heartbeat() {
    v1::WorkerMessage message;
    message.mutable_heartbeat()->set_sequence(++sequence_);
    Send(std::move(message));
  }
  void Cancel() { context_.TryCancel(); }
  absl::Duration heartbeat_interval() const { return absl::Milliseconds(heartbeat_ms_.load()); }
  absl::Time next_heartbeat = absl::InfiniteFuture();  // The heart's alone.

 private:
  static v1::Hello HelloOf(const Options& options, int number) {
    v1::Hello hello;
    hello.set_protocol_version(1);
    hello.set_incarnation("1");
    v1::WorkerDescription& worker = *hello.mutable_worker();
    worker.set_id(absl::StrCat("bench-", number));
    worker.set_name(worker.id());
    worker.set_slots(options.slots);
    worker.set_network(NetworkIdentity());
    for (const std::string& arch : options.architectures) {
      v1::Platform& platform = *worker.add_platforms()->mutable_platform();
      platform.set_os("linux");
      platform.set_arch(arch);
    }
    return hello;
  }

  void Send(v1::WorkerMessage message) {
    absl::MutexLock lock(&mutex_);
    if (broken_) return;
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) WriteFront();
  }
  // In one packet, where nothing is on its way: a worker that is this fast would do so.
  void Send(v1::WorkerMessage first, v1::WorkerMessage second) {
    absl::MutexLock lock(&mutex_);
    if (broken_) return;
    const bool idle = outgoing_.empty();
    outgoing_.push_back(std::move(first));
    outgoing_.push_back(std::move(second));
    if (idle) WriteFront();
  }
  void WriteFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    grpc::WriteOptions options;
    if (outgoing_.size() > 1) options.set_buffer_hint();
    stream_->Write(outgoing_.front(), options, &write_);
  }

  void Take() {
    if (incoming_.has_hello_answer()) {
      heartbeat_ms_ =
          static_cast<int>(incoming_.hello_answer().heartbeat_interval().seconds() * 1000 +
                           incoming_.hello_answer().heartbeat_interval().nanos() / 1'000'000);
      ++fleet_->in_session_;
    } else if (incoming_.has_acknowledged()) {
      fleet_->ports_.acknowledged();
    } else if (incoming_.has_offer()) {
      const v1::Offer& offer = incoming_.offer();
      fleet_->ports_.offered(offer);
      v1::WorkerMessage answer;
      answer.mutable_offer_answer()->set_attempt_id(offer.attempt_id());
      answer.mutable_offer_answer()->set_accepted(true);
      v1::WorkerMessage finished;
      finished.mutable_finished()->set_attempt_id(offer.attempt_id());
      v1::Image& image = *finished.mutable_finished()->mutable_image();
      image.set_repository(offer.repository());
      image.set_digest(DigestFor(offer.platform().arch()));
      Send(std::move(answer), std::move(finished));
    }
  }

  static const std::string& DigestFor(const std::string& arch) {
    static const auto* const digests = [] {
      auto* all = new std::map<std::string, std::string>;
      for (const char* a : {"amd64", "arm64", "s390x", "riscv64"}) {
        (*all)[a] = MemoryRegistry::ImageFor(a).digest().ToString();
      }
      return all;
    }();
    return digests->at(arch);
  }

  Fleet* const fleet_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::WorkerSession::Stub> stub_;
  grpc::ClientContext context_;
  grpc::Status status_;
  v1::Hello hello_;
  v1::ControllerMessage incoming_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::WorkerMessage, v1::ControllerMessage>> stream_;
  Tag open_{this, Operation::kOpen};
  Tag read_{this, Operation::kRead};
  Tag write_{this, Operation::kWrite};
  Tag finish_{this, Operation::kFinish};
  std::atomic<int64_t> sequence_ = 0;
  std::atomic<int> heartbeat_ms_ = 0;
  absl::Mutex mutex_;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::WorkerMessage> outgoing_ ABSL_GUARDED_BY(mutex_);
};

Fleet::Fleet(Options options, FleetPorts ports)
    : options_(std::move(options)), ports_(std::move(ports)) {
  for (int i = 0; i < options_.threads; ++i) {
    queues_.push_back(std::make_unique<Queue>());
    queues_.back()->thread = std::thread([this, q = &queues_.back()->queue] { Serve(q); });
  }
  for (int i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(
        this, i, &queues_[static_cast<size_t>(i) % queues_.size()]->queue));
  }
  heart_ = std::thread([this] {
    while (!over_) {
      const absl::Time now = absl::Now();
      for (size_t i = 0; i < workers_.size(); ++i) {
        Worker& worker = *workers_[i];
        const absl::Duration interval = worker.heartbeat_interval();
        if (interval <= absl::ZeroDuration()) continue;
        if (worker.next_heartbeat == absl::InfiniteFuture()) {  // Spread evenly.
          worker.next_heartbeat =
              now + interval * (static_cast<double>(i) / static_cast<double>(workers_.size()));
        }
        if (now < worker.next_heartbeat) continue;
        worker.next_heartbeat += interval;
        worker.Heartbeat();
      }
      absl::SleepFor(absl::Milliseconds(20));
    }
  });
}

Fleet::~Fleet() {
  over_ = true;
  heart_.join();
  for (const auto& worker : workers_) worker->Cancel();
  while (ended_ < options_.workers) absl::SleepFor(absl::Milliseconds(1));
  for (const auto& queue : queues_) queue->queue.Shutdown();
  for (const auto& queue : queues_) queue->thread.join();
}

bool Fleet::AwaitSessions() {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (in_session_ < options_.workers) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

void Fleet::Serve(grpc::CompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
    const auto* t = static_cast<Worker::Tag*>(tag);
    t->worker->On(t->operation, ok);
  }
}

}  // namespace manyarch::bench
