// A job of two platforms, from submission to tags, through every kind of registry: strict ones with
// the rules of the well-known services, and the real docker-registry behind each kind of
// authentication.
#include <filesystem>
#include <functional>
#include <set>

#include "SQLiteCpp/Column.h"
#include "SQLiteCpp/Database.h"
#include "SQLiteCpp/Statement.h"
#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "registry/client.h"
#include "tests/integration/publish_rig.h"
#include "tests/support/strict_registry.h"

namespace manyarch::controller {
namespace {

using testing::DockerRegistry;
using testing::DockerRegistryOptions;
using testing::StrictRegistry;
using testing::StrictRegistryOptions;
using testing::TokenServer;

enum class Access { kOpen, kBasic, kTokens };
enum class Transport { kPlain, kTls, kBothSidesTls };

struct Row {
  std::string name;
  Access access = Access::kOpen;
  std::optional<testing::RegistryRules> rules;  // Absent: the real docker-registry.
  Transport transport = Transport::kPlain;      // Of the real one.
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::vector<Row> Rows() {
  std::vector<Row> rows = {
      {"RealOpen", Access::kOpen, std::nullopt},
      {"RealBasic", Access::kBasic, std::nullopt},
      {"RealTokens", Access::kTokens, std::nullopt},
      {"RealTls", Access::kBasic, std::nullopt, Transport::kTls},
      {"RealClientCertificate", Access::kOpen, std::nullopt, Transport::kBothSidesTls}};
  testing::RegistryRules immutable = testing::Ecr();
  immutable.immutable_tags = true;
  rows.push_back({"StrictQuayOpen", Access::kOpen, testing::Quay()});
  rows.push_back({"StrictQuay", Access::kTokens, testing::Quay()});
  rows.push_back({"StrictDockerHub", Access::kTokens, testing::DockerHub()});
  rows.push_back({"StrictEcr", Access::kBasic, testing::Ecr()});
  rows.push_back({"StrictEcrImmutable", Access::kBasic, immutable});
  rows.push_back({"StrictGcr", Access::kTokens, testing::Gcr()});
  rows.push_back({"StrictHarbor", Access::kTokens, testing::Harbor()});
  rows.push_back({"StrictGitLab", Access::kTokens, testing::GitLab()});
  rows.push_back({"StrictGhcr", Access::kTokens, testing::Ghcr()});
  rows.push_back({"StrictArtifactory", Access::kBasic, testing::Artifactory()});
  rows.push_back({"StrictDockerRegistry", Access::kBasic, testing::DockerDistribution()});
  return rows;
}

class RegistriesTest : public PublishTest, public ::testing::WithParamInterface<Row> {
 protected:
  ~RegistriesTest() override { controller_.reset(); }

  void StartRegistry() override {
    const Row& row = GetParam();
    if (row.access == Access::kTokens) {
      testing::TokenServerOptions options;
      options.users["me"] = {
          "right", "", {{"team/app", {"pull", "push", "delete"}}, {"team/copy", {"pull", "push"}}}};
      tokens_ = std::make_unique<TokenServer>(options);
    }
    if (row.rules) {
      StrictRegistryOptions options;
      options.rules = *row.rules;
      if (row.access == Access::kBasic) options.basic = registry::Credentials{"me", "right"};
      options.tokens = tokens_.get();
      strict_ = std::make_unique<StrictRegistry>(options);
      host_ = strict_->host();
      options_.plain_http = {host_, strict_->storage_host()};
    } else {
      DockerRegistryOptions options;
      if (row.access == Access::kBasic) {
        options.user = "me";
        options.password = "right";
      }
      if (tokens_ != nullptr) {
        options.token_realm = tokens_->realm();
        options.token_service = tokens_->service();
        options.token_issuer = tokens_->issuer();
        options.token_certificate_pem = tokens_->certificate_pem();
      }
      if (row.transport == Transport::kPlain) {
        StartReal(options);
        options_.plain_http = {host_};
      } else {
        StartWithCertificates(options, row.transport == Transport::kBothSidesTls);
      }
    }
    if (row.access != Access::kOpen) UseCredentials("me", "right");
    if (!ControllerHasCredentials()) options_.registry_authfile.clear();
  }

