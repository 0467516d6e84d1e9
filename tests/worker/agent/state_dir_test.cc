#include "worker/state_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/os/files.h"

namespace manyarch::worker {
namespace {

using testing::HasSubstr;

TEST(StateDir, TheWorkersIdSurvivesRestarts) {
  const auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  std::string id;
  {
    const auto state = StateDir::Open(dir->path());
    ASSERT_TRUE(state.ok()) << state.status();
    id = (*state)->worker_id();
    EXPECT_EQ(id.size(), 13u);
  }
  const auto again = StateDir::Open(dir->path());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->worker_id(), id);
}

TEST(StateDir, TwoWorkersNeverShareOne) {
  const auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  const auto first = StateDir::Open(dir->path());
  ASSERT_TRUE(first.ok());
  const auto second = StateDir::Open(dir->path());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("in use by another manyarch-worker (pid "));
}

TEST(StateDir, APathThatAnImageStoreCannotHaveIsRefusedBeforeItIsMade) {
  const auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  for (const char* name : {"a,b", "a:b", "a\"b", "a\\b"}) {
    const std::string path = dir->path() + "/" + name;
    const auto state = StateDir::Open(path);
    EXPECT_EQ(state.status().code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_THAT(std::string(state.status().message()),
                testing::AllOf(HasSubstr("--state-dir: '" + path), HasSubstr("overlay mounts")));
    EXPECT_NE(access(path.c_str(), F_OK), 0) << path;
  }
  EXPECT_THAT(std::string(StateDir::Open("relative").status().message()),
              HasSubstr("is not an absolute path"));
}

TEST(StateDir, OnlyAttemptsWithAResultAreRestored) {
  const auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  const auto opened = StateDir::Open(dir->path());
  ASSERT_TRUE(opened.ok());
  StateDir& state = **opened;
  v1::Offer offer;
  for (const char* id : {"ran", "done", "cancelled"}) {
    offer.set_attempt_id(id);
    ASSERT_TRUE(state.AddAttempt(offer).ok());
  }
  v1::Finished result;
  result.set_attempt_id("done");
  result.mutable_image()->set_digest("sha256:x");
  result.set_log_size(5);
  const core::FinishedAttempt done{"done", result.SerializeAsString(), 5};
  const core::FinishedAttempt cancelled{"cancelled", "", 3};
  ASSERT_TRUE(state.KeepResult(done).ok());
  ASSERT_TRUE(state.KeepResult(cancelled).ok());

  const auto restored = state.Restore();
  ASSERT_TRUE(restored.ok());
  EXPECT_THAT(*restored, testing::UnorderedElementsAre(done, cancelled));
  EXPECT_FALSE(PathExists(state.AttemptDir("ran")));

  ASSERT_TRUE(state.Forget("done").ok());
  EXPECT_FALSE(PathExists(state.AttemptDir("done")));
}

TEST(StateDir, AnAttemptIsWrittenDownWithoutWhatIsSecretOfIt) {
  const TempDir dir = *TempDir::Make();
  const auto state = StateDir::Open(dir.path());
  ASSERT_TRUE(state.ok());
  v1::Offer offer;
  offer.set_attempt_id("a");
  offer.mutable_registry()->set_authfile("hunter2");
  offer.add_secrets()->set_value("hunter2");
  offer.add_ssh_keys()->set_value("hunter2");
  ASSERT_TRUE((*state)->AddAttempt(offer).ok());
  EXPECT_THAT(ReadFile((*state)->AttemptDir("a") + "/offer.pb").value(),
              testing::Not(testing::HasSubstr("hunter2")));
}

TEST(StateDir, IdsThatWouldLeaveTheDirectoryAreRefused) {
  const auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  const auto state = StateDir::Open(dir->path());
  ASSERT_TRUE(state.ok());
  for (const char* id : {"", ".", "..", "../x", "a/b", ".hidden"}) {
    EXPECT_FALSE((*state)->Forget(id).ok()) << id;
    EXPECT_FALSE((*state)->KeepResult({id, "", 0}).ok()) << id;
  }
}

}  // namespace
}  // namespace manyarch::worker
