#include "worker/build/build_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace manyarch::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

BuildahInfo Buildah(Isolation isolation, BuildahVersion version = {1, 28, 2}) {
  BuildahInfo info;
  info.version = version;
  info.isolation = isolation;
  return info;
}

std::string Refusal(const std::function<void(v1::Offer&)>& set,
                    Isolation isolation = Isolation::kOci) {
  v1::Offer offer;
  set(offer);
  const absl::Status status = CheckBuildOptions(offer, Buildah(isolation));
  EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(CheckBuildOptions, TakesNobodysWordForValues) {
  const std::function<void(v1::Offer&)> bad[] = {
      [](v1::Offer& o) { o.mutable_options()->set_target(std::string("a\0b", 3)); },
      [](v1::Offer& o) { o.mutable_options()->add_build_args()->set_name("a=b"); },
      [](v1::Offer& o) { o.mutable_options()->add_labels(); },
      [](v1::Offer& o) { o.mutable_options()->add_add_hosts("a:1.2.3.4,b:1.2.3.4"); },
      [](v1::Offer& o) { o.mutable_options()->set_network("ns:/proc/1/ns/net"); },
      [](v1::Offer& o) { o.mutable_options()->set_memory_bytes(-1); },
      [](v1::Offer& o) { o.mutable_options()->set_cpu_millis(-1); },
      [](v1::Offer& o) { o.mutable_options()->set_timestamp(-1); },
      [](v1::Offer& o) { o.mutable_options()->add_contexts()->set_name("a=b"); },
      [](v1::Offer& o) {
        o.mutable_options()->add_secret_ids("a,src=/etc/shadow");
        o.add_secrets()->set_id("a,src=/etc/shadow");
      },
  };
  for (const auto& set : bad) EXPECT_NE(Refusal(set), "");
  EXPECT_EQ(Refusal([](v1::Offer&) {}), "");
}

TEST(CheckBuildOptions, EverySecretMustHaveCome) {
  EXPECT_EQ(Refusal([](v1::Offer& o) { o.mutable_options()->add_secret_ids("npm"); }),
            "the secret 'npm' did not come with the build");
  EXPECT_EQ(Refusal([](v1::Offer& o) {
              o.mutable_options()->add_ssh_ids("k");
              o.add_secrets()->set_id("k");
            }),
            "the ssh key 'k' did not come with the build");
  EXPECT_EQ(Refusal([](v1::Offer& o) {
              o.mutable_options()->add_secret_ids("npm");
              o.add_secrets()->set_id("npm");
            }),
            "");
}

TEST(CheckBuildOptions, AnnotationsAreForOciImages) {
  const auto annotate = [](v1::Offer& o) { o.mutable_options()->add_annotations()->set_name("a"); };
  EXPECT_EQ(Refusal(annotate), "Docker v2s2 images cannot carry annotations");
  EXPECT_EQ(Refusal([&](v1::Offer& o) {
              annotate(o);
              o.set_format(v1::IMAGE_FORMAT_OCI);
            }),
            "");
}

TEST(CheckBuildOptions, ChrootIsolationHasNoLimitsAndNoOtherNetwork) {
  const std::function<void(v1::Offer&)> needs_oci[] = {
      [](v1::Offer& o) { o.mutable_options()->set_memory_bytes(int64_t{1} << 30); },
      [](v1::Offer& o) { o.mutable_options()->set_cpu_millis(500); },
      [](v1::Offer& o) { o.mutable_options()->set_network("none"); },
  };
  for (const auto& set : needs_oci) {
    EXPECT_EQ(Refusal(set), "");
    EXPECT_THAT(Refusal(set, Isolation::kChroot), HasSubstr("isolation chroot"));
  }
  EXPECT_EQ(
      Refusal([](v1::Offer& o) { o.mutable_options()->set_network("host"); }, Isolation::kChroot),
      "");
}

TEST(OptionWarnings, TellThatAnOldBuildahTakesOneCacheOnly) {
  v1::BuildOptions options;
  options.add_cache_from("r/a");
  EXPECT_THAT(OptionWarnings(options, Buildah(Isolation::kOci)), IsEmpty());
  options.add_cache_from("r/b");
  EXPECT_THAT(OptionWarnings(options, Buildah(Isolation::kOci)),
              ElementsAre("buildah 1.28.2 takes one --cache-from: only r/b was used"));
  EXPECT_THAT(OptionWarnings(options, Buildah(Isolation::kOci, {1, 39, 3})), IsEmpty());
}

TEST(UnusedBuildArgs, AreThoseThatTheUserGave) {
  v1::BuildOptions options;
  options.add_build_args()->set_name("FOO");
  options.add_build_args()->set_name("BAR");
  const std::string prefix = "[Warning] one or more build args were not consumed: [";
  EXPECT_EQ(UnusedBuildArgs({"COMMIT", prefix + "TARGETARCH TARGETOS]"}, options), "");
  EXPECT_EQ(UnusedBuildArgs({prefix + "FOO TARGETARCH]", "abc"}, options),
            "the Containerfile has no ARG for FOO: this build argument was not used");
  EXPECT_EQ(UnusedBuildArgs({prefix + "BAR FOO]", prefix + "BAR FOO]"}, options),
            "the Containerfile has no ARG for BAR, FOO: these build arguments were not used");
  EXPECT_EQ(UnusedBuildArgs({prefix + "FOO"}, options), "");
}

}  // namespace
}  // namespace manyarch::worker
