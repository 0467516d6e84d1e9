#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "manyarch/v1/farm.grpc.pb.h"
#include "tests/bench/log_stream/sides.h"

namespace manyarch::bench {

namespace {

constexpr int64_t kPiece =
    int64_t{256} * 1024;  // As workers send and followers get them in full flow.

// Streams as many bytes as `offset` asks for, and nothing else.
class Bytes : public v1::Farm::Service {
 public:
  grpc::Status ReadLog(grpc::ServerContext* /*context*/, const v1::ReadLogRequest* request,
                       grpc::ServerWriter<v1::ReadLogResponse>* writer) override {
    const std::string data(kPiece, 'x');
    for (int64_t sent = 0; sent < request->offset();) {
      v1::ReadLogResponse piece;
      piece.set_offset(sent);
      piece.set_data(data);
      sent += kPiece;
      if (!writer->Write(piece)) return grpc::Status::CANCELLED;
    }
    return grpc::Status::OK;
  }
};

}  // namespace

absl::StatusOr<absl::Duration> TimeBareStream(int64_t bytes) {
  Bytes service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto stub = v1::Farm::NewStub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  absl::Duration time;
  // The first, short one is for the connection.
  for (const int64_t wanted : {kPiece, bytes}) {
    grpc::ClientContext context;
    v1::ReadLogRequest request;
    request.set_offset(wanted);
    const absl::Time start = absl::Now();
    const auto reader = stub->ReadLog(&context, request);
    v1::ReadLogResponse piece;
    int64_t got = 0;
    while (reader->Read(&piece)) got += static_cast<int64_t>(piece.data().size());
    time = absl::Now() - start;
    if (const grpc::Status status = reader->Finish(); !status.ok() || got < wanted) {
      return absl::InternalError(absl::StrCat("the bare stream: ", status.error_message()));
    }
  }
  server->Shutdown();
  return time;
}

}  // namespace manyarch::bench
