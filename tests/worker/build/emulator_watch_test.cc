#include "worker/build/emulator_watch.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "absl/strings/str_cat.h"

namespace manyarch::worker {
namespace {

// What /proc says of qemu-user 7.2 as the first process of a container, its program having crashed.
std::string Status(absl::string_view state, absl::string_view pids, absl::string_view blocked) {
  return absl::StrCat("Name:\taarch64-binfmt-\nState:\t", state, "\nTgid:\t32279\nNSpid:\t", pids,
                      "\nThreads:\t2\nSigPnd:\t0000000000000000\nSigBlk:\t", blocked,
                      "\nSigIgn:\t0000000000000000\nSigCgt:\tffffffff7780faff\n");
}

TEST(AwaitedCrash, IsTheOneSignalThatAFirstProcessHasNotBlocked) {
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "32279\t88\t1", "fffffffe7ffbfaff")), SIGSEGV);
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "32279\t1", "fffffffe7ffbfedf")), SIGABRT);
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "32279\t1", "fffffffe7ffbfef7")), SIGILL);
}

TEST(AwaitedCrash, IsNoneForEverythingElse) {
  // Not the first of its namespace, or of none but the first namespace.
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "32279\t88\t2", "fffffffe7ffbfaff")), 0);
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "1", "fffffffe7ffbfaff")), 0);
  EXPECT_EQ(AwaitedCrash(Status("R (running)", "32279\t1", "fffffffe7ffbfaff")), 0);
  // Waiting for a child, for nothing at all, for an administrator.
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "32279\t1", "0000000000000000")), 0);
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "32279\t1", "fffffffe7ffbfeff")), 0);
  EXPECT_EQ(AwaitedCrash(Status("S (sleeping)", "32279\t1", "fffffffe7ffbbeff")), 0);
  EXPECT_EQ(AwaitedCrash("Name:\tx\n"), 0);
  EXPECT_EQ(AwaitedCrash(""), 0);
}

}  // namespace
}  // namespace manyarch::worker
