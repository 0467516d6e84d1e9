// The client against a real docker-registry.
#include "registry/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "registry/curl_transport.h"
#include "tests/support/docker_registry.h"
#include "tests/support/test_image.h"

namespace manyarch::registry {
namespace {

using testing::DockerRegistry;
using ::testing::HasSubstr;
using testing::MakeTestImage;
using ::testing::Not;
using testing::RawRegistry;
using testing::TestImage;

constexpr char kAmd64[] = R"("os":"linux","architecture":"amd64")";
constexpr char kArm64[] = R"("os":"linux","architecture":"arm64","variant":"v8")";

// One registry for all tests of a suite; every test uses a repository of its own.
class ClientTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto open = DockerRegistry::Start();
    ASSERT_TRUE(open.ok()) << open.status();
    open_ = std::move(*open);
    auto closed = DockerRegistry::Start({"me", "right", true});
    ASSERT_TRUE(closed.ok()) << closed.status();
    closed_ = std::move(*closed);
  }
  static void TearDownTestSuite() {
    open_.reset();
    closed_.reset();
  }

  RegistryClient Client(const std::string& host, const std::string& password = "") {
    ClientOptions options;
    options.hosts = Hosts::PlainHttp({host});
    options.budget = {absl::Seconds(1)};
    if (!password.empty()) {
      options.auth =
          *AuthFile::Parse(absl::StrCat(R"({"auths":{")", host, R"(":{"auth":")",
                                        absl::Base64Escape("me:" + password), R"("}}})"));
    }
    return RegistryClient(std::move(options), &transport_, &waiter_, nullptr);
  }
  // "host/<test name in lower case>:1"
  Reference Here(const DockerRegistry& registry) const {
    const char* name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    return *ParseReference(absl::StrCat(registry.host(), "/", absl::AsciiStrToLower(name), ":1"));
  }

  static std::unique_ptr<DockerRegistry> open_;
  static std::unique_ptr<DockerRegistry> closed_;
  CurlTransport transport_{"manyarch-test"};
  SystemWaiter waiter_;
};
std::unique_ptr<DockerRegistry> ClientTest::open_;
std::unique_ptr<DockerRegistry> ClientTest::closed_;

TEST_F(ClientTest, PublishesAListOfTwoImages) {
  RegistryClient client = Client(open_->host());
  RawRegistry raw(&transport_, open_->host());
  const Reference tag = Here(*open_);
  const TestImage amd64 = MakeTestImage(kAmd64);
  const TestImage arm64 = MakeTestImage(kArm64);
  ASSERT_TRUE(raw.Push(tag.repository, amd64).ok());
  ASSERT_TRUE(raw.Push(tag.repository, arm64).ok());

  EXPECT_TRUE(client.Ping(open_->host()).ok());
  const auto absent = client.HeadManifest(tag);
  ASSERT_TRUE(absent.ok()) << absent.status();
  EXPECT_EQ(*absent, std::nullopt);

  const auto list =
      BuildManifestList({{arm64.media_type, arm64.digest(), arm64.size(), {"linux", "arm64", ""}},
                         {amd64.media_type, amd64.digest(), amd64.size(), {"linux", "amd64", ""}}});
  ASSERT_TRUE(list.ok());
  ASSERT_TRUE(client.PutManifest(tag.WithDigest(list->digest), list->bytes, list->media_type).ok());
  ASSERT_TRUE(client.PutManifest(tag, list->bytes, list->media_type).ok());
  EXPECT_EQ(*client.HeadManifest(tag), list->digest);

  const auto fetched = client.GetManifest(tag);
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->bytes, list->bytes);
  EXPECT_EQ(fetched->media_type, kDockerList);

  const auto child = client.GetManifest(tag.WithDigest(arm64.digest()));
  ASSERT_TRUE(child.ok()) << child.status();
  const auto config = client.GetBlob(tag, std::get<ImageManifest>(child->manifest).config);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(ToString(ParseImageConfig(*config)->platform), "linux/arm64");
}

