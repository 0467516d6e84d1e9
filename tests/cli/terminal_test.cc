// The program on a real terminal: what is drawn, what stays on the screen, and what Ctrl-C does.
#include "tests/cli/terminal.h"

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_farm.h"
#include "tests/cli/sample_job.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// A farm with one job that runs until `end` is notified, and then is `last`.
class TerminalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    farm_.get_job = [](const v1::GetJobRequest&, v1::GetJobResponse* response) {
      *response->mutable_job() = FromText<v1::Job>(kRunningJob);
      return grpc::Status::OK;
    };
    farm_.submit = [](const v1::SubmitRequest&, v1::SubmitResponse* response) {
      *response->mutable_job() = FromText<v1::Job>(kRunningJob);
      return grpc::Status::OK;
    };
    farm_.find_missing = [](const v1::FindMissingRequest&, v1::FindMissingResponse*) {
      return grpc::Status::OK;
    };
    farm_.watch = [this](const v1::WatchJobRequest&, FakeFarm::Watch* writer) {
      v1::WatchJobResponse response;
      *response.mutable_job() = FromText<v1::Job>(kRunningJob);
      writer->Write(response);
      end_.WaitForNotification();
      *response.mutable_job() = FromText<v1::Job>(last_);
      writer->Write(response);
      return grpc::Status::OK;
    };
    farm_.read_log = [this](const v1::ReadLogRequest& request, FakeFarm::Log* writer,
                            grpc::ServerContext* context) {
      if (request.attempt_id() != "j1-arm64-2") return grpc::Status::OK;
      v1::ReadLogResponse piece;
      piece.set_data("STEP 2/4: RUN make\n" + std::string(150, 'x') + "\ta\ttab\n");
      writer->Write(piece);
      while (!end_.HasBeenNotified() && !context->IsCancelled()) {
        end_.WaitForNotificationWithTimeout(absl::Milliseconds(10));
      }
      return grpc::Status::OK;
    };
    farm_.Start();
    scratch_.File("Containerfile", "FROM scratch");
  }
  void TearDown() override {
    End();
    farm_.Stop();
  }
  void End() {
    if (!end_.HasBeenNotified()) end_.Notify();
  }

  std::vector<std::string> Env(const std::string& more = "A=b") const {
    return {"MANYARCH_CONTROLLER=" + farm_.address(), "PATH=/usr/bin:/bin", "TERM=xterm", more};
  }
  std::vector<std::string> Build(const std::string& more = "--no-cache") const {
    return {MANYARCH_BINARY,          "build", scratch_.path(), "-t", "r/x:1",
            "--platform=linux/amd64", more};
  }

  FakeFarm farm_;
  Scratch scratch_;
  absl::Notification end_;
  std::string last_ = kFailedJob;
};

const std::vector<std::string> kAttach = {MANYARCH_BINARY, "attach", "j1"};

// All that was drawn before the cursor was given back.
std::string Drawn(const std::string& written) {
  return written.substr(0, written.rfind("\x1b[?25h"));
}

TEST_F(TerminalTest, LanesNeverWrapAndAFailureEndsTheScreen) {
  for (const size_t width : {80, 40, 200}) {
    SCOPED_TRACE(width);
    OnTerminal terminal(kAttach, Env(), width, 24);
    ASSERT_TRUE(terminal.AwaitText("xxxx")) << terminal.written();
    Screen running(width);
    running.Write(terminal.written());
    EXPECT_THAT(running.Lines(), Contains(HasSubstr("building")));
    EXPECT_THAT(running.Lines(), Contains(HasSubstr("STEP 2/4")));
    EXPECT_EQ(running.wraps(), 0);
    EXPECT_TRUE(running.cursor_is_hidden());
    if (width == 200) End();
    if (width != 200) continue;
    EXPECT_EQ(terminal.AwaitExit(), 1);
    Screen drawn(width);
    drawn.Write(Drawn(terminal.written()));
    EXPECT_EQ(drawn.wraps(), 0);
    EXPECT_TRUE(drawn.has_colors());
    Screen last(width);
    last.Write(terminal.written());
    EXPECT_FALSE(last.cursor_is_hidden());
    const auto lines = last.Lines();
    ASSERT_GE(lines.size(), 6u);
    EXPECT_THAT(std::vector<std::string>(lines.end() - 6, lines.end()),
                ElementsAre("linux/arm64 failed on small (emulated)", "  step: STEP 3/4: RUN make",
                            "  | cc -o x", "  | x.c:1: error", "  the step exited with code 2",
                            "  The whole log: manyarch logs j1 --platform linux/arm64"));
  }
}

