// The stores of a worker with the real buildah: what goes when they are over their limit.
#include "worker/build/image_stores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "common/base/platform.h"
#include "tests/worker/build/attempt_rig.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMegabyte = 1'000'000;

class ImageStoresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = rig_.Start(IsolationChoice::kChroot); !why.empty()) {
      GTEST_SKIP() << why;
    }
    utsname host = {};
    uname(&host);
    host_ = NormalPlatform("linux", host.machine, "").arch;
  }
  void TearDown() override {
    if (rig_.runner == nullptr) return;  // Skipped.
    EXPECT_EQ(rig_.Leftovers(), "");
  }

  void LimitTo(int64_t bytes) {
    AttemptRunner::Options options;
    options.state_dir = rig_.dir.path() + "/state";
    options.buildah = rig_.buildah;
    options.store_limit_bytes = bytes;
    options.min_free = {0, 0};
    rig_.runner = *AttemptRunner::Create(options, rig_.contexts.get());
    ASSERT_TRUE(rig_.runner->CleanUpAll(rig_.dir.path() + "/attempts").ok());
  }
  // A context whose image has a layer of 2 MB that only this one has.
  Digest Megabytes(char content, const std::string& from = "scratch") {
    return rig_.Context({{"Containerfile", "FROM " + from + "\nCOPY file /\nLABEL content=x\n"},
                         {"file", std::string(2 * kMegabyte, content)}});
  }
  // Builds it there; whether all of it came from the cache.
  bool Build(const Digest& context, const std::string& arch, int slot = 0) {
    AttemptContext attempt = rig_.Prepare(rig_.Offer(context, arch));
    attempt.slot = slot;
    Recorder seen;
    const v1::Finished result = rig_.runner->Run(attempt, seen, rig_.stop);
    EXPECT_TRUE(result.has_image()) << result.DebugString() << seen.output;
    rig_.runner->Prune(rig_.stop);
    return absl::StrContains(seen.output, "COPY file /\n--> Using cache");
  }
  std::string StoreOf(const std::string& arch, int slot = 0) const {
    return absl::StrCat(rig_.dir.path(), "/state/slots/", slot, "/linux-", arch, "/root");
  }
  int64_t BytesIn(const std::string& arch, int slot = 0) const {
    return ReadStoreContents(StoreOf(arch, slot)).bytes();
  }

  AttemptRig rig_;
  std::string host_;
};

TEST_F(ImageStoresTest, WhatWasUsedLongestAgoGoesFirstWhereverItIsAndACacheHitIsAUse) {
  // No program runs in these builds: any platform will do.
  LimitTo(7 * kMegabyte);
  const Digest a = Megabytes('a');
  const Digest b = Megabytes('b');
  const Digest c = Megabytes('c');
  EXPECT_FALSE(Build(a, "amd64"));
  EXPECT_FALSE(Build(b, "arm64"));
  EXPECT_FALSE(Build(c, "amd64"));
  // Of both stores, b's images are now the oldest: a was used again.
  EXPECT_TRUE(Build(a, "amd64"));
  EXPECT_FALSE(Build(Megabytes('d'), "s390x"));
  EXPECT_EQ(BytesIn("arm64"), 0);
  EXPECT_TRUE(Build(a, "amd64"));
  EXPECT_TRUE(Build(c, "amd64"));
  // Now d's, in a store that nothing is built in any more.
  EXPECT_FALSE(Build(b, "arm64"));
  EXPECT_EQ(BytesIn("s390x"), 0);
  EXPECT_TRUE(Build(a, "amd64"));
}

TEST_F(ImageStoresTest, ABaseImageStaysForAsLongAsWhatIsBuiltOnItIsUsed) {
  LimitTo(100 * kMegabyte);
  const std::string base = rig_.registry + "/test/base:1";
  ASSERT_FALSE(Build(Megabytes('0'), "amd64", 1));
  const StoreContents store = ReadStoreContents(StoreOf("amd64", 1));
  ASSERT_FALSE(store.images.empty());
  ASSERT_TRUE(RunChecked({.argv = {"buildah", "--root", StoreOf("amd64", 1), "--runroot",
                                   rig_.dir.path() + "/state/slots/1/linux-amd64/runroot", "push",
                                   "--tls-verify=false", "--format=v2s2", store.images[0].id,
                                   "docker://" + base}})
                  .ok());
  LimitTo(9 * kMegabyte);
  ASSERT_FALSE(Build(Megabytes('a', base), "amd64"));  // 2 MB on 2 MB.
  ASSERT_FALSE(Build(Megabytes('b'), "amd64"));
  ASSERT_TRUE(Build(Megabytes('a', base), "amd64"));
  ASSERT_FALSE(Build(Megabytes('c'), "amd64"));  // What slot 1 has goes.
  EXPECT_EQ(BytesIn("amd64", 1), 0);
  ASSERT_FALSE(Build(Megabytes('d'), "amd64"));  // b goes: the base was stored before, but used.
  EXPECT_TRUE(Build(Megabytes('a', base), "amd64"));
  EXPECT_TRUE(Build(Megabytes('c'), "amd64"));
  EXPECT_FALSE(Build(Megabytes('b'), "amd64"));
  const std::string images = *RunChecked(
      {.argv = {"sh", "-c", "cat \"$1\"/*-images/images.json", "sh", StoreOf("amd64")}});
  EXPECT_THAT(images, HasSubstr(base));
}

