#include "worker/link/session.h"

#include <memory>
#include <utility>

#include "grpcpp/support/sync_stream.h"
#include "manyarch/v1/worker.grpc.pb.h"
#include "worker/link/channel.h"
#include "worker/link/wire.h"

namespace manyarch::worker::link {

Session::Session(core::ConnectionId id, const std::string& target, Sink sink)
    : id_(id), sink_(std::move(sink)), thread_([this, target] { Run(target); }) {}

Session::~Session() {
  Cancel();
  thread_.join();
}

void Session::Cancel() {
  outbox_.Close(/*flush=*/false);
  context_.TryCancel();
}

void Session::Flush() { outbox_.Close(/*flush=*/true); }

void Session::Run(const std::string& target) {
  const auto stub = v1::WorkerSession::NewStub(NewChannel(target));
  const auto stream = stub->Session(&context_);
  sink_(core::Connected{id_});

  std::thread writer([&] {
    while (auto message = outbox_.Next()) {
      if (!stream->Write(*message)) return;
    }
    stream->WritesDone();
  });
  v1::ControllerMessage message;
  while (stream->Read(&message)) {
    if (auto event = FromWire(id_, message)) sink_(*std::move(event));
  }
  outbox_.Close(/*flush=*/false);
  writer.join();
  const grpc::Status status = stream->Finish();

  // These do not pass by trying again soon.
  const bool refused = status.error_code() == grpc::StatusCode::FAILED_PRECONDITION ||
                       status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
                       status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
                       status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
                       status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  over_ = true;
  sink_(core::Disconnected{id_, Reason(status), refused});
}

}  // namespace manyarch::worker::link