  virtual bool ControllerHasCredentials() const { return true; }

  void StartReal(const DockerRegistryOptions& options) {
    auto real = DockerRegistry::Start(options);
    ASSERT_TRUE(real.ok()) << real.status();
    registry_ = *std::move(real);
    host_ = registry_->host();
  }

  // Signed by an authority that the controller knows from its registries file alone.
  void StartWithCertificates(DockerRegistryOptions options, bool both_sides) {
    auto made = testing::TestCertificates::Make();
    ASSERT_TRUE(made.ok()) << made.status();
    certificates_.emplace(*std::move(made));
    options.tls = &*certificates_;
    options.wants_client_certificate = both_sides;
    StartReal(options);
    nlohmann::json settings = {{"ca", certificates_->ca()}};
    if (both_sides) {
      settings["client_cert"] = certificates_->client_cert();
      settings["client_key"] = certificates_->client_key();
    }
    options_.registries = dir_.path() + "/registries.json";
    const nlohmann::json file = {{"registries", {{host_, settings}}}};
    ASSERT_TRUE(WriteFileAtomic(options_.registries, file.dump()).ok());
  }

  // Told of the registry as the controller is.
  registry::RegistryClient Client() {
    registry::ClientOptions options;
    options.hosts = options_.registries.empty() ? registry::Hosts::PlainHttp(options_.plain_http)
                                                : *registry::Hosts::Read(options_.registries);
    if (!options_.registry_authfile.empty()) {
      options.auth = *registry::AuthFile::Read(options_.registry_authfile);
    }
    return {std::move(options), &transport_, &waiter_, nullptr};
  }

  // As a worker's buildah would.
  void PushBoth(registry::RegistryClient& client) {
    const auto app = *registry::ParseReference(host_ + "/team/app:1");
    for (const testing::TestImage* image : {&image_, &arm64_}) {
      if (strict_ != nullptr) {
        strict_->Hold("team/app", *image);
        continue;
      }
      for (const std::string& blob : {image->config, image->layer}) {
        const absl::Status put = client.PutBlob(app, blob);
        ASSERT_TRUE(put.ok()) << put;
      }
      const absl::Status put =
          client.PutManifest(app.WithDigest(image->digest()), image->manifest, image->media_type);
      ASSERT_TRUE(put.ok()) << put;
    }
  }

