#include "worker/platform_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace manyarch::worker {
namespace {

v1::WorkerDescription Offering(const std::string& arch) {
  v1::WorkerDescription description;
  description.add_platforms()->mutable_platform()->set_arch(arch);
  return description;
}

// A machine whose platform the test sets.
class PlatformWatchTest : public testing::Test {
 protected:
  PlatformWatch::Ports Ports() {
    return {.look = [this]() -> absl::StatusOr<v1::WorkerDescription> {
              absl::MutexLock lock(&mutex_);
              ++looks_;
              if (arch_.empty()) return absl::InternalError("no scratch directory");
              return Offering(arch_);
            },
            .tell =
                [this](const v1::WorkerDescription& description) {
                  absl::MutexLock lock(&mutex_);
                  told_.push_back(description.platforms(0).platform().arch());
                }};
  }
  void SetArch(const std::string& arch) {
    absl::MutexLock lock(&mutex_);
    arch_ = arch;
  }
  // Two more looks: what the first found was told before the second began.
  void AwaitLooks(PlatformWatch& watch) {
    for (int i = 0; i < 2; ++i) {
      int wanted = 0;
      {
        absl::MutexLock lock(&mutex_);
        wanted = looks_ + 1;
      }
      watch.LookNow();
      absl::MutexLock lock(&mutex_);
      const auto looked = [&] { return looks_ >= wanted; };
      ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&looked), absl::Minutes(1)));
    }
  }
  std::vector<std::string> told() {
    absl::MutexLock lock(&mutex_);
    return told_;
  }

  absl::Mutex mutex_;
  std::string arch_ = "amd64";
  int looks_ = 0;
  std::vector<std::string> told_;
};

TEST_F(PlatformWatchTest, TellsWhatIsNewOnceAndNothingElse) {
  PlatformWatch watch(Ports(), Offering("amd64"));
  AwaitLooks(watch);
  EXPECT_TRUE(told().empty());
  SetArch("riscv64");
  AwaitLooks(watch);
  AwaitLooks(watch);
  EXPECT_EQ(told(), std::vector<std::string>{"riscv64"});
}

TEST_F(PlatformWatchTest, ALookThatFailsChangesNothing) {
  PlatformWatch watch(Ports(), Offering("amd64"));
  SetArch("");
  AwaitLooks(watch);
  SetArch("amd64");
  AwaitLooks(watch);
  EXPECT_TRUE(told().empty());
}

TEST_F(PlatformWatchTest, LooksByItselfAtTheInterval) {
  SetArch("s390x");
  PlatformWatch watch(Ports(), Offering("amd64"), absl::Milliseconds(1));
  absl::MutexLock lock(&mutex_);
  const auto told = [&] { return !told_.empty(); };
  EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&told), absl::Minutes(1)));
}

}  // namespace
}  // namespace manyarch::worker