TEST_F(ImageStoresTest, LayersThatNoImageIsMadeOfAnyMoreGoWithTheirStore) {
  LimitTo(7 * kMegabyte);
  const Digest a = Megabytes('a');
  ASSERT_FALSE(Build(a, "amd64"));
  ASSERT_FALSE(Build(Megabytes('b'), "arm64"));
  ASSERT_FALSE(Build(Megabytes('c'), "arm64"));
  // As a buildah leaves it that is killed after its last layer and before its image is noted.
  ASSERT_TRUE(RunChecked({.argv = {"sh", "-c", "echo '[]' | tee \"$1\"/*-images/images.json", "sh",
                                   StoreOf("arm64")}})
                  .ok());
  const StoreContents lost = ReadStoreContents(StoreOf("arm64"));
  ASSERT_GE(lost.bytes(), 4 * kMegabyte);
  ASSERT_EQ(lost.unused_bytes(), lost.bytes());
  ASSERT_FALSE(Build(Megabytes('d'), "amd64"));
  EXPECT_EQ(BytesIn("arm64"), 0);
  EXPECT_TRUE(Build(a, "amd64"));
  EXPECT_FALSE(Build(Megabytes('b'), "arm64"));
}

TEST_F(ImageStoresTest, AStoppedAttemptDoesNotWaitForItsStore) {
  ImageStores stores(rig_.buildah, rig_.dir.path() + "/state", 0, {0, 0});
  v1::Platform platform;
  platform.set_os("linux");
  platform.set_arch(host_);
  const ImageStores::Use first(&stores, 0, platform, rig_.stop, [] {});
  EXPECT_TRUE(first.ok());
  StopToken stop;
  bool taken = true;
  std::thread second([&] { taken = ImageStores::Use(&stores, 0, platform, stop, [] {}).ok(); });
  stop.Stop("enough");
  second.join();
  EXPECT_FALSE(taken);
}

TEST_F(ImageStoresTest, AnAttemptThatWaitsForItsStoreIsToldSoAndThenHasIt) {
  ImageStores stores(rig_.buildah, rig_.dir.path() + "/state", 0, {0, 0});
  v1::Platform platform;
  platform.set_os("linux");
  platform.set_arch(host_);
  auto first = std::make_unique<ImageStores::Use>(&stores, 0, platform, rig_.stop, [] {});
  absl::Notification told;  // Once: a second Notify would be fatal.
  bool taken = false;
  std::thread second([&] {
    taken = ImageStores::Use(&stores, 0, platform, rig_.stop, [&] { told.Notify(); }).ok();
  });
  EXPECT_TRUE(told.WaitForNotificationWithTimeout(absl::Minutes(1)));
  first.reset();
  second.join();
  EXPECT_TRUE(taken);
}

TEST_F(ImageStoresTest, APruneThatIsCutShortHasRemovedAFewImagesAndTheNextGoesOn) {
  LimitTo(100 * kMegabyte);
  for (char content = 'a'; content <= 'f'; ++content) Build(Megabytes(content), "amd64");
  const auto images = [&] { return ReadStoreContents(StoreOf("amd64")).images.size(); };
  const size_t before = images();
  ASSERT_GE(before, 6u);
  LimitTo(kMegabyte * 5 / 2);  // One of them fits.
  StopToken stop;
  stop.Stop("the slot has an attempt to run");
  rig_.runner->Prune(stop);
  EXPECT_LT(images(), before);
  EXPECT_GE(images(), before - 4);
  rig_.runner->Prune(rig_.stop);
  EXPECT_LE(BytesIn("amd64"), kMegabyte * 5 / 2);
  EXPECT_GT(images(), 0u);
  EXPECT_TRUE(Build(Megabytes('f'), "amd64"));
}

TEST_F(ImageStoresTest, TheStoreOfARunningAttemptIsLeftAloneHoweverOldItsImagesAre) {
  LimitTo(5 * kMegabyte);
  EXPECT_FALSE(Build(Megabytes('a'), host_, 0));
  // An attempt in that store that goes on until it is told to end.
  std::string stubborn = ReadFile(STUBBORN_PROGRAM).value();
  const Digest context =
      rig_.Context({{"Containerfile", "FROM scratch\nCOPY program /\nRUN [\"/program\"]\n"},
                    {"program", std::move(stubborn)}});
  const AttemptContext running = rig_.Prepare(rig_.Offer(context, host_));
  absl::Notification started;
  Recorder seen;
  StopToken stop;
  seen.on_output = [&] {
    if (!started.HasBeenNotified() && absl::StrContains(seen.output, "waiting for ever"))
      started.Notify();
  };
  v1::Finished result;
  std::thread thread([&] { result = rig_.runner->Run(running, seen, stop); });
  EXPECT_TRUE(started.WaitForNotificationWithTimeout(absl::Minutes(1)));

  const int64_t before = BytesIn(host_, 0);
  EXPECT_GE(before, 2 * kMegabyte);
  EXPECT_FALSE(Build(Megabytes('b'), host_, 1));
  EXPECT_FALSE(Build(Megabytes('c'), host_, 1));
  EXPECT_EQ(BytesIn(host_, 0), before);
  EXPECT_LT(BytesIn(host_, 1), 4 * kMegabyte);  // What it could not take there it took here.
  // Nor where the disk is full.
  rig_.runner->MakeRoom(INT64_MAX, rig_.stop);
  EXPECT_EQ(BytesIn(host_, 0), before);
  EXPECT_EQ(BytesIn(host_, 1), 0);

  stop.Stop("enough");
  thread.join();
  EXPECT_TRUE(result.has_cancelled()) << result.DebugString();
  rig_.runner->MakeRoom(INT64_MAX, rig_.stop);
  EXPECT_EQ(BytesIn(host_, 0), 0);
}

}  // namespace
}  // namespace manyarch::worker
