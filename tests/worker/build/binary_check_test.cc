#include "worker/build/binary_check.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "tests/support/failing_openat2.h"
#include "worker/build/layer_tree.h"

namespace manyarch::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

// The head of a little-endian 64-bit program.
std::string Program(uint8_t machine) {
  std::string bytes = std::string(
                          "\x7f"
                          "ELF\x02\x01\x01") +
                      std::string(9, '\0') + std::string("\x02\x00", 2);
  bytes.push_back(static_cast<char>(machine));
  bytes.resize(64, '\0');
  return bytes;
}
const std::string kForAmd64 = Program(62);
const std::string kForArm64 = Program(183);

// An image whose layers are directories here; the topmost is number 0.
class BinaryCheckTest : public ::testing::Test {
 protected:
  void Layers(size_t count, size_t added) {
    for (size_t i = 0; i < count; ++i) {
      image_.layers.push_back(absl::StrCat(dir_.path(), "/layer", i));
      ASSERT_TRUE(MakeDirs(image_.layers.back()).ok());
    }
    image_.new_layers = added;
    image_.path = "/usr/bin:/bin";
  }
  std::string At(size_t layer, const std::string& path) {
    const std::string full = absl::StrCat(image_.layers[layer], "/", path);
    EXPECT_TRUE(MakeDirs(full.substr(0, full.rfind('/'))).ok());
    return full;
  }
  void Put(size_t layer, const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomic(At(layer, path), bytes, 0755).ok());
  }
  void Link(size_t layer, const std::string& path, const std::string& target) {
    ASSERT_EQ(symlink(target.c_str(), At(layer, path).c_str()), 0);
  }
  BinaryFindings Check(const Platform& platform = kAmd64, const BinaryLimits& limits = {}) {
    return CheckBinaries(image_, platform, limits).value();
  }

  TempDir dir_ = *TempDir::Make("binary-check-");
  StoredImage image_;
};

TEST_F(BinaryCheckTest, ForeignProgramsOfNewLayersAreNamed) {
  Layers(2, 1);
  Put(0, "usr/bin/app", kForArm64);
  Put(0, "usr/bin/fine", kForAmd64);
  Put(0, "usr/share/text", "no program at all, but long enough");
  EXPECT_THAT(Check().foreign, ElementsAre("/usr/bin/app is a program for arm64"));
  EXPECT_EQ(Describe(Check(), kAmd64),
            "/usr/bin/app is a program for arm64 in an image for linux/amd64");
  EXPECT_THAT(Check(kArm64).foreign, ElementsAre("/usr/bin/fine is a program for amd64"));
}

TEST_F(BinaryCheckTest, OfTheBaseOnlyWhatTellsItsArchitectureIsLookedAt) {
  Layers(2, 1);
  Put(1, "opt/cross/tool", kForArm64);
  EXPECT_THAT(Check().foreign, IsEmpty());
  Put(1, "bin/busybox", kForArm64);
  Link(1, "bin/sh", "busybox");
  EXPECT_THAT(Check().foreign, ElementsAre("/bin/busybox is a program for arm64"));
}

TEST_F(BinaryCheckTest, LoadersOfOthersAreWrongOnlyWithoutOneOfItsOwn) {
  Layers(1, 0);
  Put(0, "usr/lib/ld-linux-aarch64.so.1", kForArm64);
  Link(0, "lib", "usr/lib");
  EXPECT_THAT(Check().foreign,
              ElementsAre("/usr/lib/ld-linux-aarch64.so.1 is a program for arm64"));
  Put(0, "lib64/ld-linux-x86-64.so.2", kForAmd64);
  EXPECT_THAT(Check().foreign, IsEmpty());
}

TEST_F(BinaryCheckTest, TheProgramThatTheImageRunsIsFoundAsAContainerFindsIt) {
  Layers(2, 0);
  image_.entrypoint = {"app", "--flag"};
  image_.cmd = {"/bin/other"};
  Put(1, "bin/app", kForArm64);
  EXPECT_THAT(Check().foreign, ElementsAre("/bin/app is a program for arm64"));

  Put(1, "usr/bin/app", kForAmd64);  // Earlier in PATH.
  EXPECT_THAT(Check().foreign, IsEmpty());

  image_.entrypoint = {"./run"};
  image_.working_dir = "/srv";
  Link(1, "srv/run", "../../../bin/app");  // ".." ends at the image's root.
  EXPECT_THAT(Check().foreign, ElementsAre("/bin/app is a program for arm64"));

  image_.entrypoint = {"/srv/script"};
  Put(1, "srv/script", "#! /bin/app -x\nexit\n");
  EXPECT_THAT(Check().foreign, ElementsAre("/bin/app is a program for arm64"));

  image_.entrypoint.clear();
  Put(1, "bin/other", kForArm64);
  EXPECT_THAT(Check().foreign, ElementsAre("/bin/other is a program for arm64"));
}

TEST_F(BinaryCheckTest, AnUnknownProcessorIsWrongOnlyForWhatTheImageRuns) {
  Layers(1, 1);
  Put(0, "lib/gpu.so", Program(224));
  EXPECT_THAT(Check().foreign, IsEmpty());
  image_.cmd = {"/lib/gpu.so"};
  EXPECT_THAT(Check().foreign,
              ElementsAre("/lib/gpu.so is a program for machine 224 (64 bit, little endian)"));
}

