#include "controller/publish/image_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "controller/publish/list.h"
#include "tests/controller/publish_rig.h"

namespace manyarch::controller::publish {
namespace {

using ::testing::HasSubstr;
using testing::MakeTestImage;

class ImagePublisherTest : public PublishRig {
 protected:
  core::TagRef Tag(const std::string& tag) const { return {Repository(), tag}; }
  // Pushed, verified, and made into a list.
  core::PublishIntent TwoImages(absl::string_view seed = "") {
    std::vector<core::ListEntry> entries;
    for (const auto& [platform, config] :
         {std::pair(kLinuxArm64, kArm64), std::pair(kLinuxAmd64, kAmd64)}) {
      const auto verified = publisher_.Verify(Push(MakeTestImage(config, seed)), platform);
      EXPECT_TRUE(verified.ok()) << verified.status();
      entries.push_back({platform, verified->image});
    }
    return BuildList(entries);
  }

  registry::RegistryClient client_{ClientOptions(), &transport_, &waiter_, nullptr};
  ImagePublisher publisher_{&client_, &waiter_, nullptr};
};

TEST_F(ImagePublisherTest, VerifiesAnImageByTwoRequests) {
  const testing::TestImage made = MakeTestImage(kArm64);
  const core::Image pushed = Push(made);
  const auto verified = publisher_.Verify(pushed, kLinuxArm64);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->image.digest, made.digest().ToString());
  EXPECT_EQ(verified->image.size, made.size());
  EXPECT_EQ(verified->image.media_type, registry::kDockerManifest);
  EXPECT_EQ(verified->found, kLinuxArm64);
  EXPECT_TRUE(verified->warnings.empty());
  EXPECT_EQ(transport_.Count("GET", "/manifests/"), 1);
  EXPECT_EQ(transport_.Count("GET", "/blobs/"), 1) << "the config, no layer";
}

TEST_F(ImagePublisherTest, RefusesAnImageOfAnotherPlatform) {
  const auto verified = publisher_.Verify(Push(MakeTestImage(kAmd64)), kLinuxArm64);
  EXPECT_TRUE(absl::IsInvalidArgument(verified.status()));
  EXPECT_THAT(std::string(verified.status().message()),
              HasSubstr("the image says of itself that it is for linux/amd64"));
}

TEST_F(ImagePublisherTest, WarnsOfAnotherVariant) {
  const core::Image image =
      Push(MakeTestImage(R"("os":"linux","architecture":"arm","variant":"v7")"));
  const auto verified = publisher_.Verify(image, {"linux", "arm", "v6"});
  ASSERT_TRUE(verified.ok()) << verified.status();
  ASSERT_EQ(verified->warnings.size(), 1u);
  EXPECT_EQ(verified->warnings[0],
            "the image for linux/arm/v6 says of itself that it is for linux/arm/v7; the list says "
            "linux/arm/v6");
}

TEST_F(ImagePublisherTest, RewritesAnImageOfTheOtherFormat) {
  const testing::TestImage oci = MakeTestImage(kAmd64, "", /*oci=*/true);
  const auto verified = publisher_.Verify(Push(oci), kLinuxAmd64);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->image.media_type, registry::kDockerManifest);
  EXPECT_NE(verified->image.digest, oci.digest().ToString());
  ASSERT_EQ(verified->warnings.size(), 1u);
  EXPECT_THAT(verified->warnings[0], HasSubstr("its manifest was rewritten"));
  EXPECT_EQ(transport_.Count("PUT"), 1) << "the manifest, no blob";
  // It is there, and the same every time.
  EXPECT_EQ(DigestOf(verified->image.digest), verified->image.digest);
  const auto list = BuildList({{kLinuxAmd64, verified->image}});
  EXPECT_TRUE(publisher_.PublishList(list, {Tag("1.0")}).error.ok());
  const auto again = publisher_.Verify(Push(oci), kLinuxAmd64);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->image.digest, verified->image.digest);

  const auto back = publisher_.Verify(verified->image, kLinuxAmd64, core::ImageFormat::kOci);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->image.media_type, registry::kOciManifest);
}

TEST_F(ImagePublisherTest, PublishesAnIndexOfOciImages) {
  const testing::TestImage oci = MakeTestImage(kArm64, "", /*oci=*/true);
  const auto verified = publisher_.Verify(Push(oci), kLinuxArm64, core::ImageFormat::kOci);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->image.digest, oci.digest().ToString()) << "it stays as it was pushed";
  EXPECT_TRUE(verified->warnings.empty());
  const auto list = BuildList({{kLinuxArm64, verified->image}}, core::ImageFormat::kOci);
  EXPECT_EQ(list.media_type, registry::kOciIndex);
  ASSERT_TRUE(publisher_.PublishList(list, {Tag("1.0")}).error.ok());
  EXPECT_EQ(DigestOf("1.0"), list.digest);
}

