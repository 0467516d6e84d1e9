#include "controller/publish/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "controller/publish/list.h"
#include "tests/controller/publish_rig.h"

namespace manyarch::controller::publish {
namespace {

using ::testing::HasSubstr;
using testing::MakeTestImage;

constexpr core::ImageFormat kDocker = core::ImageFormat::kDocker;

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

  // The event of this kind, once as many of it have come.
  template <typename E>
  E AwaitOne(int count = 1) {
    absl::MutexLock lock(&mutex_);
    std::optional<E> found;
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      int seen = 0;
      for (const core::Event& event : events_) {
        if (const E* match = std::get_if<E>(&event); match != nullptr && ++seen == count) {
          found = *match;
        }
      }
      return found.has_value();
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(60)));
    return found.value_or(E{});
  }

  absl::Mutex mutex_;
  std::vector<core::Event> events_ ABSL_GUARDED_BY(mutex_);
  Publisher publisher_{Options(), &transport_, &waiter_, [this](core::Event event) {
                         absl::MutexLock lock(&mutex_);
                         events_.push_back(std::move(event));
                       }};
};

TEST_F(PublisherTest, CarriesAJobFromPushedImagesToATag) {
  publisher_.CarryOut(
      core::CheckImage{"a-amd64-1", kLinuxAmd64, Push(MakeTestImage(kAmd64)), kDocker});
  const auto checked = std::get<core::ImageChecked>(Await(1)[0]);
  EXPECT_EQ(checked.attempt_id, "a-amd64-1");
  ASSERT_FALSE(checked.failure.has_value()) << checked.failure->message;
  EXPECT_GT(checked.image.size, 0);

  publisher_.CarryOut(
      core::WriteAnchor{"a", kLinuxAmd64, checked.image, {{Repository(), "1.0-amd64"}}, false});
  const auto anchored = std::get<core::AnchorFinished>(Await(2)[1]);
  EXPECT_TRUE(anchored.error.ok()) << anchored.error;
  EXPECT_EQ(DigestOf("1.0-amd64"), checked.image.digest);

  const core::PublishIntent intent = BuildList({{kLinuxAmd64, checked.image}});
  publisher_.CarryOut(core::Publish{"a", intent, Repository(), {{Repository(), "1.0"}}, false});
  const auto published = std::get<core::PublishFinished>(Await(3)[2]);
  EXPECT_TRUE(published.error.ok()) << published.error;
  ASSERT_EQ(published.tags.size(), 1u);
  EXPECT_TRUE(published.tags[0].written);
  EXPECT_EQ(DigestOf("1.0"), intent.digest);
}

TEST_F(PublisherTest, TellsTheContainerfilesFaultFromTheRegistrys) {
  publisher_.CarryOut(core::CheckImage{"x", kLinuxArm64, Push(MakeTestImage(kAmd64)), kDocker});
  const auto wrong = std::get<core::ImageChecked>(Await(1)[0]);
  ASSERT_TRUE(wrong.failure.has_value());
  EXPECT_EQ(wrong.failure->cls, core::FailureClass::kUser);

  publisher_.CarryOut(core::CheckImage{
      "y", kLinuxArm64, {Repository(), Digest::Of("never pushed").ToString(), 0, ""}, kDocker});
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
        "a", kLinuxAmd64, i % 2 == 0 ? first : second, {{Repository(), "moving"}}, false});
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
    publisher_.CarryOut(
        core::CheckImage{seed, kLinuxAmd64, Push(MakeTestImage(kAmd64, seed)), kDocker});
  }
  for (const core::Event& event : Await(3)) {
    EXPECT_FALSE(std::get<core::ImageChecked>(event).failure.has_value());
  }
}

