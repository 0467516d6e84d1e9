#include "cli/context/upload.h"

#include <zstd.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::cli {
namespace {

// Keeps blobs as a controller would, and looks at how they come.
struct FakeContent {
  std::map<std::string, std::string> blobs;
  std::vector<size_t> asked;  // Digests in each FindMissing call.
  std::vector<std::string> stored_order;
  int uploads = 0;

  ContentCalls Calls() {
    return {
        [this](const v1::FindMissingRequest& request) -> absl::StatusOr<v1::FindMissingResponse> {
          asked.push_back(static_cast<size_t>(request.digests_size()));
          v1::FindMissingResponse response;
          for (const auto& digest : request.digests()) {
            if (blobs.count(digest) == 0) response.add_digests(digest);
          }
          return response;
        },
        [this](int64_t, const auto& next) { return Take(next); }};
  }

  absl::StatusOr<v1::UploadResponse> Take(
      const std::function<absl::StatusOr<bool>(v1::UploadRequest&)>& next) {
    ++uploads;
    v1::UploadResponse response;
    std::string digest;
    std::string data;
    int64_t size = 0;
    auto compression = v1::COMPRESSION_NONE;
    while (true) {
      v1::UploadRequest piece;
      const auto more = next(piece);
      if (!more.ok()) return more.status();
      if (!*more) return response;
      EXPECT_LE(piece.data().size(), size_t{1} << 20);
      if (data.empty() && digest.empty()) {
        digest = piece.digest();
        size = piece.size();
        compression = piece.compression();
      }
      data += piece.data();
      if (!piece.last()) continue;
      std::string plain = data;
      if (compression == v1::COMPRESSION_ZSTD) {
        plain.assign(static_cast<size_t>(size), '\0');
        EXPECT_EQ(ZSTD_decompress(plain.data(), plain.size(), data.data(), data.size()),
                  plain.size());
        EXPECT_LT(data.size(), plain.size());
      }
      EXPECT_EQ(Digest::Of(plain).ToString(), digest);
      blobs[digest] = plain;
      stored_order.push_back(digest);
      response.add_stored(digest);
      digest.clear();
      data.clear();
    }
  }
};

Blob Of(const std::string& bytes) {
  Blob blob;
  blob.bytes = bytes;
  blob.size = static_cast<int64_t>(bytes.size());
  blob.digest = Digest::Of(bytes).ToString();
  return blob;
}

ContextTree Tree(const std::vector<std::string>& contents) {
  ContextTree tree;
  for (const auto& content : contents) tree.blobs.push_back(Of(content));
  tree.root = tree.blobs.back().digest;
  return tree;
}

TEST(UploadTrees, SendsWhatIsMissingAndTheRootLast) {
  FakeContent content;
  std::string noise(3 << 20, '\0');
  uint64_t x = 1;
  for (char& c : noise) c = static_cast<char>((x = x * 6364136223846793005u + 1) >> 56);
  const ContextTree tree = Tree({"there already", std::string(2 << 20, 'a'), noise, "root"});
  content.blobs[tree.blobs[0].digest] = "there already";
  const auto stats = UploadTrees({tree}, false, content.Calls());
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->blobs, 3);
  EXPECT_LT(stats->sent_bytes, stats->bytes - (1 << 20));
  EXPECT_THAT(content.stored_order,
              testing::ElementsAre(tree.blobs[1].digest, tree.blobs[2].digest, tree.root));
  EXPECT_TRUE(content.blobs[tree.blobs[2].digest] == noise);
}

TEST(UploadTrees, AsksForTheRootAloneFirstAndSendsNothingWhenItIsThere) {
  FakeContent content;
  const ContextTree tree = Tree({"a", "b", "root"});
  content.blobs[tree.root] = "root";
  EXPECT_EQ(UploadTrees({tree}, false, content.Calls())->blobs, 0);
  EXPECT_THAT(content.asked, testing::ElementsAre(1u));
  // Told that parts are missing all the same, it looks for all of them.
  EXPECT_EQ(UploadTrees({tree}, true, content.Calls())->blobs, 2);
}

TEST(UploadTrees, AsksForAtMostTenThousandAtOnceAndSendsInSeveralStreams) {
  FakeContent content;
  std::vector<std::string> contents;
  for (int i = 0; i < 12'000; ++i) contents.push_back(absl::StrCat("blob ", i));
  const ContextTree tree = Tree(contents);
  EXPECT_EQ(UploadTrees({tree}, false, content.Calls())->blobs, 12'000);
  EXPECT_THAT(content.asked, testing::ElementsAre(1u, 10'000u, 2'000u));
  EXPECT_EQ(content.uploads, 3);
  EXPECT_EQ(content.stored_order.back(), tree.root);
}

TEST(UploadTrees, PassesErrorsOn) {
  const ContextTree tree = Tree({"root"});
  FakeContent content;
  ContentCalls calls = content.Calls();
  calls.upload = [](int64_t, const auto&) -> absl::StatusOr<v1::UploadResponse> {
    return absl::ResourceExhaustedError("the disk is full");
  };
  EXPECT_EQ(UploadTrees({tree}, false, calls).status().message(), "the disk is full");
  calls.upload = [](int64_t, const auto&) -> absl::StatusOr<v1::UploadResponse> {
    return v1::UploadResponse();
  };
  EXPECT_EQ(UploadTrees({tree}, false, calls).status().message(),
            "the controller stored 0 of 1 parts of the context");
}

}  // namespace
}  // namespace manyarch::cli
