#include "worker/build/attempt_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include "absl/strings/match.h"
#include "common/base/platform.h"
#include "tests/worker/build/attempt_rig.h"
#include "worker/platform/platform_probe.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string HostArch() {
  utsname host = {};
  uname(&host);
  return NormalPlatform("linux", host.machine, "").arch;
}

std::string Program(const std::string& arch, uint8_t code) {
  return TinyProgram({"linux", arch, ""}, code);
}

class AttemptTest : public ::testing::TestWithParam<IsolationChoice> {
 protected:
  void SetUp() override {
    if (const std::string why = rig_.Start(GetParam()); !why.empty()) GTEST_SKIP() << why;
    host_ = HostArch();
  }
  void TearDown() override {
    if (rig_.runner == nullptr) return;  // Skipped.
    EXPECT_EQ(rig_.Leftovers(), "");
  }

  // What the registry has under a manifest reference or blob digest.
  std::string Get(const std::string& kind, const std::string& reference) {
    return *RunChecked(
        {.argv = {"curl", "-sfL", "-H",
                  "Accept: application/vnd.docker.distribution.manifest.v2+json",
                  "http://" + rig_.registry + "/v2/test/app/" + kind + "/" + reference}});
  }

  std::string ConfigOf(const std::string& manifest) {
    const size_t at = manifest.find("sha256:", manifest.find("\"config\""));
    return Get("blobs", manifest.substr(at, 71));
  }

  AttemptRig rig_;
  std::string host_;
};

TEST_P(AttemptTest, BuildsAndPushesAnImageOfThePlatformAsV2s2) {
  const Digest context = rig_.Context(
      {{"Containerfile",
        "FROM scratch\nARG TARGETARCH\nCOPY program /\nRUN [\"/program\"]\nLABEL a=$TARGETARCH\n"},
       {"program", Program(host_, 0)}});
  v1::Offer offer = rig_.Offer(context, host_);
  v1::NameValue* label = offer.mutable_options()->add_labels();
  label->set_name("b");
  label->set_value("1,c=2");
  const v1::Finished result = rig_.Run(offer);
  ASSERT_TRUE(result.has_image()) << result.DebugString() << rig_.seen.output;
  EXPECT_EQ(result.attempt_id(), offer.attempt_id());
  EXPECT_EQ(result.image().repository(), offer.repository());
  EXPECT_THAT(rig_.seen.states, ElementsAre(v1::ATTEMPT_STATE_FETCHING, v1::ATTEMPT_STATE_BUILDING,
                                            v1::ATTEMPT_STATE_PUSHING));
  EXPECT_THAT(rig_.seen.output, HasSubstr("STEP 4/"));

  const std::string manifest = Get("manifests", result.image().digest());
  EXPECT_EQ(Digest::Of(manifest).ToString(), result.image().digest());
  EXPECT_THAT(manifest, HasSubstr("application/vnd.docker.distribution.manifest.v2+json"));
  const std::string config = ConfigOf(manifest);
  EXPECT_THAT(config, HasSubstr("\"architecture\":\"" + host_ + "\""));
  EXPECT_THAT(config, HasSubstr("\"a\":\"" + host_ + "\""));
  EXPECT_THAT(config, HasSubstr("\"b\":\"1,c=2\""));
}

TEST_P(AttemptTest, ARunThatFailsIsTheUsersAndNamesItsStep) {
  const Digest context =
      rig_.Context({{"Dockerfile", "FROM scratch\nCOPY program /\nRUN [\"/program\"]\n"},
                    {"program", Program(host_, 7)}});
  const v1::Finished result = rig_.Run(rig_.Offer(context, host_));
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_EQ(result.failure().class_(), v1::FAILURE_CLASS_USER);
  EXPECT_EQ(result.failure().exit_code(), 7);
  EXPECT_EQ(result.failure().step(), "STEP 3/3: RUN [\"/program\"]");
  EXPECT_THAT(result.failure().message(), HasSubstr("linux/" + host_ + ": building at STEP"));
  EXPECT_THAT(result.failure().last_lines(), ::testing::Contains("STEP 2/3: COPY program /"));
}

TEST_P(AttemptTest, AnUnchangedBuildComesFromTheCacheButNeverFromAnotherPlatforms) {
  const auto files = [&](const std::string& arch) {
    return rig_.Context({{"Containerfile", "FROM scratch\nCOPY program /\nRUN [\"/program\"]\n"},
                         {"program", Program(arch, 0)}});
  };
  const v1::Finished first = rig_.Run(rig_.Offer(files(host_), host_));
  ASSERT_TRUE(first.has_image()) << first.DebugString();
  EXPECT_THAT(rig_.seen.output, Not(HasSubstr("Using cache")));
  rig_.seen.output.clear();
  const v1::Finished again = rig_.Run(rig_.Offer(files(host_), host_));
  ASSERT_TRUE(again.has_image());
  EXPECT_THAT(rig_.seen.output, HasSubstr("Using cache"));
  EXPECT_EQ(again.image().digest(), first.image().digest());

  // The same files for another platform, whose image would be made of the first one's layers.
  const std::string other = host_ == "amd64" ? "arm64" : "amd64";
  rig_.seen.output.clear();
  rig_.Run(rig_.Offer(files(host_), other));
  EXPECT_THAT(rig_.seen.output, Not(HasSubstr("Using cache")));
}

