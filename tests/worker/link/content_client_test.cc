#include "worker/link/content_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

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
      const std::string& sent = zstd ? Packed(blob->second) : blob->second;
      for (size_t at = 0; at == 0 || at < sent.size(); at += 10) {
        if (pieces_per_call > 0 && pieces++ == pieces_per_call) {
          return {grpc::StatusCode::UNAVAILABLE, "restarting"};
        }
        v1::DownloadResponse piece;
        if (at == 0) piece.set_digest(digest);
        if (at == 0) piece.set_size(announced < 0 ? Size(blob->second) : announced);
        if (at == 0 && zstd) piece.set_compression(v1::COMPRESSION_ZSTD);
        piece.set_data(sent.substr(at, 10));
        piece.set_last(at + 10 >= sent.size());
        writer->Write(piece);
      }
      while (hang && !context->IsCancelled()) hanging = true;
    }
    return grpc::Status::OK;
  }

  static int64_t Size(const std::string& bytes) { return static_cast<int64_t>(bytes.size()); }
  static std::string Packed(const std::string& bytes) {
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
    return out;
  }

  bool zstd = false;
  int64_t announced = -1;  // As each blob's size, instead of the true one.
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

TEST(ContentClient, TakesCompressedBlobsAlsoOverACut) {
  FakeContent content;
  content.zstd = true;
  std::vector<Digest> digests;
  std::vector<std::string> all;
  for (char c = 'a'; c < 'g'; ++c) {
    all.push_back(std::string(5'000, c));
    digests.push_back(content.Add(all.back()));
  }
  content.pieces_per_call = 4;
  ContentClient client(content.address());
  Taken taken;
  StopToken stop;
  ASSERT_TRUE(client.Fetch(digests, stop, taken.sink()).ok());
  ASSERT_EQ(taken.blobs.size(), all.size());
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(taken.blobs[i].second, all[i]);
}

TEST(ContentClient, ACompressedBlobOfAnotherSizeIsRefused) {
  FakeContent content;
  content.zstd = true;
  const Digest digest = content.Add(std::string(5'000, 'a'));
  ContentClient client(content.address());
  Taken taken;
  StopToken stop;
  for (const int64_t announced : {int64_t{10}, int64_t{6'000}, int64_t{1} << 40}) {
    content.announced = announced;
    EXPECT_FALSE(client.Fetch({digest}, stop, taken.sink()).ok()) << announced;
  }
  EXPECT_TRUE(taken.blobs.empty());
}

}  // namespace
}  // namespace manyarch::worker::link