TEST_F(ImagePublisherTest, RefusesLayersThatDockerImagesCannotHaveByTheirNames) {
  testing::TestImage image = MakeTestImage(kAmd64, "", /*oci=*/true);
  image.manifest = absl::StrReplaceAll(image.manifest, {{"tar+gzip", "tar+zstd"}});
  const auto verified = publisher_.Verify(Push(image), kLinuxAmd64);
  EXPECT_TRUE(absl::IsFailedPrecondition(verified.status())) << verified.status();
  EXPECT_THAT(std::string(verified.status().message()),
              HasSubstr(absl::StrCat("layer 1 (", Digest::Of(image.layer).ToString())));
  EXPECT_THAT(std::string(verified.status().message()), HasSubstr("compressed with zstd"));
}

TEST_F(ImagePublisherTest, RefusesAListWhereAnImageIsWanted) {
  const core::PublishIntent list = TwoImages();
  ASSERT_TRUE(publisher_.PublishList(list, {Tag("list")}).error.ok());
  const auto verified = publisher_.Verify({Repository(), list.digest, 0, ""}, kLinuxAmd64);
  EXPECT_THAT(std::string(verified.status().message()), HasSubstr("it is a list of images"));
}

TEST_F(ImagePublisherTest, RefusesWhatDoesNotMatchTheReport) {
  core::Image image = Push(MakeTestImage(kAmd64));
  image.size = 7;
  const auto sized = publisher_.Verify(image, kLinuxAmd64);
  EXPECT_TRUE(absl::IsFailedPrecondition(sized.status()));
  EXPECT_THAT(std::string(sized.status().message()), HasSubstr("but the worker reported 7"));
  image.digest = Digest::Of("never pushed").ToString();
  const auto absent = publisher_.Verify(image, kLinuxAmd64);
  EXPECT_TRUE(absl::IsNotFound(absent.status()));
  EXPECT_THAT(std::string(absent.status().message()), HasSubstr("MANIFEST_UNKNOWN"));
  image.digest = "sha256:nonsense";
  EXPECT_TRUE(absl::IsFailedPrecondition(publisher_.Verify(image, kLinuxAmd64).status()));
}

TEST_F(ImagePublisherTest, TagsAnImageOnceWithoutReadingItAgain) {
  const auto verified = publisher_.Verify(Push(MakeTestImage(kAmd64)), kLinuxAmd64);
  ASSERT_TRUE(verified.ok()) << verified.status();
  transport_.Forget();
  ASSERT_TRUE(publisher_.PutTag(Tag("1.0-amd64"), verified->image).ok());
  EXPECT_EQ(DigestOf("1.0-amd64"), verified->image.digest);
  EXPECT_EQ(transport_.Count("GET"), 0);
  EXPECT_EQ(transport_.Count("PUT"), 1);
  ASSERT_TRUE(publisher_.PutTag(Tag("1.0-amd64"), verified->image).ok());
  EXPECT_EQ(transport_.Count("PUT"), 1);
}

TEST_F(ImagePublisherTest, MovesATagThatPointsElsewhere) {
  const core::Image first = Push(MakeTestImage(kAmd64, "first"));
  const core::Image second = Push(MakeTestImage(kAmd64, "second"));
  ASSERT_TRUE(publisher_.PutTag(Tag("a"), first).ok());
  ASSERT_TRUE(publisher_.PutTag(Tag("a"), second).ok());
  EXPECT_EQ(DigestOf("a"), second.digest);
}

TEST_F(ImagePublisherTest, PublishesAListUnderAllItsTags) {
  const core::PublishIntent list = TwoImages();
  transport_.Forget();
  const ListOutcome outcome = publisher_.PublishList(list, {Tag("1.0"), Tag("1")});
  ASSERT_TRUE(outcome.error.ok()) << outcome.error;
  ASSERT_EQ(outcome.tags.size(), 2u);
  EXPECT_TRUE(outcome.tags[0].written);
  EXPECT_TRUE(outcome.tags[1].written);
  EXPECT_EQ(DigestOf("1.0"), list.digest);
  EXPECT_EQ(DigestOf("1"), list.digest);
  EXPECT_EQ(transport_.Count("PUT"), 3) << "one by digest, one for each tag";
  EXPECT_EQ(transport_.Count("GET"), 0);

  const ListOutcome again = publisher_.PublishList(list, {Tag("1.0"), Tag("1")});
  EXPECT_TRUE(again.error.ok());
  EXPECT_TRUE(again.tags[1].written);
  EXPECT_EQ(transport_.Count("PUT", "/manifests/1"), 2) << "tags that point there are let be";
}