TEST_F(TerminalTest, TheHeadingTellsHowLongItTakesAndALaneWhenItStarts) {
  farm_.watch = [this](const v1::WatchJobRequest&, FakeFarm::Watch* writer) {
    v1::WatchJobResponse response;
    v1::Job& job = *response.mutable_job() = FromText<v1::Job>(kRunningJob);
    const int64_t now = absl::ToUnixSeconds(absl::Now());
    v1::Build& waits = *job.add_builds();
    waits.mutable_platform()->set_os("linux");
    waits.mutable_platform()->set_arch("s390x");
    waits.set_state(v1::BUILD_STATE_WAITING);
    waits.set_predicted_worker("w2");
    // Far enough away that a slow machine still shows the same hours.
    waits.mutable_predicted_start()->set_seconds(now + 3 * 3600 + 1800);
    job.mutable_predicted_finish()->set_seconds(now + 12 * 3600 + 1800);
    *job.mutable_gating() = waits.platform();
    writer->Write(response);
    end_.WaitForNotification();
    *response.mutable_job() = FromText<v1::Job>(last_);
    writer->Write(response);
    return grpc::Status::OK;
  };
  OnTerminal terminal(kAttach, Env(), 100, 24);
  ASSERT_TRUE(terminal.AwaitText("min on w2")) << terminal.written();
  Screen screen(100);
  screen.Write(terminal.written());
  EXPECT_THAT(screen.Lines(), Contains(HasSubstr("linux/s390x  waiting")));
  EXPECT_THAT(screen.Lines(), Contains(HasSubstr("starts in about 3 h ")));
  EXPECT_THAT(screen.Lines(),
              Contains(testing::ContainsRegex("about 12 h .* min left, linux/s390x decides")));
  End();
  EXPECT_EQ(terminal.AwaitExit(), 1);
  // What is over is not predicted any more.
  Screen last(100);
  last.Write(terminal.written());
  EXPECT_THAT(last.Lines(), testing::Not(Contains(HasSubstr("decides"))));
}

TEST_F(TerminalTest, AWindowThatBecomesNarrowerIsNotOverrun) {
  OnTerminal terminal(kAttach, Env(), 120, 24);
  ASSERT_TRUE(terminal.AwaitText("xxxx"));
  terminal.Resize(40, 24);
  const std::string cut = "    " + std::string(35, 'x') + "\x1b[0m";
  ASSERT_TRUE(terminal.AwaitText(cut)) << terminal.written();
  const std::string after = terminal.written().substr(terminal.written().find(cut));
  Screen narrow(40);
  narrow.Write(after);
  EXPECT_EQ(narrow.wraps(), 0);
}

TEST_F(TerminalTest, NoColorMeansNone) {
  OnTerminal terminal(kAttach, Env("NO_COLOR=1"), 80, 24);
  ASSERT_TRUE(terminal.AwaitText("xxxx"));
  End();
  EXPECT_EQ(terminal.AwaitExit(), 1);
  Screen screen(80);
  screen.Write(terminal.written());
  EXPECT_FALSE(screen.has_colors());
}

TEST_F(TerminalTest, CtrlCDetachesFromAJobThatIsAttachedTo) {
  OnTerminal terminal(kAttach, Env(), 80, 24);
  ASSERT_TRUE(terminal.AwaitText("building"));
  terminal.Type("\x03");
  EXPECT_EQ(terminal.AwaitExit(), 130);
  EXPECT_THAT(terminal.written(), HasSubstr("detached: job j1 goes on"));
  Screen screen(80);
  screen.Write(terminal.written());
  EXPECT_FALSE(screen.cursor_is_hidden());
}

TEST_F(TerminalTest, CtrlCDetachesFromABuildOnlyWhereThatWasAskedFor) {
  OnTerminal terminal(Build("--detach-on-interrupt"), Env(), 80, 24);
  ASSERT_TRUE(terminal.AwaitText("building"));
  terminal.Type("\x03");
  EXPECT_EQ(terminal.AwaitExit(), 130);
  EXPECT_THAT(terminal.written(), HasSubstr("`manyarch attach j1` shows it again"));
}

TEST_F(TerminalTest, TheFirstCtrlCCancelsABuild) {
  last_ = R"(id: "j1" state: JOB_STATE_CANCELLED failure { message: "interrupted with Ctrl-C" })";
  farm_.cancel = [this](const v1::CancelJobRequest& request, v1::CancelJobResponse*) {
    EXPECT_EQ(request.job_id(), "j1");
    End();
    return grpc::Status::OK;
  };
  OnTerminal terminal(Build(), Env(), 80, 24);
  ASSERT_TRUE(terminal.AwaitText("building")) << terminal.written();
  terminal.Type("\x03");
  EXPECT_EQ(terminal.AwaitExit(), 130);
  Screen screen(80);
  screen.Write(terminal.written());
  EXPECT_EQ(screen.Lines().back(), "job j1 was cancelled: interrupted with Ctrl-C");
  EXPECT_FALSE(screen.cursor_is_hidden());
}

TEST_F(TerminalTest, TheSecondCtrlCLeavesAtOnce) {
  farm_.cancel = [this](const v1::CancelJobRequest&, v1::CancelJobResponse*) {
    end_.WaitForNotification();
    return grpc::Status::OK;
  };
  OnTerminal terminal(Build(), Env(), 80, 24);
  ASSERT_TRUE(terminal.AwaitText("building"));
  terminal.Type("\x03");
  ASSERT_TRUE(terminal.AwaitText("press Ctrl-C again"));
  terminal.Type("\x03");
  EXPECT_EQ(terminal.AwaitExit(), 130);
  Screen screen(80);
  screen.Write(terminal.written());
  EXPECT_FALSE(screen.cursor_is_hidden());
}

TEST_F(TerminalTest, QuietPrintsTheDigestAndNothingElse) {
  last_ = kSucceededJob;
  End();
  OnTerminal terminal(Build("-q"), Env(), 80, 24);
  EXPECT_EQ(terminal.AwaitExit(), 0);
  EXPECT_EQ(terminal.written(), "sha256:11\r\n");
}

}  // namespace
}  // namespace manyarch::cli
