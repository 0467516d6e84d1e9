// One bare gRPC stream of what comes on standard input, from a client to a server that throws it
// away, both in this process: what sending so many bytes costs at the least. Prints milliseconds.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "manyarch/v1/content.grpc.pb.h"

namespace {

namespace v1 = manyarch::v1;

constexpr size_t kPiece = size_t{1} << 20;  // As the client sends contexts.

class Sink : public v1::Content::Service {
 public:
  grpc::Status Upload(grpc::ServerContext* /*context*/,
                      grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* /*response*/) override {
    v1::UploadRequest piece;
    while (reader->Read(&piece)) bytes += piece.data().size();
    return grpc::Status::OK;
  }
  size_t bytes = 0;
};

bool Send(v1::Content::Stub& stub, const std::string& bytes) {
  grpc::ClientContext context;
  v1::UploadResponse response;
  const auto writer = stub.Upload(&context, &response);
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    v1::UploadRequest piece;
    piece.set_data(bytes.substr(at, kPiece));
    if (!writer->Write(piece)) return false;
  }
  writer->WritesDone();
  return writer->Finish().ok();
}

}  // namespace

int main() {
  std::string bytes;
  std::string buffer(kPiece, '\0');
  for (ssize_t n = 0; (n = read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;) {
    bytes.append(buffer, 0, static_cast<size_t>(n));
  }
  Sink sink;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&sink);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto stub = v1::Content::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  // The first, short one is for the connection.
  bool sound = Send(*stub, "x");
  const auto start = std::chrono::steady_clock::now();
  sound = Send(*stub, bytes) && sound && sink.bytes == bytes.size() + 1;
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  server->Shutdown();
  if (!sound) {
    std::fputs("the bare stream broke\n", stderr);
    return 1;
  }
  std::printf("%.0f\n", time.count());
  return 0;
}
