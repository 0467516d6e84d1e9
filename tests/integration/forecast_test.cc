// Predictions, as watchers are told them by a real controller.
#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {
namespace {

using testing::StreamWorker;

// Takes every offer, and ends those attempts that it is told to.
class SlowBuilder {
 public:
  StreamWorker::OnMessage Taker() {
    return [this](StreamWorker& self, const v1::ControllerMessage& message) {
      if (!message.has_offer()) return;
      self.AnswerOffer(message.offer().attempt_id(), true);
      absl::MutexLock lock(&mutex_);
      offers_.push_back(message.offer());
    };
  }
  v1::Offer AwaitOffer(size_t index) {
    absl::MutexLock lock(&mutex_);
    const auto there = [&]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return offers_.size() > index; };
    mutex_.Await(absl::Condition(&there));
    return offers_[index];
  }

 private:
  absl::Mutex mutex_;
  std::vector<v1::Offer> offers_ ABSL_GUARDED_BY(mutex_);
};

class ForecastTest : public ControllerTest {
 protected:
  // The first answer to a watcher that `enough` is content with.
  template <typename Enough>
  v1::Job Watch(const std::string& id, int64_t after_revision, Enough enough) const {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
    v1::WatchJobRequest request;
    request.set_job_id(id);
    request.set_after_revision(after_revision);
    const auto reader = farm_->WatchJob(&context, request);
    v1::WatchJobResponse next;
    while (reader->Read(&next) && !enough(next.job())) next.Clear();
    context.TryCancel();
    return next.job();
  }
};

TEST_F(ForecastTest, AWatcherOfABuildThatWaitsIsToldWhenItStartsAndWhatTheJobWaitsForLast) {
  PushImage("app");
  SlowBuilder builder;
  StreamWorker worker(address_, builder.Taker());
  worker.SayHello(StreamWorker::HelloOf("w2", {"linux/amd64"}, 1));
  v1::SubmitResponse first;
  ASSERT_TRUE(Submit(RequestFor("app", "1", "key-one-1"), &first).ok());
  const v1::Offer running = builder.AwaitOffer(0);
  v1::SubmitResponse second;
  ASSERT_TRUE(Submit(RequestFor("app", "2", "key-two-2"), &second).ok());

  const v1::Job waits =
      Watch(second.job().id(), 0, [](const v1::Job& job) { return job.has_predicted_finish(); });
  ASSERT_EQ(waits.builds_size(), 1);
  EXPECT_EQ(waits.builds(0).state(), v1::BUILD_STATE_WAITING);
  EXPECT_EQ(waits.builds(0).predicted_worker(), "w2");
  EXPECT_EQ(waits.gating().arch(), "amd64");
  EXPECT_TRUE(waits.builds(0).start_guessed());
  EXPECT_TRUE(waits.builds(0).time_guessed());
  EXPECT_TRUE(waits.finish_guessed());
  // Nothing is known yet: two minutes each, warm or not.
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  EXPECT_NEAR(static_cast<double>(waits.builds(0).predicted_start().seconds() - now), 120, 60);
  EXPECT_GT(waits.predicted_finish().seconds(), waits.builds(0).predicted_start().seconds());

  // One that knows the present state is told too, although nothing changes.
  const v1::Job same = Watch(second.job().id(), waits.revision(), [&](const v1::Job& job) {
    return job.revision() == waits.revision() && job.has_predicted_finish();
  });
  EXPECT_EQ(same.builds(0).predicted_worker(), "w2");
  EXPECT_TRUE(same.finish_guessed());

  // Once it runs, only its end is still ahead.
  v1::Finished finished;
  finished.set_attempt_id(running.attempt_id());
  finished.mutable_image()->set_repository(running.repository());
  finished.mutable_image()->set_digest(image_.digest().ToString());
  worker.Finish(finished);
  builder.AwaitOffer(1);
  const v1::Job runs = Watch(second.job().id(), 0, [](const v1::Job& job) {
    return job.has_predicted_finish() && job.builds(0).state() == v1::BUILD_STATE_RUNNING;
  });
  EXPECT_FALSE(runs.builds(0).has_predicted_start());
  EXPECT_EQ(runs.builds(0).predicted_worker(), "");
}

}  // namespace
}  // namespace manyarch::controller