TEST_F(PublisherTest, CarriesAJobToASecondRepositoryAndASecondRegistry) {
  auto second = testing::DockerRegistry::Start();
  ASSERT_TRUE(second.ok()) << second.status();
  const std::string beside = Repository() + "/beside";
  const std::string far = absl::StrCat((*second)->host(), "/team/app");
  const core::Image pushed = Push(MakeTestImage(kAmd64));
  publisher_.CarryOut(core::CheckImage{"a-amd64-1", kLinuxAmd64, pushed, kDocker});
  const core::Image image = AwaitOne<core::ImageChecked>().image;

  publisher_.CarryOut(core::WriteAnchor{
      "a", kLinuxAmd64, image, {{Repository(), "1-amd64"}, {far, "1-amd64"}}, false});
  const auto anchored = AwaitOne<core::AnchorFinished>();
  EXPECT_TRUE(anchored.error.ok()) << anchored.error;
  EXPECT_EQ(DigestOf("1-amd64"), image.digest);
  testing::RawRegistry raw(&plain_, (*second)->host());
  EXPECT_EQ(Digest::Of(raw.Manifest("team/app", "1-amd64")->body).ToString(), image.digest);

  const core::PublishIntent intent = BuildList({{kLinuxAmd64, image}});
  publisher_.CarryOut(core::Publish{
      "a", intent, Repository(), {{Repository(), "1"}, {beside, "1"}, {far, "2"}}, false});
  const auto published = AwaitOne<core::PublishFinished>();
  ASSERT_TRUE(published.error.ok()) << published.error;
  for (const core::TagOutcome& tag : published.tags) EXPECT_TRUE(tag.written);
  EXPECT_EQ(DigestOf("1"), intent.digest);
  EXPECT_EQ(Digest::Of(raw.Manifest("team/app", "2")->body).ToString(), intent.digest);
  testing::RawRegistry here(&plain_, docker_registry()->host());
  EXPECT_EQ(Digest::Of(here.Manifest(Path() + "/beside", "1")->body).ToString(), intent.digest);
  // What is copied is told of.
  absl::MutexLock lock(&mutex_);
  const bool told = std::any_of(events_.begin(), events_.end(), [&](const core::Event& event) {
    const auto* progress = std::get_if<core::PublishProgressed>(&event);
    return progress != nullptr &&
           absl::StrContains(progress->what, "copying linux/amd64 to " + far);
  });
  EXPECT_TRUE(told);
}

TEST_F(PublisherTest, MovesNoTagWhereAnotherRepositoryCannotHaveTheImages) {
  publisher_.CarryOut(
      core::CheckImage{"a-amd64-1", kLinuxAmd64, Push(MakeTestImage(kAmd64)), kDocker});
  const core::Image image = AwaitOne<core::ImageChecked>().image;
  const core::PublishIntent intent = BuildList({{kLinuxAmd64, image}});
  transport_.SetFault(
      [](const registry::Request& request,
         const ObservedTransport::Next& next) -> absl::StatusOr<registry::Response> {
        if (request.method == "POST" && absl::StrContains(request.url, "/beside/")) {
          return registry::Response{403, {}, ""};
        }
        return next();
      });
  publisher_.CarryOut(core::Publish{
      "a", intent, Repository(), {{Repository(), "1"}, {Repository() + "/beside", "1"}}, false});
  const auto published = AwaitOne<core::PublishFinished>();
  EXPECT_TRUE(absl::IsPermissionDenied(published.error)) << published.error;
  ASSERT_EQ(published.tags.size(), 2u);
  EXPECT_FALSE(published.tags[0].written);
  EXPECT_EQ(DigestOf("1"), "");
}

