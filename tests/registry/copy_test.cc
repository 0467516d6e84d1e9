// Blobs between two real docker-registries, and within one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "registry/client.h"
#include "registry/curl_transport.h"
#include "tests/support/docker_registry.h"
#include "tests/support/test_image.h"

namespace manyarch::registry {
namespace {

using testing::DockerRegistry;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class CopyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto* registry : {&one_, &two_}) {
      auto started = DockerRegistry::Start();
      ASSERT_TRUE(started.ok()) << started.status();
      *registry = std::move(*started);
    }
  }
  static ClientOptions Options() {
    ClientOptions options;
    options.hosts = Hosts::PlainHttp({"127.0.0.1"});
    options.budget = {absl::Seconds(5)};
    return options;
  }
  static Reference At(const DockerRegistry& registry, const std::string& path) {
    return *ParseReference(absl::StrCat(registry.host(), "/", path));
  }

  std::unique_ptr<DockerRegistry> one_;
  std::unique_ptr<DockerRegistry> two_;
  CurlTransport transport_{"manyarch-test"};
  SystemWaiter waiter_;
  RegistryClient client_{Options(), &transport_, &waiter_, nullptr};
};

std::string LargeBytes() {
  std::string out(20 << 20, '\0');
  uint32_t state = 7;
  for (char& c : out) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return out;
}

TEST_F(CopyTest, CopiesALargeBlobToAnotherRegistry) {
  const std::string bytes = LargeBytes();
  const Digest digest = Digest::Of(bytes);
  const Reference from = At(*one_, "base");
  const Reference to = At(*two_, "team/app");
  ASSERT_TRUE(client_.PutBlob(from, bytes).ok());
  int64_t seen = 0;
  const absl::Status status =
      client_.CopyBlob(from, {"", digest, static_cast<int64_t>(bytes.size()), {}}, to,
                       [&](int64_t so_far) { seen = so_far; });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(seen, static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(*client_.HeadBlob(to, {"", digest, static_cast<int64_t>(bytes.size()), {}}), true);
  EXPECT_EQ(
      *client_.HeadBlob(At(*two_, "other"), {"", digest, static_cast<int64_t>(bytes.size()), {}}),
      false);
  testing::RawRegistry raw(&transport_, two_->host());
  Request get;
  get.url = absl::StrCat("http://", two_->host(), "/v2/team/app/blobs/", digest.ToString());
  get.max_response_bytes = 32 << 20;
  const auto stored = transport_.Send(get, nullptr);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_TRUE(stored->body == bytes);
}

TEST_F(CopyTest, MountsWithinOneRegistryAndMovesNothing) {
  const std::string bytes = "some layer";
  const Descriptor blob{"", Digest::Of(bytes), static_cast<int64_t>(bytes.size()), {}};
  ASSERT_TRUE(client_.PutBlob(At(*one_, "base"), bytes).ok());
  EXPECT_EQ(*client_.MountBlob(At(*one_, "first"), At(*one_, "base"), blob.digest), true);
  EXPECT_TRUE(client_.CopyBlob(At(*one_, "base"), blob, At(*one_, "second")).ok());
  EXPECT_EQ(*client_.HeadBlob(At(*one_, "second"), blob), true);
  EXPECT_THAT(one_->Log(), Not(HasSubstr("PATCH")));
}

TEST_F(CopyTest, SaysThatTheBlobIsNotThere) {
  const absl::Status status =
      client_.CopyBlob(At(*one_, "base"), {"", Digest::Of("never"), 5, {}}, At(*two_, "app"));
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(one_->host() + "/base"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("BLOB_UNKNOWN"));
}

TEST_F(CopyTest, ListsTags) {
  const Reference app = At(*one_, "app");
  EXPECT_TRUE(absl::IsNotFound(client_.ListTags(app).status()));
  const testing::TestImage image = testing::MakeTestImage(R"("os":"linux","architecture":"amd64")");
  ASSERT_TRUE(testing::RawRegistry(&transport_, one_->host()).Push("app", image).ok());
  for (const char* tag : {"1.0", "1.0-amd64"}) {
    ASSERT_TRUE(client_.PutManifest(app.WithTag(tag), image.manifest, image.media_type).ok());
  }
  EXPECT_THAT(*client_.ListTags(app), UnorderedElementsAre("1.0", "1.0-amd64"));
}

}  // namespace
}  // namespace manyarch::registry