TEST_P(AttemptTest, BuildsForAnEmulatedPlatformWhereThereIsOne) {
  const std::string other = host_ == "amd64" ? "arm64" : "amd64";
  bool emulated = false;
  const auto probe = ProbePlatforms(rig_.dir.path() + "/probe");
  for (const FoundPlatform& found : probe->offered) {
    emulated = emulated || found.platform == Platform{"linux", other, ""};
  }
  if (!emulated) GTEST_SKIP() << "no emulator for " << other;
  const Digest context =
      rig_.Context({{"Containerfile", "FROM scratch\nCOPY program /\nRUN [\"/program\"]\n"},
                    {"program", Program(other, 0)}});
  const v1::Finished result = rig_.Run(rig_.Offer(context, other));
  ASSERT_TRUE(result.has_image()) << result.DebugString();
  EXPECT_THAT(ConfigOf(Get("manifests", result.image().digest())),
              HasSubstr("\"architecture\":\"" + other + "\""));
}

TEST_P(AttemptTest, FailuresBeforeAndAfterTheBuildSayWhatIsWrong) {
  const auto run = [&](const std::string& containerfile, const std::string& repository = "") {
    v1::Offer offer = rig_.Offer(rig_.Context({{"Containerfile", containerfile}}), host_);
    if (!repository.empty()) offer.set_repository(repository);
    return rig_.Run(offer).failure();
  };
  v1::Failure failure = rig_.Run(rig_.Offer(rig_.Context({{"x", "y"}}), host_)).failure();
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_USER);
  EXPECT_THAT(failure.message(), HasSubstr("neither a Containerfile nor a Dockerfile"));

  failure = run("FROM scratch\nFROB x\n");
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_USER);
  EXPECT_THAT(failure.message(), HasSubstr("FROB"));

  failure = run("FROM " + rig_.registry + "/no/such:1\n");
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_USER) << failure.message();
  EXPECT_THAT(failure.message(), HasSubstr("manifest unknown"));

  v1::Offer offer = rig_.Offer(rig_.Context({{"Containerfile", "FROM scratch\n"}}), host_);
  offer.mutable_options()->set_target("none");
  failure = rig_.Run(offer).failure();
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_USER) << failure.message();

  failure = rig_.Run(rig_.Offer(Digest::Of("a context that is not there"), host_)).failure();
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_INFRASTRUCTURE);

  v1::Directory hostile;
  AddFile(hostile, "../escape", 0, 0644, {});
  failure = rig_.Run(rig_.Offer(rig_.source.Add(hostile), host_)).failure();
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_USER);
  EXPECT_THAT(failure.message(), HasSubstr("'../escape'"));
}

TEST_P(AttemptTest, CachesOverTheirLimitsAreEmptied) {
  AttemptRunner::Options options;
  options.state_dir = rig_.dir.path() + "/state";
  options.buildah = rig_.buildah;
  options.store_limit_bytes = 0;
  rig_.contexts = *CachedContexts::Open(options.state_dir + "/cache", 0, &rig_.source);
  rig_.runner = *AttemptRunner::Create(options, rig_.contexts.get());
  const Digest context = rig_.Context(
      {{"Containerfile", "FROM scratch\nCOPY program /\n"}, {"program", Program(host_, 0)}});
  ASSERT_TRUE(rig_.Run(rig_.Offer(context, host_)).has_image()) << rig_.seen.output;
  rig_.runner->Prune(rig_.stop);
  const std::string script = "find cache -type f; find slots -mindepth 2";
  EXPECT_EQ(*RunChecked({.argv = {"/bin/sh", "-c", script}, .cwd = options.state_dir}), "");
}

TEST_P(AttemptTest, ARegistryThatIsDownIsNotTheUsersFault) {
  const Digest context = rig_.Context(
      {{"Containerfile", "FROM scratch\nCOPY program /\n"}, {"program", Program(host_, 0)}});
  rig_.registry_process->Stop(absl::Seconds(5));
  const v1::Failure failure = rig_.Run(rig_.Offer(context, host_)).failure();
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_INFRASTRUCTURE);
  EXPECT_THAT(failure.message(), HasSubstr("connection refused"));
}

INSTANTIATE_TEST_SUITE_P(Isolations, AttemptTest,
                         ::testing::Values(IsolationChoice::kAuto, IsolationChoice::kChroot),
                         [](const auto& test) {
                           return test.param == IsolationChoice::kAuto ? "auto" : "chroot";
                         });

}  // namespace
}  // namespace manyarch::worker