  registry::SystemWaiter waiter_;
  std::optional<testing::TestCertificates> certificates_;
  std::unique_ptr<TokenServer> tokens_;
  std::unique_ptr<StrictRegistry> strict_;
};

TEST_P(RegistriesTest, APublishedJobHasItsListUnderEveryTag) {
  registry::RegistryClient client = Client();
  ASSERT_NO_FATAL_FAILURE(PushBoth(client));
  if (strict_ != nullptr) strict_->Forget();

  testing::StreamWorker worker(address_, TwoBuilder());
  worker.SayHello(testing::StreamWorker::HelloOf("w", {"linux/amd64", "linux/arm64"}, 2));
  v1::SubmitResponse submitted;
  const grpc::Status status = Submit(TwoPlatforms("team/app", {"1.0", "1"}), &submitted);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Job job = AwaitEnd(submitted.job().id());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.builds(0).failure().message();

  const auto app = *registry::ParseReference(host_ + "/team/app:1");
  for (const char* tag : {"1.0", "1"}) {
    const auto list = client.GetManifest(app.WithTag(tag));
    ASSERT_TRUE(list.ok()) << list.status();
    ExpectTheRightList(list->bytes);
    EXPECT_EQ(list->digest.ToString(), job.intent().digest());
  }
  ExpectTag(client, app.WithTag("1.0-amd64"), image_.digest());
  ExpectTag(client, app.WithTag("1.0-arm64"), arm64_.digest());
  if (strict_ == nullptr) return;
  EXPECT_EQ(strict_->Count("PUT", "/manifests/" + job.intent().digest()), 1);
  for (const auto& [tag, digest] : strict_->Tags("team/app")) {
    int written = 0;
    for (const auto& recorded : strict_->Requests()) {
      written += recorded.request.method == "PUT" && recorded.status == 201 &&
                 recorded.request.path.ends_with("/manifests/" + tag);
    }
    EXPECT_EQ(written, 1) << tag;
  }
  for (const testing::TestImage* image : {&image_, &arm64_}) {
    EXPECT_EQ(strict_->Count("GET", Digest::Of(image->layer).ToString()), 0) << "no layer is read";
  }
  if (GetParam().rules->cancels_uploads) {
    EXPECT_EQ(strict_->Uploads("team/app"), 0u) << "what was opened is given up";
  }
}

// Of the same registry: with rights for both repositories at once, and without moving a layer.
TEST_P(RegistriesTest, ASecondRepositoryGetsImagesAndListByMounting) {
  registry::RegistryClient client = Client();
  ASSERT_NO_FATAL_FAILURE(PushBoth(client));
  if (strict_ != nullptr) {
    strict_->CreateRepository("team/copy");
    strict_->Forget();
  }
  testing::StreamWorker worker(address_, TwoBuilder());
  worker.SayHello(testing::StreamWorker::HelloOf("w", {"linux/amd64", "linux/arm64"}, 2));
  v1::SubmitRequest request = TwoPlatforms("team/app", {"1.0"});
  request.mutable_spec()->add_tags(host_ + "/team/copy:1.0");
  request.set_request_hash(Digest::Of(request.spec().SerializeAsString()).ToString());
  v1::SubmitResponse submitted;
  const grpc::Status status = Submit(request, &submitted);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Job job = AwaitEnd(submitted.job().id());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.failure().message();
  for (const char* repository : {"/team/app:1.0", "/team/copy:1.0"}) {
    const auto tag = *registry::ParseReference(host_ + repository);
    const auto list = client.GetManifest(tag);
    ASSERT_TRUE(list.ok()) << list.status();
    ExpectTheRightList(list->bytes);
    // These are written beside the list, which does not wait for them.
    ExpectTag(client, tag.WithTag("1.0-amd64"), image_.digest());
    ExpectTag(client, tag.WithTag("1.0-arm64"), arm64_.digest());
  }
  if (strict_ == nullptr) return;
  for (const testing::TestImage* image : {&image_, &arm64_}) {
    EXPECT_EQ(strict_->Count("GET", Digest::Of(image->layer).ToString()), 0) << "no layer is read";
    EXPECT_EQ(strict_->BlobOf("team/copy", Digest::Of(image->layer)), image->layer);
  }
  if (GetParam().rules->cancels_uploads) {
    EXPECT_EQ(strict_->Uploads("team/copy"), 0u);
  }
}

// The controller has no credentials; jobs come with their own.
class JobCredentialsTest : public RegistriesTest {
 protected:
  bool ControllerHasCredentials() const override { return false; }

