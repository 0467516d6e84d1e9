#include "controller/publish/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "controller/publish/list.h"
#include "tests/controller/publish_rig.h"

namespace manyarch::controller::publish {
namespace {

using ::testing::HasSubstr;
using testing::MakeTestImage;

class PublisherTest : public PublishRig {
 protected:
  ~PublisherTest() override { publisher_.Stop(); }

  static PublisherOptions Options() {
    PublisherOptions options;
    options.client = ClientOptions();
    options.client.budget = {absl::Minutes(3)};
    options.threads = 8;
    return options;
  }
  // The events posted so far, once there are this many.
  std::vector<core::Event> Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return events_.size() >= count;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(60)));
    return events_;
  }

  absl::Mutex mutex_;
  std::vector<core::Event> events_ ABSL_GUARDED_BY(mutex_);
  Publisher publisher_{Options(), &transport_, &waiter_, [this](core::Event event) {
                         absl::MutexLock lock(&mutex_);
                         events_.push_back(std::move(event));
                       }};
};

TEST_F(PublisherTest, CarriesAJobFromPushedImagesToATag) {
  publisher_.CarryOut(core::CheckImage{"a-amd64-1", kLinuxAmd64, Push(MakeTestImage(kAmd64))});
  const auto checked = std::get<core::ImageChecked>(Await(1)[0]);
  EXPECT_EQ(checked.attempt_id, "a-amd64-1");
  ASSERT_FALSE(checked.failure.has_value()) << checked.failure->message;
  EXPECT_GT(checked.image.size, 0);

  publisher_.CarryOut(
      core::WriteAnchor{"a", kLinuxAmd64, checked.image, {{Repository(), "1.0-amd64"}}});
  const auto anchored = std::get<core::AnchorFinished>(Await(2)[1]);
  EXPECT_TRUE(anchored.error.ok()) << anchored.error;
  EXPECT_EQ(DigestOf("1.0-amd64"), checked.image.digest);

  const core::PublishIntent intent = BuildList({{kLinuxAmd64, checked.image}});
  publisher_.CarryOut(core::Publish{"a", intent, Repository(), {{Repository(), "1.0"}}});
  const auto published = std::get<core::PublishFinished>(Await(3)[2]);
  EXPECT_TRUE(published.error.ok()) << published.error;
  ASSERT_EQ(published.tags.size(), 1u);
  EXPECT_TRUE(published.tags[0].written);
  EXPECT_EQ(DigestOf("1.0"), intent.digest);
}

TEST_F(PublisherTest, TellsTheContainerfilesFaultFromTheRegistrys) {
  publisher_.CarryOut(core::CheckImage{"x", kLinuxArm64, Push(MakeTestImage(kAmd64))});
  const auto wrong = std::get<core::ImageChecked>(Await(1)[0]);
  ASSERT_TRUE(wrong.failure.has_value());
  EXPECT_EQ(wrong.failure->cls, core::FailureClass::kUser);

  publisher_.CarryOut(core::CheckImage{
      "y", kLinuxArm64, {Repository(), Digest::Of("never pushed").ToString(), 0, ""}});
  const auto absent = std::get<core::ImageChecked>(Await(2)[1]);
  ASSERT_TRUE(absent.failure.has_value());
  EXPECT_EQ(absent.failure->cls, core::FailureClass::kInfrastructure);
  EXPECT_THAT(absent.failure->message, HasSubstr("MANIFEST_UNKNOWN"));
}

TEST_F(PublisherTest, WritesTagsOfOneRepositoryOneAfterTheOther) {
  std::atomic<int> writing{0};
  std::atomic<int> most{0};
  transport_.SetFault([&](const registry::Request& request, const ObservedTransport::Next& next) {
    if (request.method != "PUT") return next();
    const int now = ++writing;
    most = std::max(most.load(), now);
    auto response = next();
    --writing;
    return response;
  });
  const core::Image first = Push(MakeTestImage(kAmd64, "first"));
  const core::Image second = Push(MakeTestImage(kAmd64, "second"));
  constexpr int kTags = 20;
  for (int i = 0; i < kTags; ++i) {
    publisher_.CarryOut(core::WriteAnchor{
        "a", kLinuxAmd64, i % 2 == 0 ? first : second, {{Repository(), "moving"}}});
  }
  Await(kTags);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(DigestOf("moving"), second.digest) << "the last one asked for is the last one written";
}

TEST_F(PublisherTest, ChecksImagesAtTheSameTime) {
  absl::Mutex mutex;
  int inside = 0;
  transport_.SetFault([&](const registry::Request& request, const ObservedTransport::Next& next) {
    if (absl::StrContains(request.url, "/manifests/")) {
      // None goes on before all have come.
      absl::MutexLock lock(&mutex);
      ++inside;
      const auto all = [&] { return inside >= 3; };
      EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(60)));
    }
    return next();
  });
  for (const char* seed : {"1", "2", "3"}) {
    publisher_.CarryOut(core::CheckImage{seed, kLinuxAmd64, Push(MakeTestImage(kAmd64, seed))});
  }
  for (const core::Event& event : Await(3)) {
    EXPECT_FALSE(std::get<core::ImageChecked>(event).failure.has_value());
  }
}

TEST_F(PublisherTest, StopsAtOnceAndAnswersNothingThatIsUndecided) {
  absl::Notification tried;
  std::atomic<bool> first{true};
  transport_.SetFault([&](const registry::Request&,
                          const ObservedTransport::Next&) -> absl::StatusOr<registry::Response> {
    if (first.exchange(false)) tried.Notify();
    return registry::Response{503, {{"retry-after", "100"}}, ""};
  });
  const core::Image image{Repository(), Digest::Of("x").ToString(), 0, ""};
  publisher_.CarryOut(core::CheckImage{"x", kLinuxAmd64, image});
  publisher_.CarryOut(core::WriteAnchor{"x", kLinuxAmd64, image, {{Repository(), "1"}}});
  publisher_.CarryOut(core::Publish{"x",
                                    BuildList({{kLinuxAmd64,
                                                {Repository(), Digest::Of("x").ToString(), 1,
                                                 std::string(registry::kDockerManifest)}}}),
                                    Repository(),
                                    {{Repository(), "1"}}});
  tried.WaitForNotification();
  publisher_.Stop();  // The test's own time limit is shorter than the pause of 100 s.
  absl::MutexLock lock(&mutex_);
  EXPECT_TRUE(events_.empty());
}

}  // namespace
}  // namespace manyarch::controller::publish