TEST_F(BinaryCheckTest, WhatALayerAboveHidesIsNotThere) {
  if (geteuid() != 0) GTEST_SKIP() << "whiteouts need root";
  Layers(3, 3);
  Put(2, "a/removed", kForArm64);
  ASSERT_EQ(mknod(At(1, "a/removed").c_str(), S_IFCHR, makedev(0, 0)), 0);
  Put(2, "b/replaced", kForArm64);
  Put(0, "b/replaced", kForAmd64);
  Put(2, "c/d/below", kForArm64);
  ASSERT_EQ(mknod(At(0, "c").c_str(), S_IFCHR, makedev(0, 0)), 0);
  EXPECT_THAT(Check().foreign, IsEmpty());

  Put(2, "e/f/old", kForArm64);
  Put(1, "e/f/new", kForAmd64);
  EXPECT_THAT(Check().foreign, ElementsAre("/e/f/old is a program for arm64"));
  if (setxattr((image_.layers[1] + "/e").c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0) {
    GTEST_SKIP() << "no trusted attributes here";
  }
  EXPECT_THAT(Check().foreign, IsEmpty());
}

TEST_F(BinaryCheckTest, LinksLeadNowhereButIntoTheImage) {
  Layers(1, 1);
  const std::string outside = dir_.path() + "/outside";
  ASSERT_TRUE(WriteFileAtomic(outside, kForArm64, 0755).ok());
  Link(0, "bin/sh", outside);
  Link(0, "loop/a", "/loop/b");
  Link(0, "loop/b", "a");
  Link(0, "etc", dir_.path());
  image_.cmd = {"/loop/a"};
  EXPECT_THAT(Check().foreign, IsEmpty());
  image_.cmd = {"/etc/outside"};
  EXPECT_THAT(Check().foreign, IsEmpty());
}

TEST_F(BinaryCheckTest, FirstOnesAreNamedTheOthersCounted) {
  Layers(1, 1);
  for (int i = 0; i < 5; ++i) Put(0, absl::StrCat("p/", i), kForArm64);
  const BinaryFindings found = Check();
  EXPECT_EQ(found.foreign.size(), 3U);
  EXPECT_EQ(found.more, 2);
  EXPECT_THAT(Describe(found, kAmd64), HasSubstr("linux/amd64; 2 more files are like that"));
  EXPECT_EQ(found.cut_short, "");
}

TEST_F(BinaryCheckTest, ALimitThatIsReachedIsTold) {
  Layers(1, 1);
  for (int i = 0; i < 100; ++i) Put(0, absl::StrCat("p/", i), "x");
  EXPECT_EQ(Check(kAmd64, {.files = 50}).cut_short, "more than 50 files");
  EXPECT_EQ(Check(kAmd64, {.time = absl::ZeroDuration()}).cut_short, "more than 0");
}

TEST_F(BinaryCheckTest, KernelsWithoutOpenat2FindTheSameAndWhatCannotBeReadIsTold) {
  Layers(2, 1);
  Put(0, "usr/bin/app", kForArm64);
  Put(1, "bin/busybox", kForArm64);
  Link(1, "bin/sh", "busybox");
  BinaryFindings without, unreadable;
  if (!WithFailingOpenat2(ENOSYS, [&] { without = Check(); }) ||
      !WithFailingOpenat2(EAGAIN, [&] { unreadable = Check(); })) {
    GTEST_SKIP() << "no seccomp filters here";
  }
  EXPECT_THAT(Check().foreign, ElementsAre("/bin/busybox is a program for arm64",
                                           "/usr/bin/app is a program for arm64"));
  EXPECT_EQ(without.foreign, Check().foreign);
  EXPECT_EQ(without.cut_short, "");
  EXPECT_EQ(unreadable.cut_short, "an error: Resource temporarily unavailable");
}

TEST_F(BinaryCheckTest, WithWholeTreesWhatTheBaseHasAlikeIsItsOwn) {
  Layers(1, 1);
  image_.base_tree = dir_.path() + "/base";
  ASSERT_TRUE(MakeDirs(image_.base_tree).ok());
  for (const std::string name : {"/same", "/other"}) {
    ASSERT_TRUE(WriteFileAtomic(image_.base_tree + name, kForArm64).ok());
    Put(0, name.substr(1), kForArm64);
  }
  const timespec times[2] = {{1000, 5}, {1000, 5}};
  for (const std::string& dir : {image_.base_tree, image_.layers[0]}) {
    ASSERT_EQ(utimensat(AT_FDCWD, (dir + "/same").c_str(), times, 0), 0);
  }
  // What was written just now may have the same time: the kernel's clock is coarse.
  ASSERT_EQ(utimensat(AT_FDCWD, (image_.base_tree + "/other").c_str(), times, 0), 0);
  EXPECT_THAT(Check().foreign, ElementsAre("/other is a program for arm64"));
}

TEST_F(BinaryCheckTest, NamesAreShownWithoutControlCharacters) {
  Layers(1, 1);
  Put(0, "a\nb", kForArm64);
  EXPECT_THAT(Check().foreign, ElementsAre("/a\\nb is a program for arm64"));
}

}  // namespace
}  // namespace manyarch::worker