TEST_F(ImagePublisherTest, MovesNoTagWhereAChildIsMissing) {
  const core::PublishIntent list = BuildList({{kLinuxAmd64,
                                               {Repository(), Digest::Of("never pushed").ToString(),
                                                7, std::string(registry::kDockerManifest)}}});
  ASSERT_FALSE(list.list.empty());
  const ListOutcome outcome = publisher_.PublishList(list, {Tag("1.0")});
  EXPECT_FALSE(outcome.error.ok());
  EXPECT_THAT(std::string(outcome.error.message()), HasSubstr("MANIFEST_BLOB_UNKNOWN"));
  ASSERT_EQ(outcome.tags.size(), 1u);
  EXPECT_FALSE(outcome.tags[0].written);
  EXPECT_EQ(DigestOf("1.0"), "");
}

TEST_F(ImagePublisherTest, SaysWhichTagsMovedWhereOneCouldNot) {
  const core::PublishIntent list = TwoImages();
  transport_.SetFault(
      [](const registry::Request& request,
         const ObservedTransport::Next& next) -> absl::StatusOr<registry::Response> {
        if (request.method == "PUT" && absl::EndsWith(request.url, "/manifests/two")) {
          return registry::Response{
              409, {}, R"({"errors":[{"code":"TAG_INVALID","message":"tag is immutable"}]})"};
        }
        return next();
      });
  const ListOutcome outcome = publisher_.PublishList(list, {Tag("one"), Tag("two"), Tag("three")});
  EXPECT_TRUE(absl::IsFailedPrecondition(outcome.error));
  EXPECT_THAT(
      std::string(outcome.error.message()),
      HasSubstr("TAG_INVALID: tag is immutable; already written: " + Tag("one").ToString()));
  EXPECT_TRUE(outcome.tags[0].written);
  EXPECT_FALSE(outcome.tags[1].written);
  EXPECT_THAT(outcome.tags[1].note, HasSubstr("tag is immutable"));
  EXPECT_FALSE(outcome.tags[2].written);
  EXPECT_THAT(outcome.tags[2].note, HasSubstr("because " + Tag("two").ToString()));
  EXPECT_EQ(DigestOf("three"), "");
}

TEST_F(ImagePublisherTest, DoesNotRepeatAPutWhoseAnswerWasLost) {
  const core::PublishIntent list = TwoImages();
  transport_.Forget();
  transport_.SetFault(
      [](const registry::Request& request,
         const ObservedTransport::Next& next) -> absl::StatusOr<registry::Response> {
        auto response = next();
        if (request.method == "PUT") return absl::UnavailableError("the connection was cut");
        return response;
      });
  const ListOutcome outcome = publisher_.PublishList(list, {Tag("1.0")});
  EXPECT_TRUE(outcome.error.ok()) << outcome.error;
  EXPECT_EQ(transport_.Count("PUT"), 2);
  EXPECT_EQ(DigestOf("1.0"), list.digest);
}

TEST_F(ImagePublisherTest, NoticesATagThatSomebodyElseMoves) {
  const core::PublishIntent list = TwoImages();
  const core::Image other = Push(MakeTestImage(kAmd64, "other"));
  const std::string bytes = MakeTestImage(kAmd64, "other").manifest;
  transport_.SetFault(
      [&](const registry::Request& request,
          const ObservedTransport::Next& next) -> absl::StatusOr<registry::Response> {
        auto response = next();
        if (request.method == "PUT" && absl::EndsWith(request.url, "/manifests/1.0")) {
          testing::RawRegistry raw(&plain_, docker_registry()->host());
          EXPECT_TRUE(raw.Send("PUT", absl::StrCat("/v2/", Path(), "/manifests/1.0"), bytes,
                               std::string(registry::kDockerManifest))
                          .ok());
        }
        return response;
      });
  const ListOutcome outcome = publisher_.PublishList(list, {Tag("1.0")});
  EXPECT_TRUE(absl::IsFailedPrecondition(outcome.error)) << outcome.error;
  EXPECT_THAT(outcome.tags[0].note, HasSubstr("points to " + other.digest));
}

TEST_F(ImagePublisherTest, RefusesAnIntentThatIsNotWhatItWas) {
  core::PublishIntent list = TwoImages();
  list.list += " ";
  transport_.Forget();
  const ListOutcome outcome = publisher_.PublishList(list, {Tag("1.0")});
  EXPECT_TRUE(absl::IsFailedPrecondition(outcome.error));
  EXPECT_EQ(transport_.Count("PUT"), 0);
  EXPECT_FALSE(publisher_.PublishList({}, {Tag("x")}).error.ok());
}

