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
  std::vector<std::string> told() {
    absl::MutexLock lock(&mutex_);
    return told_;
  }

  absl::Mutex mutex_;
  std::string arch_ = "amd64";
  std::vector<std::string> told_;
};

TEST_F(PlatformWatchTest, TellsWhatIsNewOnceAndNothingElse) {
  PlatformWatch watch(Ports(), Offering("amd64"));
  watch.LookNowAndWait();
  EXPECT_TRUE(told().empty());
  SetArch("riscv64");
  watch.LookNowAndWait();
  watch.LookNowAndWait();
  EXPECT_EQ(told(), std::vector<std::string>{"riscv64"});
}

TEST_F(PlatformWatchTest, ALookThatFailsChangesNothing) {
  PlatformWatch watch(Ports(), Offering("amd64"));
  SetArch("");
  watch.LookNowAndWait();
  SetArch("amd64");
  watch.LookNowAndWait();
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
