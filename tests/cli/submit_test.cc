#include "cli/submit.h"

#include <set>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_farm.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

ContextTree OneBlob() {
  ContextTree tree;
  Blob blob;
  blob.bytes = "root";
  blob.size = 4;
  blob.digest = Digest::Of("root").ToString();
  tree.root = blob.digest;
  tree.blobs.push_back(blob);
  return tree;
}

TEST(SubmitJob, HashesTheSpecAndLooksAgainForAContextThatIsNotWhole) {
  FakeFarm farm;
  int asked = 0;
  farm.find_missing = [&](const v1::FindMissingRequest& request,
                          v1::FindMissingResponse* response) {
    // The root is there at first sight; later it turns out that something is not.
    if (++asked > 1) *response->mutable_digests() = request.digests();
    return grpc::Status::OK;
  };
  std::set<std::string> keys;
  int submits = 0;
  farm.submit = [&](const v1::SubmitRequest& request, v1::SubmitResponse* response) {
    keys.insert(request.idempotency_key());
    EXPECT_EQ(request.secrets_size(), 1);
    EXPECT_EQ(request.request_hash(), Digest::Of(DeterministicBytes(request.spec())).ToString());
    if (++submits == 1) {
      return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                          "parts of the context are missing");
    }
    response->mutable_job()->set_id("j9");
    return grpc::Status::OK;
  };
  farm.Start();
  Client client(farm.address());
  QuietProgress quiet(stderr);
  bool told = false;
  const auto wanted =
      FromText<v1::SubmitRequest>("spec { project: 'default' tags: 'r/x:1' } secrets { id: 's' }");
  const auto job = SubmitJob(client, quiet, wanted, {OneBlob()}, [&] { told = true; });
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->id(), "j9");
  EXPECT_TRUE(told);
  EXPECT_EQ(submits, 2);
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys.begin()->size(), 32u);
}

TEST(SubmitJob, ARefusalForAnotherReasonIsPassedOn) {
  FakeFarm farm;
  farm.find_missing = [](const auto&, auto*) { return grpc::Status::OK; };
  int submits = 0;
  farm.submit = [&](const auto&, auto*) {
    ++submits;
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "DENIED: push access is needed");
  };
  farm.Start();
  Client client(farm.address());
  QuietProgress quiet(stderr);
  EXPECT_EQ(SubmitJob(client, quiet, {}, {OneBlob()}, [] {}).status(),
            absl::FailedPreconditionError("DENIED: push access is needed"));
  EXPECT_EQ(submits, 1);
}

TEST(SubmitJob, DoesNotWaitForAControllerThatNeverAnswered) {
  FakeFarm farm;
  farm.Start();
  farm.Stop();
  Client client(farm.address());
  QuietProgress quiet(stderr);
  bool told = false;
  const auto job = SubmitJob(client, quiet, {}, {OneBlob()}, [&] { told = true; });
  EXPECT_TRUE(IsUnreachable(job.status()));
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace manyarch::cli
