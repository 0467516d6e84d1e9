// Where a job is published: several repositories and registries, formats, tags that must not move,
// and what is refused before anything is built.
#include "gmock/gmock.h"
#include "registry/manifest.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StreamWorker;

class DestinationsTest : public ControllerTest {
 protected:
  std::string Tag(const std::string& name) const {
    return absl::StrCat(registry_->host(), "/", name);
  }
  // What a tag ("repository:tag") of the registry leads to.
  registry::Response Get(const std::string& repository, const std::string& tag) {
    auto response = testing::RawRegistry(&transport_, registry_->host()).Manifest(repository, tag);
    EXPECT_TRUE(response.ok()) << response.status();
    return *response;
  }
  v1::Job Run(const v1::SubmitRequest& request) {
    v1::SubmitResponse response;
    const grpc::Status status = Submit(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return AwaitEnd(response.job().id());
  }
  static void Rehash(v1::SubmitRequest& request) {
    request.set_request_hash(Digest::Of(request.spec().SerializeAsString()).ToString());
  }
};

TEST_F(DestinationsTest, AJobIsPublishedInEveryRepositoryItNames) {
  auto second = testing::DockerRegistry::Start();
  ASSERT_TRUE(second.ok()) << second.status();
  controller_.reset();
  options_.plain_http.push_back((*second)->host());
  StartController();
  PushImage("team/app");
  StreamWorker worker(address_, Builder());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
  v1::SubmitRequest request = RequestFor("team/app", "1.0", "several-places");
  request.mutable_spec()->add_tags(Tag("mirror/app:latest"));
  request.mutable_spec()->add_tags(absl::StrCat((*second)->host(), "/far/app:1.0"));
  request.mutable_spec()->set_arch_tag_template("{tag}-{arch}");
  Rehash(request);
  const v1::Job job = Run(request);
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.failure().message();
  for (const v1::TagResult& tag : job.tags()) EXPECT_TRUE(tag.written()) << tag.reference();
  EXPECT_EQ(Digest::Of(Get("team/app", "1.0").body).ToString(), job.intent().digest());
  EXPECT_EQ(Digest::Of(Get("mirror/app", "latest").body).ToString(), job.intent().digest());
  EXPECT_EQ(Digest::Of(Get("mirror/app", "latest-amd64").body), image_.digest());
  testing::RawRegistry far(&transport_, (*second)->host());
  EXPECT_EQ(Digest::Of(far.Manifest("far/app", "1.0")->body).ToString(), job.intent().digest());
  EXPECT_EQ(Digest::Of(far.Manifest("far/app", "1.0-amd64")->body), image_.digest());
}

TEST_F(DestinationsTest, TheFormatAskedForIsOfferedAndPublished) {
  PushImage("team/app");
  v1::ImageFormat offered = v1::IMAGE_FORMAT_UNSPECIFIED;
  StreamWorker worker(
      address_, [&, build = Builder()](StreamWorker& self, const v1::ControllerMessage& message) {
        if (message.has_offer()) offered = message.offer().format();
        build(self, message);
      });
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
  v1::SubmitRequest request = RequestFor("team/app", "oci", "an-oci-index");
  request.mutable_spec()->set_format(v1::IMAGE_FORMAT_OCI);
  Rehash(request);
  const v1::Job job = Run(request);
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.failure().message();
  EXPECT_EQ(offered, v1::IMAGE_FORMAT_OCI);
  EXPECT_EQ(job.intent().media_type(), registry::kOciIndex);
  // The worker pushed v2s2, as one that is older would: its manifest was rewritten.
  EXPECT_EQ(job.builds(0).image().media_type(), registry::kOciManifest);
  ASSERT_EQ(job.builds(0).warnings_size(), 1);
  EXPECT_THAT(job.builds(0).warnings(0), HasSubstr("its manifest was rewritten"));
  const auto index = registry::ParseManifest(Get("team/app", "oci").body, registry::kOciIndex);
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_EQ(std::get<registry::ManifestList>(*index).manifests[0].digest.ToString(),
            job.builds(0).image().digest());
}

TEST_F(DestinationsTest, AnImmutableTagIsWrittenOnceAndRefusedBeforeBuildingAfterwards) {
  PushImage("team/app");
  StreamWorker worker(address_, Builder());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
  v1::SubmitRequest request = RequestFor("team/app", "1.0", "immutable-one");
  request.mutable_spec()->set_immutable(true);
  request.mutable_spec()->clear_arch_tag_template();  // Those that the first try writes, too.
  Rehash(request);
  const v1::Job first = Run(request);
  ASSERT_EQ(first.state(), v1::JOB_STATE_SUCCEEDED) << first.failure().message();
  request.set_idempotency_key("immutable-two");
  v1::SubmitResponse response;
  const grpc::Status refused = Submit(request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("exists and points to " + first.intent().digest()));
  // A retry of the job that wrote it is another matter.
  grpc::ClientContext context;
  v1::RetryJobRequest retry;
  retry.set_job_id(first.id());
  retry.set_failed_only(true);
  retry.set_idempotency_key("immutable-retry");
  const grpc::Status retried = farm_->RetryJob(&context, retry, &response);
  ASSERT_TRUE(retried.ok()) << retried.error_message();
  EXPECT_EQ(AwaitEnd(response.job().id()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(DestinationsTest, AnImmutableJobIsRefusedWhereAPerArchitectureTagExists) {
  PushImage("team/app");
  testing::RawRegistry raw(&transport_, registry_->host());
  ASSERT_EQ(raw.Send("PUT", "/v2/team/app/manifests/1.0-amd64", image_.manifest, image_.media_type)
                ->status,
            201);
  StreamWorker worker(address_, Builder());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 1));
  v1::SubmitRequest request = RequestFor("team/app", "1.0", "arch-tag-one");
  request.mutable_spec()->set_immutable(true);
  request.mutable_spec()->clear_arch_tag_template();
  Rehash(request);
  v1::SubmitResponse response;
  const grpc::Status refused = Submit(request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(),
              AllOf(HasSubstr(Tag("team/app:1.0-amd64") + " exists and points to " +
                              image_.digest().ToString()),
                    HasSubstr("--arch-tags")));
  request.mutable_spec()->set_arch_tag_template("off");
  request.set_idempotency_key("arch-tag-two");
  Rehash(request);
  EXPECT_EQ(Run(request).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(DestinationsTest, EveryDestinationIsCheckedBeforeAnythingIsBuilt) {
  v1::SubmitRequest request = RequestFor("team/app", "1.0", "one-is-not-there");
  request.mutable_spec()->add_tags("127.0.0.1:1/no/registry:1");
  Rehash(request);
  v1::SubmitResponse response;
  const grpc::Status status = Submit(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("127.0.0.1:1"));

  v1::CheckDestinationsRequest check;
  check.add_references(Tag("team/app:1.0"));
  check.add_references("Not/A:reference");
  grpc::ClientContext context;
  v1::CheckDestinationsResponse checks;
  ASSERT_TRUE(farm_->CheckDestinations(&context, check, &checks).ok());
  ASSERT_EQ(checks.checks_size(), 10) << checks.DebugString();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(checks.checks(i).result(), v1::DestinationCheck::RESULT_OK);
    EXPECT_EQ(checks.checks(i).reference(), Tag("team/app:1.0"));
  }
  EXPECT_EQ(checks.checks(5).what(), "reference");
  EXPECT_EQ(checks.checks(5).result(), v1::DestinationCheck::RESULT_FAILED);
  EXPECT_EQ(checks.checks(6).result(), v1::DestinationCheck::RESULT_SKIPPED);
}

}  // namespace
}  // namespace manyarch::controller