  // What lies on the controller's disk: the database with its journal, logs, all.
  std::vector<std::string> FilesWith(const std::string& text) const {
    std::vector<std::string> found;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(dir_.path() + "/state")) {
      if (!entry.is_regular_file()) continue;
      const auto bytes = ReadFile(entry.path().string());
      if (bytes.ok() && absl::StrContains(*bytes, text)) found.push_back(entry.path().string());
    }
    return found;
  }
  int SealedRows() const {
    SQLite::Database db(dir_.path() + "/state/farm.db", SQLite::OPEN_READONLY);
    return db.execAndGet("SELECT count(*) FROM secrets").getInt();
  }
};

TEST_P(JobCredentialsTest, CountForTheirJobAloneAndAreGoneWithIt) {
  const std::string authfile =
      registry::WriteAuthFile({{host_, registry::Credentials{"me", "right"}}});
  registry::ClientOptions client_options;
  client_options.hosts = registry::Hosts::PlainHttp(options_.plain_http);
  client_options.auth = *registry::AuthFile::Parse(authfile);
  registry::RegistryClient client(client_options, &transport_, &waiter_, nullptr);
  ASSERT_NO_FATAL_FAILURE(PushBoth(client));

  v1::SubmitRequest request = TwoPlatforms("team/app", {"1.0", "1"});
  v1::SubmitResponse submitted;
  const grpc::Status without = Submit(request, &submitted);
  EXPECT_EQ(without.error_code(), grpc::StatusCode::UNAUTHENTICATED) << without.error_message();
  EXPECT_THAT(without.error_message(), ::testing::HasSubstr("--authfile"));
  request.set_authfile(registry::WriteAuthFile({{host_, registry::Credentials{"me", "wrong"}}}));
  const grpc::Status wrong = Submit(request, &submitted);
  EXPECT_EQ(wrong.error_code(), grpc::StatusCode::UNAUTHENTICATED) << wrong.error_message();
  EXPECT_THAT(wrong.error_message(), ::testing::HasSubstr("check user name and password of 'me'"));

  // Held back until what is sealed has been looked at.
  absl::Notification may_build;
  absl::Mutex mutex;
  std::set<std::string> handed;  // To workers.
  const auto build = TwoBuilder();
  testing::StreamWorker worker(
      address_, [&](testing::StreamWorker& self, const v1::ControllerMessage& message) {
        if (!message.has_offer()) return;
        {
          absl::MutexLock lock(&mutex);
          handed.insert(message.offer().registry().authfile());
        }
        may_build.WaitForNotification();
        build(self, message);
      });
  worker.SayHello(testing::StreamWorker::HelloOf("w", {"linux/amd64", "linux/arm64"}, 2));
  // With a member that we do not know, and Go would take for one that names programs.
  request.set_authfile(absl::StrCat(authfile.substr(0, authfile.size() - 1),
                                    R"(,"CREDHELPERS":{"docker.io":"program"}})"));
  const grpc::Status status = Submit(request, &submitted);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(SealedRows(), 1);
  const std::vector<std::string> clear_texts = {"me:right", absl::Base64Escape("me:right")};
  for (const std::string& text : clear_texts) EXPECT_TRUE(FilesWith(text).empty()) << text;
  may_build.Notify();
  const v1::Job job = AwaitEnd(submitted.job().id());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.builds(0).failure().message();
  {
    absl::MutexLock lock(&mutex);
    EXPECT_EQ(handed, std::set<std::string>{authfile});
  }
  const auto app = *registry::ParseReference(host_ + "/team/app:1");
  EXPECT_EQ(client.HeadManifest(app)->value().ToString(), job.intent().digest());
  ExpectTag(client, app.WithTag("1.0-arm64"), arm64_.digest());

  EXPECT_EQ(SealedRows(), 0);
  for (const std::string& text : clear_texts) {
    EXPECT_TRUE(FilesWith(text).empty()) << text;
    EXPECT_FALSE(absl::StrContains(job.DebugString(), text));
  }
  // The next one has none again.
  v1::RetryJobRequest again;
  again.set_job_id(job.id());
  again.set_idempotency_key("once more");
  grpc::ClientContext context;
  const grpc::Status retried = farm_->RetryJob(&context, again, &submitted);
  EXPECT_EQ(retried.error_code(), grpc::StatusCode::UNAUTHENTICATED) << retried.error_message();
}

INSTANTIATE_TEST_SUITE_P(Registries, JobCredentialsTest,
                         ::testing::Values(Row{"RealBasic", Access::kBasic, std::nullopt},
                                           Row{"RealTokens", Access::kTokens, std::nullopt},
                                           Row{"StrictQuay", Access::kTokens, testing::Quay()}),
                         [](const ::testing::TestParamInfo<Row>& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(Registries, RegistriesTest, ::testing::ValuesIn(Rows()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace manyarch::controller
