#include "worker/platform/buildah_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/os/files.h"
#include "common/os/subprocess.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

TEST(ParseBuildahVersion, ReadsWhatBuildahPrints) {
  EXPECT_EQ(*ParseBuildahVersion(
                "buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)\n"),
            (BuildahVersion{1, 28, 2}));
  EXPECT_EQ(*ParseBuildahVersion("buildah version 1.39.3 (image-spec 1.1.0)"),
            (BuildahVersion{1, 39, 3}));
  EXPECT_EQ(*ParseBuildahVersion("buildah version 1.40.0-dev"), (BuildahVersion{1, 40, 0}));
  for (const char* bad :
       {"", "podman version 4.3.1", "buildah version one", "buildah version 1.2"}) {
    EXPECT_FALSE(ParseBuildahVersion(bad).ok()) << bad;
  }
}

TEST(BuildahInfo, PushesByDigestFromVersion130On) {
  BuildahInfo info;
  info.version = {1, 29, 9};
  EXPECT_FALSE(info.push_by_digest());
  info.version = {1, 30, 0};
  EXPECT_TRUE(info.push_by_digest());
  info.version = {2, 0, 0};
  EXPECT_TRUE(info.push_by_digest());
}

TEST(IsolationFlags, KeepTheRuntimesStateWhereTold) {
  BuildahInfo info;
  info.isolation = Isolation::kOci;
  info.ulimits = {"nofile=20000:20000"};
  EXPECT_THAT(
      IsolationFlags(info, "/a/runtime", "/m/x"),
      ::testing::ElementsAre("--isolation=oci", "--runtime=runc", "--runtime-flag=root=/a/runtime",
                             "--cgroup-parent=/m/x", "--ulimit=nofile=20000:20000"));
  info.isolation = Isolation::kChroot;
  info.ulimits.clear();
  EXPECT_THAT(IsolationFlags(info, "/a/runtime", "/m/x"),
              ::testing::ElementsAre("--isolation=chroot"));
}

TEST(ParseIsolationChoice, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(*ParseIsolationChoice("auto"), IsolationChoice::kAuto);
  EXPECT_THAT(std::string(ParseIsolationChoice("rootless").status().message()),
              HasSubstr("use auto, oci or chroot"));
}

// With the real buildah.
TEST(DetectBuildah, FindsAnIsolationThatWorksAndLeavesNothingBehind) {
  if (!FindProgram("buildah").ok()) GTEST_SKIP() << "no buildah here";
  TempDir scratch = *TempDir::Make("detect-");
  for (const IsolationChoice choice : {IsolationChoice::kAuto, IsolationChoice::kChroot}) {
    const auto info = DetectBuildah(choice, scratch.path() + "/scratch");
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->path.front(), '/');
    EXPECT_GE(info->version, (BuildahVersion{1, 20, 0}));
    if (choice == IsolationChoice::kChroot) {
      EXPECT_EQ(info->isolation, Isolation::kChroot);
    } else if (info->isolation == Isolation::kChroot) {
      EXPECT_NE(info->isolation_note, "");
    }
  }
  EXPECT_EQ(*RunChecked({.argv = {"find", scratch.path() + "/scratch", "-mindepth", "1"}}), "");
}

}  // namespace
}  // namespace manyarch::worker
