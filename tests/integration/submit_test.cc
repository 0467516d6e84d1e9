// Submitting and cancelling, many at once.
#include <atomic>
#include <set>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {
namespace {

using ::testing::HasSubstr;
using testing::StreamWorker;

class SubmitTest : public ControllerTest {};

TEST_F(SubmitTest, AHundredIdenticalSubmitsGiveOneJob) {
  const v1::SubmitRequest request = RequestFor("app", "v1", "one-key-for-all");
  absl::Mutex mutex;
  std::set<std::string> ids;
  int fresh = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 100; ++i) {
    threads.emplace_back([&] {
      v1::SubmitResponse response;
      const grpc::Status status = Submit(request, &response);
      absl::MutexLock lock(&mutex);
      EXPECT_TRUE(status.ok()) << status.error_message();
      ids.insert(response.job().id());
      fresh += response.existed() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(fresh, 1);

  v1::SubmitRequest other = RequestFor("app", "v2", "one-key-for-all");
  v1::SubmitResponse response;
  const grpc::Status refused = Submit(other, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(refused.error_message(), HasSubstr(*ids.begin()));
}

TEST_F(SubmitTest, ARefusedRegistryAndAMissingContextAreSentences) {
  v1::SubmitResponse response;
  v1::SubmitRequest request = RequestFor("app", "v1", "a-key-of-its-own");
  request.mutable_spec()->set_context_root(Digest::Of("absent").ToString());
  grpc::Status status = Submit(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("the context is incomplete"));

  registry_->Stop();
  status = Submit(RequestFor("app", "v1", "another-key"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr(registry_->host()));
}

// Cancel and success race: one wins, the answer says which, and the tag agrees.
TEST_F(SubmitTest, CancelAgainstSuccessAThousandTimes) {
  constexpr int kRepositories = 8;
  constexpr int kThreads = 8;
  constexpr int kPairs = 1000;
  for (int i = 0; i < kRepositories; ++i) PushImage(absl::StrCat("race", i));
  StreamWorker worker(address_, Builder());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64"}, 64));

  std::atomic<int> next{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> succeeded{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      testing::RawRegistry raw(&transport_, registry_->host());
      for (int i = next++; i < kPairs; i = next++) {
        const std::string repository = absl::StrCat("race", i % kRepositories);
        const std::string tag = absl::StrCat("t", i);
        v1::SubmitResponse submitted;
        ASSERT_TRUE(
            Submit(RequestFor(repository, tag, absl::StrCat("race-key-", i)), &submitted).ok());
        // Spread over the life of a job, which takes some milliseconds.
        absl::SleepFor(absl::Microseconds((i * 37) % 40'000));
        grpc::ClientContext context;
        v1::CancelJobRequest request;
        request.set_job_id(submitted.job().id());
        v1::CancelJobResponse response;
        const grpc::Status answer = farm_->CancelJob(&context, request, &response);
        const v1::Job job = AwaitEnd(submitted.job().id());
        auto manifest = raw.Manifest(repository, tag);
        // All lists of a repository are alike here, and docker-registry answers 500 ("invalid
        // checksum digest format") to whoever reads one in the moment in which it is pushed again.
        while (manifest.ok() && manifest->status == 500) manifest = raw.Manifest(repository, tag);
        ASSERT_TRUE(manifest.ok()) << manifest.status();
        EXPECT_EQ(job.state(), answer.ok() ? v1::JOB_STATE_CANCELLED : v1::JOB_STATE_SUCCEEDED)
            << answer.error_message();
        EXPECT_EQ(manifest->status, answer.ok() ? 404 : 200) << tag << ": " << manifest->body;
        if (!answer.ok()) {
          EXPECT_EQ(Digest::Of(manifest->body).ToString(), job.intent().digest());
        }
        (answer.ok() ? cancelled : succeeded)++;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cancelled + succeeded, kPairs);
  // Otherwise nothing was raced.
  EXPECT_GT(cancelled, 0);
  EXPECT_GT(succeeded, 0);
}

}  // namespace
}  // namespace manyarch::controller
