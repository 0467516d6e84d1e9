// What the queue keeps of builds and projects that are gone.
#include "controller/core/queue.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace manyarch::controller::core {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1000);

WaitingBuild BuildOf(int64_t job, const std::string& project) {
  WaitingBuild build;
  build.key = {job, 0};
  build.project = project;
  build.submitted = kNow;
  return build;
}

TEST(WaitingQueue, LanesThatHaveBecomeEmptyAreDropped) {
  WaitingQueue queue{{}};
  for (int64_t j = 1; j <= 100; ++j) {
    Need need;
    need.memory_bytes = j;
    queue.Insert(need, BuildOf(j, "p"));
    if (j > 1) queue.Erase({j, 0});
  }
  queue.DropEmptyLanes();
  EXPECT_EQ(queue.lanes().size(), 1U);
  EXPECT_NE(queue.Find({1, 0}), nullptr);
}

TEST(WaitingQueue, ProjectsThatHaveNothingAndHaveHadNothingLatelyAreDropped) {
  WaitingQueue queue{{}};
  queue.Insert({}, BuildOf(1, "waits"));
  queue.Started("runs", {1, 0}, 10, kNow);
  queue.Started("had", {1, 0}, 3600, kNow);
  queue.Ended("had", {1, 0}, 0, kNow);
  for (int64_t j = 2; j <= 1000; ++j) {
    const std::string project = absl::StrCat("p", j);
    queue.Insert({}, BuildOf(j, project));
    queue.Started(project, {1, 0}, 0, kNow);
    queue.Ended(project, {1, 0}, 0, kNow);
    queue.Erase({j, 0});
  }
  EXPECT_LE(queue.projects(), 64U);
  EXPECT_GT(queue.TurnOf(BuildOf(1, "had"), kNow).share, 0);
  EXPECT_NE(queue.Find({1, 0}), nullptr);
}

}  // namespace
}  // namespace manyarch::controller::core