TEST_F(PublisherTest, AJobsOwnCredentialsCountForItAlone) {
  auto closed = testing::DockerRegistry::Start({"me", "right", true});
  ASSERT_TRUE(closed.ok()) << closed.status();
  const testing::TestImage made = MakeTestImage(kAmd64);
  testing::RawRegistry raw(&plain_, (*closed)->host(), registry::Credentials{"me", "right"});
  ASSERT_TRUE(raw.Push("team/app", made).ok());
  const std::string authfile = absl::StrCat(R"({"auths":{")", (*closed)->host(), R"(":{"auth":")",
                                            absl::Base64Escape("me:right"), R"("}}})");
  PublisherOptions options = Options();
  std::atomic<int> asked{0};
  options.authfile_of = [&](const std::string& job_id) -> absl::StatusOr<std::string> {
    ++asked;
    if (job_id == "ended") return absl::FailedPreconditionError("its credentials are gone");
    return job_id == "mine" ? authfile : std::string();
  };
  Publisher publisher(std::move(options), &transport_, &waiter_, [this](core::Event event) {
    absl::MutexLock lock(&mutex_);
    events_.push_back(std::move(event));
  });
  const core::Image image{absl::StrCat((*closed)->host(), "/team/app"), made.digest().ToString(), 0,
                          ""};
  auto check = [&, count = 0](const std::string& job, bool sealed) mutable {
    publisher.CarryOut(core::CheckImage{job + "-amd64-1", kLinuxAmd64, image, kDocker, sealed});
    const auto checked = AwaitOne<core::ImageChecked>(++count);
    return checked.failure ? checked.failure->message : "fine";
  };
  EXPECT_EQ(check("mine", true), "fine");
  EXPECT_THAT(check("other", false), HasSubstr("401"));
  EXPECT_EQ(asked, 1) << "of a job without anything sealed nothing is asked";
  // It has something sealed, but no credentials.
  EXPECT_THAT(check("secretive", true), HasSubstr("401"));
  EXPECT_EQ(asked, 2);

  // What is known of a job is kept until it has ended.
  publisher.CarryOut(core::WriteAnchor{
      "mine", kLinuxAmd64, image, {{image.repository, "1-amd64"}}, false, /*sealed=*/true});
  EXPECT_TRUE(AwaitOne<core::AnchorFinished>().error.ok());
  EXPECT_EQ(check("mine", true), "fine");
  EXPECT_EQ(asked, 2);
  const core::PublishIntent intent =
      BuildList({{kLinuxAmd64, {image.repository, image.digest, made.size(), made.media_type}}});
  publisher.CarryOut(core::Publish{
      "mine", intent, image.repository, {{image.repository, "1"}}, false, /*sealed=*/true});
  EXPECT_TRUE(AwaitOne<core::PublishFinished>().error.ok());
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(check("mine", true), "fine");
  EXPECT_EQ(asked, 3);

  // Never the controller's in their place.
  EXPECT_THAT(check("ended", true), HasSubstr("its credentials are gone"));

  const std::vector<std::string> tags = {absl::StrCat((*closed)->host(), "/team/app:1")};
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  const auto with = publisher.CheckDestinations(tags, {}, authfile, deadline);
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_TRUE(registry::FirstFailure(*with).ok());
  const auto without = publisher.CheckDestinations(tags, {}, "", deadline);
  EXPECT_TRUE(absl::IsUnauthenticated(registry::FirstFailure(*without)));
  EXPECT_FALSE(publisher.CheckDestinations(tags, {}, "no json", deadline).ok());
  const auto helper = publisher.CheckDestinations(tags, {}, R"({"credsStore":"x"})", deadline);
  EXPECT_THAT(std::string(helper.status().message()), HasSubstr("names a credential helper"));
}

TEST_F(PublisherTest, WhatIsAskedForAnewIsAnsweredOnce) {
  const core::Image pushed = Push(MakeTestImage(kAmd64));
  publisher_.CarryOut(core::CheckImage{"a-amd64-1", kLinuxAmd64, pushed, kDocker});
  const core::Image image = AwaitOne<core::ImageChecked>().image;
  absl::Notification begun;
  absl::Notification go_on;
  std::atomic<bool> first{true};
  transport_.SetFault([&](const registry::Request& request, const ObservedTransport::Next& next) {
    if (request.method == "PUT" && first.exchange(false)) {
      begun.Notify();
      go_on.WaitForNotification();
    }
    return next();
  });
  const core::Publish publish{
      "a", BuildList({{kLinuxAmd64, image}}), Repository(), {{Repository(), "1"}}, false};
  publisher_.CarryOut(publish);
  begun.WaitForNotification();
  publisher_.StartOver();
  publisher_.CarryOut(publish);
  go_on.Notify();
  const auto published = AwaitOne<core::PublishFinished>();
  EXPECT_TRUE(published.error.ok()) << published.error;
  ASSERT_EQ(published.tags.size(), 1u);
  EXPECT_TRUE(published.tags[0].written);
  EXPECT_EQ(DigestOf("1"), publish.intent.digest);
  publisher_.Stop();
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(std::count_if(events_.begin(), events_.end(),
                          [](const core::Event& event) {
                            return std::holds_alternative<core::PublishFinished>(event);
                          }),
            1);
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
  publisher_.CarryOut(core::CheckImage{"x", kLinuxAmd64, image, kDocker});
  publisher_.CarryOut(
      core::WriteAnchor{"x", kLinuxAmd64, image, {{Repository(), "1-amd64"}}, false});
  publisher_.CarryOut(core::Publish{"x",
                                    BuildList({{kLinuxAmd64,
                                                {Repository(), Digest::Of("x").ToString(), 1,
                                                 std::string(registry::kDockerManifest)}}}),
                                    Repository(),
                                    {{Repository(), "1"}},
                                    false});
  tried.WaitForNotification();
  publisher_.Stop();  // The test's own time limit is shorter than the pause of 100 s.
  absl::MutexLock lock(&mutex_);
  EXPECT_TRUE(events_.empty());
}

}  // namespace
}  // namespace manyarch::controller::publish
