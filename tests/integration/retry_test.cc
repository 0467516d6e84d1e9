// Retrying, explaining and reading logs from the middle, over the wire.

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {
namespace {

using ::testing::HasSubstr;
using testing::StreamWorker;

class RetryTest : public ControllerTest {
 protected:
  // amd64 finds its image; arm64 fails in its Containerfile.
  StreamWorker::OnMessage HalfBroken() const {
    return [digest = image_.digest().ToString()](StreamWorker& self,
                                                 const v1::ControllerMessage& message) {
      if (!message.has_offer()) return;
      self.AnswerOffer(message.offer().attempt_id(), true);
      v1::Finished finished;
      finished.set_attempt_id(message.offer().attempt_id());
      if (message.offer().platform().arch() == "amd64") {
        finished.mutable_image()->set_repository(message.offer().repository());
        finished.mutable_image()->set_digest(digest);
      } else {
        finished.mutable_failure()->set_class_(v1::FAILURE_CLASS_USER);
        finished.mutable_failure()->set_message("RUN make failed");
      }
      self.Finish(finished);
    };
  }

  v1::SubmitRequest TwoPlatforms(const std::string& key) const {
    v1::SubmitRequest request = RequestFor("app", "v1", key);
    v1::PlatformRequest& arm = *request.mutable_spec()->add_platforms();
    arm.mutable_platform()->set_os("linux");
    arm.mutable_platform()->set_arch("arm64");
    request.mutable_spec()->set_keep_going(true);
    request.mutable_spec()->set_priority(7);
    request.mutable_spec()->set_source("git https://git.example.com/app.git 1a2b");
    request.set_request_hash(Digest::Of(request.spec().SerializeAsString()).ToString());
    return request;
  }

  grpc::Status Retry(const std::string& job_id, bool failed_only, const std::string& key,
                     v1::SubmitResponse* response) const {
    grpc::ClientContext context;
    v1::RetryJobRequest request;
    request.set_job_id(job_id);
    request.set_failed_only(failed_only);
    request.set_idempotency_key(key);
    return farm_->RetryJob(&context, request, response);
  }

  v1::ExplainJobResponse Explain(const std::string& job_id) const {
    grpc::ClientContext context;
    v1::ExplainJobRequest request;
    request.set_job_id(job_id);
    v1::ExplainJobResponse response;
    const grpc::Status status = farm_->ExplainJob(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(RetryTest, OnlyWhatHasFailedIsBuiltAgainAsLongAsTheRegistryHasTheRest) {
  PushImage("app");
  StreamWorker worker(address_, HalfBroken());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64", "linux/arm64"}, 4));
  v1::SubmitResponse first;
  ASSERT_TRUE(Submit(TwoPlatforms("the-first-of-them"), &first).ok());
  const v1::Job failed = AwaitEnd(first.job().id());
  ASSERT_EQ(failed.state(), v1::JOB_STATE_FAILED);

  v1::SubmitResponse second;
  const grpc::Status status = Retry(failed.id(), true, "a-retry-of-it", &second);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(second.job().retry_of(), failed.id());
  EXPECT_EQ(failed.spec().source(), "git https://git.example.com/app.git 1a2b");
  EXPECT_EQ(second.job().spec().source(), failed.spec().source());
  EXPECT_EQ(second.job().spec().priority(), 7);
  EXPECT_GT(second.job().generation(), failed.generation());
  v1::SubmitResponse again;
  ASSERT_TRUE(Retry(failed.id(), true, "a-retry-of-it", &again).ok());
  EXPECT_TRUE(again.existed());
  EXPECT_EQ(again.job().id(), second.job().id());

  const v1::Job retried = AwaitEnd(second.job().id());
  EXPECT_EQ(retried.builds(0).reused_from(), failed.id());
  EXPECT_EQ(retried.builds(0).attempts_size(), 0);
  EXPECT_EQ(retried.builds(0).image().digest(), image_.digest().ToString());
  EXPECT_EQ(retried.builds(1).attempts_size(), 1);

  v1::SubmitResponse whole;
  ASSERT_TRUE(Retry(failed.id(), false, "a-whole-retry", &whole).ok());
  const v1::Job anew = AwaitEnd(whole.job().id());
  EXPECT_EQ(anew.builds(0).reused_from(), "");
  EXPECT_EQ(anew.builds(0).attempts_size(), 1);
}

TEST_F(RetryTest, AnImageThatTheRegistryHasLostIsBuiltAnew) {
  PushImage("app");
  StreamWorker worker(address_, [this](StreamWorker& self, const v1::ControllerMessage& message) {
    if (message.has_offer()) PushImage("app");
    HalfBroken()(self, message);
  });
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64", "linux/arm64"}, 4));
  v1::SubmitResponse first;
  ASSERT_TRUE(Submit(TwoPlatforms("one-that-loses-its-image"), &first).ok());
  const v1::Job failed = AwaitEnd(first.job().id());
  ASSERT_EQ(failed.builds(0).state(), v1::BUILD_STATE_SUCCEEDED);

  // Its blobs stay: only the manifest tells.
  testing::RawRegistry raw(&transport_, registry_->host());
  const auto deleted = raw.Send("DELETE", "/v2/app/manifests/" + failed.builds(0).image().digest());
  ASSERT_TRUE(deleted.ok() && deleted->status == 202) << deleted.status();
  v1::SubmitResponse second;
  const grpc::Status status = Retry(failed.id(), true, "after-the-loss", &second);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const v1::Job retried = AwaitEnd(second.job().id());
  EXPECT_EQ(retried.builds(0).reused_from(), "");
  EXPECT_EQ(retried.builds(0).attempts_size(), 1);
  EXPECT_EQ(retried.builds(0).state(), v1::BUILD_STATE_SUCCEEDED);
  ASSERT_EQ(retried.builds(0).warnings_size(), 1);
  EXPECT_THAT(retried.builds(0).warnings(0), HasSubstr("could not be used again"));
}

TEST_F(RetryTest, WhatRunsAndWhatHasLostItsFilesIsRefusedInWords) {
  v1::SubmitResponse first;
  ASSERT_TRUE(Submit(RequestFor("app", "v1", "one-that-waits"), &first).ok());
  v1::SubmitResponse second;
  grpc::Status status = Retry(first.job().id(), false, "too-early-a-retry", &second);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("has not ended"));

  grpc::ClientContext context;
  v1::CancelJobRequest cancel;
  cancel.set_job_id(first.job().id());
  v1::CancelJobResponse cancelled;
  ASSERT_TRUE(farm_->CancelJob(&context, cancel, &cancelled).ok());
  controller_.reset();
  ASSERT_TRUE(RemoveTree(dir_.path() + "/state/content").ok());
  StartController();
  status = Retry(first.job().id(), false, "too-late-a-retry", &second);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("submit it again with `manyarch build`"));
}

TEST_F(RetryTest, AJobThatWaitsIsExplainedWorkerByWorker) {
  v1::Hello hello = StreamWorker::HelloOf("w", {"linux/arm64"}, 1);
  v1::RefusedPlatform& refused = *hello.mutable_worker()->add_refused();
  refused.mutable_platform()->set_os("linux");
  refused.mutable_platform()->set_arch("amd64");
  refused.set_reason("Exec format error");
  StreamWorker worker(address_, [](StreamWorker&, const v1::ControllerMessage&) {});
  worker.SayHello(hello);
  v1::SubmitResponse submitted;
  ASSERT_TRUE(Submit(RequestFor("app", "v1", "one-that-waits"), &submitted).ok());
  // The worker's hello may come after the submission.
  v1::ExplainJobResponse why;
  for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
    why = Explain(submitted.job().id());
    if (why.builds(0).workers_size() > 0) break;
    absl::SleepFor(absl::Milliseconds(10));
  }
  ASSERT_EQ(why.builds_size(), 1);
  EXPECT_THAT(why.builds(0).summary(), HasSubstr("no worker offers linux/amd64"));
  ASSERT_EQ(why.builds(0).workers_size(), 1);
  EXPECT_FALSE(why.builds(0).workers(0).eligible());
  EXPECT_EQ(why.builds(0).workers(0).reason(), "it does not offer linux/amd64: Exec format error");
}

}  // namespace
}  // namespace manyarch::controller