TEST_F(ClientTest, ShowsWhichChildIsMissing) {
  RegistryClient client = Client(open_->host());
  const Digest child = Digest::Of("never pushed");
  const auto list =
      BuildManifestList({{std::string(kDockerManifest), child, 7, {"linux", "amd64", ""}}});
  const Reference tag = Here(*open_);
  const absl::Status status = client.PutManifest(tag, list->bytes, list->media_type);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("MANIFEST_BLOB_UNKNOWN"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(child.ToString()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(tag.ToString()));
}

TEST_F(ClientTest, SaysThatAManifestIsAbsent) {
  RegistryClient client = Client(open_->host());
  const auto got = client.GetManifest(Here(*open_));
  EXPECT_TRUE(absl::IsNotFound(got.status())) << got.status();
  EXPECT_THAT(std::string(got.status().message()), HasSubstr("MANIFEST_UNKNOWN"));
}

TEST_F(ClientTest, ChecksPushRightsAndLeavesNoUpload) {
  RegistryClient client = Client(open_->host());
  EXPECT_TRUE(client.CheckPush(Here(*open_)).ok());
  EXPECT_THAT(open_->Log(),
              HasSubstr("DELETE /v2/checkspushrightsandleavesnoupload/blobs/uploads/"));
}

TEST_F(ClientTest, DeletesAManifestTwiceWithoutComplaint) {
  RegistryClient client = Client(open_->host());
  const Reference tag = Here(*open_);
  const TestImage image = MakeTestImage(kAmd64);
  ASSERT_TRUE(RawRegistry(&transport_, open_->host()).Push(tag.repository, image).ok());
  EXPECT_TRUE(client.DeleteManifest(tag.WithDigest(image.digest())).ok());
  EXPECT_TRUE(client.DeleteManifest(tag.WithDigest(image.digest())).ok());
  EXPECT_EQ(*client.HeadManifest(tag.WithDigest(image.digest())), std::nullopt);
}

TEST_F(ClientTest, WorksWithTheRightPassword) {
  RegistryClient client = Client(closed_->host(), "right");
  const Reference tag = Here(*closed_);
  EXPECT_TRUE(client.Ping(closed_->host()).ok());
  EXPECT_TRUE(client.CheckPush(tag).ok());
  const TestImage image = MakeTestImage(kArm64);
  RawRegistry raw(&transport_, closed_->host(), Credentials{"me", "right"});
  ASSERT_TRUE(raw.Push(tag.repository, image).ok());
  EXPECT_TRUE(client.PutManifest(tag, image.manifest, image.media_type).ok());
  EXPECT_EQ(*client.HeadManifest(tag), image.digest());
}

TEST_F(ClientTest, ExplainsAWrongPasswordAtOnceAndNeverShowsIt) {
  RegistryClient client = Client(closed_->host(), "wr0ng-secret");
  const absl::Status status = client.CheckPush(Here(*closed_));
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("401 Unauthorized: UNAUTHORIZED: authentication required"));
  EXPECT_THAT(message, HasSubstr("check user name and password of 'me' for " + closed_->host()));
  EXPECT_THAT(message, Not(HasSubstr("wr0ng-secret")));
  EXPECT_THAT(message, Not(HasSubstr(absl::Base64Escape("me:wr0ng-secret"))));
}

TEST_F(ClientTest, ExplainsMissingCredentials) {
  RegistryClient client = Client(closed_->host());
  const absl::Status status = client.Ping(closed_->host());
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no credentials for " + closed_->host() + " are configured"));
}

TEST_F(ClientTest, SaysThatTheRegistrySpeaksNoTls) {
  ClientOptions options;
  RegistryClient client(options, &transport_, &waiter_, nullptr);
  const absl::Status status = client.Ping(open_->host());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("configure it as a plain http registry"));
}

TEST_F(ClientTest, GivesUpOnARegistryThatIsDownAndRecoversWithIt) {
  auto registry = DockerRegistry::Start();
  ASSERT_TRUE(registry.ok()) << registry.status();
  RegistryClient client = Client((*registry)->host());
  EXPECT_TRUE(client.Ping((*registry)->host()).ok());
  (*registry)->Stop();
  const absl::Status status = client.Ping((*registry)->host());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up after"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Connection refused"));
  ASSERT_TRUE((*registry)->StartAgain().ok());
  EXPECT_TRUE(client.Ping((*registry)->host()).ok());
}

TEST_F(ClientTest, RefusesAnAnswerThatIsTooLarge) {
  RawRegistry raw(&transport_, open_->host());
  const std::string repository = Here(*open_).repository;
  const std::string blob(100'000, 'x');
  ASSERT_TRUE(raw.PushBlob(repository, blob).ok());
  Request request;
  request.url = absl::StrCat("http://", open_->host(), "/v2/", repository, "/blobs/",
                             Digest::Of(blob).ToString());
  request.max_response_bytes = 99'999;
  EXPECT_TRUE(absl::IsFailedPrecondition(transport_.Send(request, nullptr).status()));
  request.max_response_bytes = 100'000;
  const auto whole = transport_.Send(request, nullptr);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->body, blob);
}

}  // namespace
}  // namespace manyarch::registry