TEST_F(ImagePublisherTest, CopiesAnImageToAnotherRepositoryByMountingItsBlobs) {
  const testing::TestImage made = MakeTestImage(kAmd64);
  const core::Image image = Push(made);
  const std::string other = Repository() + "/copy";
  transport_.Forget();
  int64_t done = 0;
  int64_t total = 0;
  ASSERT_TRUE(publisher_
                  .CopyImage(image, other,
                             [&](int64_t d, int64_t t) {
                               done = d;
                               total = t;
                             })
                  .ok());
  EXPECT_EQ(transport_.Count("POST", "mount="), 2) << "config and layer";
  EXPECT_EQ(transport_.Count("GET", "/blobs/"), 0) << "nothing is moved";
  EXPECT_EQ(total, static_cast<int64_t>(made.config.size() + made.layer.size()));
  EXPECT_EQ(done, total);
  transport_.Forget();
  ASSERT_TRUE(publisher_.CopyImage(image, other).ok());
  EXPECT_EQ(transport_.Count("HEAD"), 1) << "a look, and nothing more";
  EXPECT_EQ(transport_.Count("POST") + transport_.Count("PUT"), 0);
}

TEST_F(ImagePublisherTest, CopiesAnImageToAnotherRegistryByStreamingItsBlobs) {
  auto second = testing::DockerRegistry::Start();
  ASSERT_TRUE(second.ok()) << second.status();
  const core::PublishIntent list = TwoImages();
  const std::string other = absl::StrCat((*second)->host(), "/team/copy");
  const auto images = ImagesOf(list, Repository());
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_EQ(images->size(), 2u);
  EXPECT_EQ((*images)[0].platform, kLinuxAmd64);
  for (const core::ListEntry& image : *images) {
    const absl::Status copied = publisher_.CopyImage(image.image, other);
    ASSERT_TRUE(copied.ok()) << copied;
  }
  const ListOutcome outcome = publisher_.PublishList(list, {Tag("1.0"), {other, "2.0"}});
  ASSERT_TRUE(outcome.error.ok()) << outcome.error;
  testing::RawRegistry raw(&plain_, (*second)->host());
  EXPECT_EQ(Digest::Of(raw.Manifest("team/copy", "2.0")->body).ToString(), list.digest);
  EXPECT_EQ(DigestOf("1.0"), list.digest);
}

TEST_F(ImagePublisherTest, SaysWhatCannotBeCopied) {
  core::Image image{Repository(), Digest::Of("never pushed").ToString(), 0, ""};
  const absl::Status absent = publisher_.CopyImage(image, Repository() + "/copy");
  EXPECT_TRUE(absl::IsNotFound(absent));
  EXPECT_THAT(std::string(absent.message()), HasSubstr("copying " + image.digest));
  EXPECT_FALSE(publisher_.CopyImage(image, "no repository").ok());
}

TEST_F(ImagePublisherTest, MovesNoTagBeforeEveryRepositoryHasTheList) {
  const core::PublishIntent list = TwoImages();
  // The images are not in the other repository: no tag moves here either.
  const ListOutcome outcome =
      publisher_.PublishList(list, {Tag("1.0"), {Repository() + "/elsewhere", "1.0"}});
  EXPECT_THAT(std::string(outcome.error.message()), HasSubstr("MANIFEST_BLOB_UNKNOWN"));
  EXPECT_EQ(DigestOf("1.0"), "");
}

TEST_F(ImagePublisherTest, AnImmutableTagIsWrittenOnce) {
  const core::PublishIntent first = TwoImages("first");
  const core::PublishIntent second = TwoImages("second");
  ASSERT_TRUE(publisher_.PublishList(first, {Tag("1.0")}, /*immutable=*/true).error.ok());
  const ListOutcome again = publisher_.PublishList(first, {Tag("1.0")}, /*immutable=*/true);
  EXPECT_TRUE(again.error.ok()) << "it points there already";
  EXPECT_TRUE(again.tags[0].written);
  const ListOutcome moved = publisher_.PublishList(second, {Tag("1.0")}, /*immutable=*/true);
  EXPECT_TRUE(absl::IsAlreadyExists(moved.error)) << moved.error;
  EXPECT_THAT(moved.tags[0].note, HasSubstr("exists and points to " + first.digest));
  EXPECT_EQ(DigestOf("1.0"), first.digest);

  const core::Image image = Push(MakeTestImage(kAmd64, "first"));
  const core::Image other = Push(MakeTestImage(kAmd64, "second"));
  EXPECT_TRUE(publisher_.PutTag(Tag("1.0-amd64"), image, /*immutable=*/true).ok());
  EXPECT_TRUE(publisher_.PutTag(Tag("1.0-amd64"), image, /*immutable=*/true).ok());
  EXPECT_TRUE(
      absl::IsAlreadyExists(publisher_.PutTag(Tag("1.0-amd64"), other, /*immutable=*/true)));
}

}  // namespace
}  // namespace manyarch::controller::publish
