#include "common/os/signals.h"

#include <gtest/gtest.h>
#include <sys/types.h>
#include <unistd.h>

#include <thread>

#include "common/os/stop_token.h"

namespace manyarch {
namespace {

TEST(SignalWaiter, TakesABlockedSignalAndTimesOutWithoutOne) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  BlockSignals();
  SignalWaiter waiter;
  EXPECT_EQ(waiter.WaitFor(absl::ZeroDuration()), std::nullopt);
  pthread_kill(pthread_self(), SIGHUP);
  EXPECT_EQ(waiter.WaitFor(absl::Seconds(30)), SIGHUP);
  pthread_kill(pthread_self(), SIGTERM);
  EXPECT_EQ(waiter.Wait(), SIGTERM);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(StopToken, WakesWaitersOnceAndKeepsTheFirstReason) {
  StopToken token;
  EXPECT_FALSE(token.WaitFor(absl::ZeroDuration()));
  std::thread other([&] { token.Stop("first"); });
  EXPECT_TRUE(token.WaitFor(absl::InfiniteDuration()));
  other.join();
  token.Stop("second");
  EXPECT_TRUE(token.stopped());
  EXPECT_EQ(token.reason(), "first");
}

}  // namespace
}  // namespace manyarch
