#include "worker/link/content_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace manyarch::worker::link {
namespace {

// Serves blobs in pieces of ten bytes, with the faults it is told.
class FakeContent : public v1::Content::Service {
 public:
  FakeContent() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeContent() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  Digest Add(const std::string& bytes) {
    const Digest digest = Digest::Of(bytes);
    blobs[digest.ToString()] = bytes;
    return digest;
  }

  grpc::Status Download(grpc::ServerContext* context, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::DownloadResponse>* writer) override {
    ++calls;
    int pieces = 0;
    for (const std::string& digest : request->digests()) {
      const auto blob = blobs.find(digest);
      if (blob == blobs.end()) return {grpc::StatusCode::NOT_FOUND, "no blob " + digest};
      for (size_t at = 0; at == 0 || at < blob->second.size(); at += 10) {
        if (pieces_per_call > 0 && pieces++ == pieces_per_call) {
          return {grpc::StatusCode::UNAVAILABLE, "restarting"};
        }
        v1::DownloadResponse piece;
        if (at == 0) piece.set_digest(digest);
        piece.set_data(blob->second.substr(at, 10));
        piece.set_last(at + 10 >= blob->second.size());
        writer->Write(piece);
      }
      while (hang && !context->IsCancelled()) hanging = true;
    }
    return grpc::Status::OK;
  }

  std::map<std::string, std::string> blobs;
  int pieces_per_call = 0;  // 0: no limit.
  std::atomic<bool> hang = false;
  std::atomic<bool> hanging = false;
  std::atomic<int> calls = 0;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

struct Taken {
  ContentClient::Sink sink() {
    return [this](const Digest& digest, std::string bytes) {
      blobs.emplace_back(digest, std::move(bytes));
      return result;
    };
  }
  std::vector<std::pair<Digest, std::string>> blobs;
  absl::Status result;
};

TEST(ContentClient, BringsEachBlobOnceInOrder) {
  FakeContent content;
  const Digest a = content.Add(std::string(35, 'a'));
  const Digest empty = content.Add("");
  const Digest b = content.Add("b");
  ContentClient client(content.address());
  Taken taken;
  StopToken stop;
  ASSERT_TRUE(client.Fetch({a, empty, b}, stop, taken.sink()).ok());
  EXPECT_THAT(taken.blobs, testing::ElementsAre(testing::Pair(a, std::string(35, 'a')),
                                                testing::Pair(empty, ""), testing::Pair(b, "b")));
}

TEST(ContentClient, GoesOnWhereAnInterruptedDownloadStopped) {
  FakeContent content;
  std::vector<Digest> digests;
  for (char c = 'a'; c <= 'e'; ++c) digests.push_back(content.Add(std::string(25, c)));
  content.pieces_per_call = 7;  // Two blobs and a piece of the third.
  ContentClient client(content.address());
  Taken taken;
  StopToken stop;
  ASSERT_TRUE(client.Fetch(digests, stop, taken.sink()).ok());
  ASSERT_EQ(taken.blobs.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(taken.blobs[i].first, digests[i]);
    EXPECT_EQ(taken.blobs[i].second.size(), 25u);
  }
  EXPECT_EQ(content.calls, 3);
}

TEST(ContentClient, NamesTheBlobThatIsMissing) {
  FakeContent content;
  const Digest nowhere = Digest::Of("nowhere");
  ContentClient client(content.address());
  Taken taken;
  StopToken stop;
  const absl::Status status = client.Fetch({nowhere}, stop, taken.sink());
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(nowhere.ToString()));
  EXPECT_EQ(content.calls, 1);
}

TEST(ContentClient, AFailureOfTheSinkEndsTheFetch) {
  FakeContent content;
  const std::vector<Digest> digests = {content.Add("a"), content.Add("b")};
  ContentClient client(content.address());
  Taken taken;
  taken.result = absl::ResourceExhaustedError("disk full");
  StopToken stop;
  const absl::Status status = client.Fetch(digests, stop, taken.sink());
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("disk full"));
  EXPECT_EQ(taken.blobs.size(), 1u);
}

TEST(ContentClient, StopsInTheMiddleOfADownload) {
  FakeContent content;
  content.hang = true;
  const Digest a = content.Add("a");
  ContentClient client(content.address());
  Taken taken;
  StopToken stop;
  std::thread stopper([&] {
    while (!content.hanging) std::this_thread::yield();
    stop.Stop("cancelled");
  });
  EXPECT_TRUE(absl::IsCancelled(client.Fetch({a, a}, stop, taken.sink())));
  stopper.join();
}

TEST(ContentClient, AStalledDownloadIsStartedAgain) {
  FakeContent content;
  content.hang = true;
  const Digest a = content.Add("a");
  const Digest b = content.Add("b");
  ContentClient client(content.address(), {.stalled = absl::Milliseconds(50)});
  Taken taken;
  StopToken stop;
  std::thread healer([&] {
    while (content.calls < 2) std::this_thread::yield();
    content.hang = false;
  });
  EXPECT_TRUE(client.Fetch({a, b}, stop, taken.sink()).ok());
  healer.join();
  EXPECT_EQ(taken.blobs.size(), 2u);
}

TEST(ContentClient, AnUnreachableControllerIsGivenUpAfterAWhile) {
  ContentClient client("127.0.0.1:1", {.patience = absl::Milliseconds(300)});
  Taken taken;
  StopToken stop;
  const absl::Status status = client.Fetch({Digest::Of("a")}, stop, taken.sink());
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("connection refused"));
}

}  // namespace
}  // namespace manyarch::worker::link
