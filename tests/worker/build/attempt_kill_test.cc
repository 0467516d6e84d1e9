// Attempts that are stopped: by their token, by their timeout, by a kill -9 of the worker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "common/base/platform.h"
#include "common/os/subprocess.h"
#include "tests/worker/build/attempt_rig.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

class KillTest : public ::testing::TestWithParam<IsolationChoice> {
 protected:
  void SetUp() override {
    if (const std::string why = rig_.Start(GetParam()); !why.empty()) GTEST_SKIP() << why;
    utsname host = {};
    uname(&host);
    const auto program = ReadFile(STUBBORN_PROGRAM);
    ASSERT_TRUE(program.ok()) << program.status();
    const Digest context = rig_.Context({{"Containerfile",
                                          "FROM scratch\nCOPY program /\n"
                                          "RUN --mount=type=secret,id=token [\"/program\"]\n"},
                                         {"program", *program}});
    offer_ = rig_.Offer(context, NormalPlatform("linux", host.machine, "").arch);
    offer_.mutable_registry()->set_authfile("{\"auths\":{}}");
    offer_.mutable_options()->add_secret_ids("token");
    v1::Secret& token = *offer_.add_secrets();
    token.set_id("token");
    token.set_value(kSecretOfTests);
  }
  void TearDown() override {
    if (rig_.runner == nullptr) return;  // Skipped.
    EXPECT_EQ(rig_.Leftovers(), "");
  }

  bool Running() const { return absl::StrContains(rig_.seen.output, "waiting for ever\n"); }

  AttemptRig rig_;
  v1::Offer offer_;
};

TEST_P(KillTest, StoppedInARunItIsCancelledAndNothingIsLeft) {
  absl::Time stopped;
  rig_.seen.on_output = [&] {
    if (!Running() || rig_.stop.stopped()) return;
    stopped = absl::Now();
    rig_.stop.Stop("no longer wanted");
  };
  const v1::Finished result = rig_.Run(offer_);
  EXPECT_TRUE(result.has_cancelled()) << result.DebugString();
  // It takes about a second; this bound only tells it from waiting for the program to end.
  EXPECT_LT(absl::Now() - stopped, absl::Seconds(30));
}

TEST_P(KillTest, StoppedBeforeItBeginsItIsCancelled) {
  rig_.stop.Stop("no longer wanted");
  EXPECT_TRUE(rig_.Run(offer_).has_cancelled());
}

TEST_P(KillTest, TooSlowIsATimeout) {
  offer_.mutable_timeout()->set_seconds(3);
  const v1::Finished result = rig_.Run(offer_);
  ASSERT_TRUE(result.has_failure());
  EXPECT_EQ(result.failure().class_(), v1::FAILURE_CLASS_TIMEOUT);
  EXPECT_THAT(result.failure().message(), HasSubstr("after 3s"));
}

TEST_P(KillTest, AKilledWorkerLeavesNoProcessAndTheNextOneCleansUpTheRest) {
  const AttemptContext attempt = rig_.Prepare(offer_);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const pid_t worker = fork();
  if (worker == 0) {
    close(fds[0]);
    rig_.seen.on_output = [&] {
      if (Running()) static_cast<void>(!write(fds[1], "x", 1));
    };
    rig_.runner->Run(attempt, rig_.seen, rig_.stop);
    _exit(0);
  }
  close(fds[1]);
  char byte = 0;
  EXPECT_EQ(read(fds[0], &byte, 1), 1) << "the attempt ended by itself";
  close(fds[0]);
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);

  // No process: the kernel needs a moment.
  const std::string find =
      "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null; done | grep -F -- \"$1\" | "
      "grep -v grep; true";
  const absl::Time end = absl::Now() + absl::Seconds(30);
  const auto processes = [&] {
    return RunChecked({.argv = {"/bin/sh", "-c", find, "sh", "--root=" + rig_.dir.path()}}).value();
  };
  while (absl::Now() < end && absl::StrContains(processes(), "buildah")) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_THAT(processes(), ::testing::Not(HasSubstr("buildah --root")));

  AttemptRunner::Options options;
  options.state_dir = rig_.dir.path() + "/state";
  options.buildah = rig_.buildah;
  auto next = *AttemptRunner::Create(options, rig_.contexts.get());
  EXPECT_NE(rig_.Leftovers(), "");
  const absl::Status cleaned = next->CleanUpAll(rig_.dir.path() + "/attempts");
  EXPECT_TRUE(cleaned.ok()) << cleaned;
  EXPECT_EQ(rig_.Leftovers(), "");
}

INSTANTIATE_TEST_SUITE_P(Isolations, KillTest,
                         ::testing::Values(IsolationChoice::kAuto, IsolationChoice::kChroot),
                         [](const auto& test) {
                           return test.param == IsolationChoice::kAuto ? "auto" : "chroot";
                         });

}  // namespace
}  // namespace manyarch::worker
