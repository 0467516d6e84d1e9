// Completion of command lines: what is offered, and that the shells offer it.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_farm.h"
#include "tests/cli/mute_listener.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

std::string Output(std::vector<std::string> argv, const std::string& home = "/nonexistent") {
  Command command;
  command.argv = std::move(argv);
  command.env = std::vector<std::string>{"PATH=/usr/bin:/bin", "HOME=" + home, "TERM=dumb"};
  // No farm unless a test has one.
  const char* controller = getenv("MANYARCH_CONTROLLER");
  command.env->push_back(
      absl::StrCat("MANYARCH_CONTROLLER=", controller != nullptr ? controller : "127.0.0.1:1"));
  const auto result = RunCommand(command);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit.code, 0) << result->err;
  return result->out;
}

// The words offered, without their help.
std::vector<std::string> Offered(std::vector<std::string> words) {
  words.insert(words.begin(), {MANYARCH_BINARY, "__complete", "--"});
  std::vector<std::string> out = Lines(Output(std::move(words)));
  for (std::string& line : out) line = line.substr(0, line.find('\t'));
  return out;
}

TEST(Completion, OffersCommandsWithTheirHelp) {
  EXPECT_THAT(Offered({"im"}), ElementsAre("image"));
  EXPECT_THAT(Offered({"image", ""}), ElementsAre("inspect", "create", "append"));
  EXPECT_THAT(Offered({""}), AllOf(Contains("build"), Contains("workers"), Contains("farms"),
                                   Not(Contains("__complete"))));
  EXPECT_THAT(Output({MANYARCH_BINARY, "__complete", "--", "canc"}), HasSubstr("cancel\t"));
}

TEST(Completion, OffersFlagsAndTheirValues) {
  EXPECT_THAT(Offered({"build", "--platf"}), ElementsAre("--platform", "--platforms"));
  // Flags that are only there to be refused are not offered.
  EXPECT_THAT(Offered({"build", "--loa"}), IsEmpty());
  EXPECT_THAT(Offered({"jobs", "--format", ""}), UnorderedElementsAre("json", "table"));
  EXPECT_THAT(Offered({"jobs", "--format=j"}), ElementsAre("--format=json"));
  EXPECT_THAT(Offered({"jobs", "--state", "failed,su"}),
              ElementsAre("failed,succeeded", "failed,superseded"));
  EXPECT_THAT(Offered({"build", "--platform", "linux/amd64,linux/arm6"}),
              ElementsAre("linux/amd64,linux/arm64"));
  EXPECT_THAT(Offered({"completion", "z"}), ElementsAre("zsh"));
}

TEST(Completion, ASubcommandIsOnlyOneBeforeOtherWords) {
  // A value that happens to be called as a command is none.
  EXPECT_THAT(Offered({"build", "--target", "image", "--no-c"}), ElementsAre("--no-cache"));
  EXPECT_THAT(Offered({"show", "j1", ""}), IsEmpty());
}

TEST(Completion, OffersFilesWhereFilesAreMeant) {
  EXPECT_THAT(Offered({"build", "--file", ""}), ElementsAre(":files"));
  EXPECT_THAT(Offered({"build", ""}), ElementsAre(":directories"));
  EXPECT_THAT(Offered({"build", "--pull", ""}), ElementsAre(":directories"));
}

class Shell : public ::testing::Test {
 protected:
  // The program under the name that people type.
  void SetUp() override {
    scratch_.Dir("bin");
    scratch_.Link("bin/manyarch", MANYARCH_BINARY);
    scratch_.Dir("here/some-context");
    scratch_.File("here/some-file", "");
  }
  std::string In(const std::string& shell, const std::string& script) {
    if (access(("/usr/bin/" + shell).c_str(), X_OK) != 0) return "not installed";
    return Output({"/usr/bin/" + shell, "-c",
                   absl::StrCat(shell == "fish" ? "set -x PATH " : "PATH=", scratch_.At("bin"),
                                shell == "fish" ? " $PATH; cd " : ":$PATH; cd ",
                                scratch_.At("here"), "; ", script)},
                  scratch_.path());
  }
  const Scratch scratch_;
};

TEST_F(Shell, Bash) {
  const auto offered = [&](const std::string& words, int at) {
    return Lines(
        In("bash", absl::StrCat("source <(manyarch completion bash); compopt() { :; }; "
                                "COMP_WORDS=(",
                                words, "); COMP_CWORD=", at,
                                "; _manyarch manyarch; printf '%s\\n' \"${COMPREPLY[@]}\"")));
  };
  EXPECT_THAT(offered("manyarch image ''", 2), ElementsAre("inspect", "create", "append"));
  // As bash splits "--format=j": only what stands after the '=' is put in.
  EXPECT_THAT(offered("manyarch jobs --format = j", 4), ElementsAre("json"));
  EXPECT_THAT(offered("manyarch jobs --format =", 3), UnorderedElementsAre("json", "table"));
  EXPECT_THAT(offered("manyarch build -t host : 5000/x : 1 --no-c", 8), ElementsAre("--no-cache"));
  EXPECT_THAT(offered("manyarch build --file some", 3), Contains("some-file"));
  EXPECT_THAT(offered("manyarch build some", 2), ElementsAre("some-context"));
  // It is the completion of the command.
  EXPECT_THAT(In("bash", "source <(manyarch completion bash); complete -p manyarch"),
              HasSubstr("_manyarch manyarch"));
}

// A farm with a job that runs, one that has failed, and two workers.
class FarmNames : public Shell {
 protected:
  void SetUp() override {
    Shell::SetUp();
    farm_.list_jobs = [](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
      for (const v1::JobState state : {v1::JOB_STATE_RUNNING, v1::JOB_STATE_FAILED}) {
        const auto& asked = request.states();
        if (!asked.empty() && std::find(asked.begin(), asked.end(), state) == asked.end()) continue;
        v1::Job& job = *response->add_jobs();
        job.set_id(state == v1::JOB_STATE_RUNNING ? "jruns" : "jfailed");
        job.set_state(state);
        job.mutable_spec()->add_tags("r.example/app:1\nx");
      }
      return grpc::Status::OK;
    };
    farm_.list_workers = [](v1::ListWorkersResponse* response) {
      for (const char* name : {"anvil", "bellows"}) {
        v1::WorkerDescription& worker = *response->add_workers()->mutable_description();
        worker.set_name(name);
        v1::OfferedPlatform& offered = *worker.add_platforms();
        offered.mutable_platform()->set_os("linux");
        offered.mutable_platform()->set_arch(name[0] == 'a' ? "loong64" : "arm64");
        offered.set_emulated(name[0] == 'a');
      }
      return grpc::Status::OK;
    };
    farm_.Start();
    setenv("MANYARCH_CONTROLLER", farm_.address().c_str(), 1);
  }
  void TearDown() override { unsetenv("MANYARCH_CONTROLLER"); }

  FakeFarm farm_;
};

TEST_F(FarmNames, JobsAreThoseThatTheCommandIsFor) {
  EXPECT_THAT(Offered({"show", ""}), ElementsAre("jruns", "jfailed"));
  EXPECT_THAT(Offered({"show", "jf"}), ElementsAre("jfailed"));
  EXPECT_THAT(Offered({"logs", "-f", ""}), ElementsAre("jruns", "jfailed"));
  EXPECT_THAT(Offered({"cancel", ""}), ElementsAre("jruns"));
  EXPECT_THAT(Offered({"wait", "jx", ""}), ElementsAre("jruns"));
  EXPECT_THAT(Offered({"retry", "--failed", ""}), ElementsAre("jfailed"));
  EXPECT_THAT(Lines(Output({MANYARCH_BINARY, "__complete", "--", "why", ""})),
              ElementsAre("jruns\trunning  r.example/app:1x"));
}

TEST_F(FarmNames, WorkersPlatformsAndFarmsToo) {
  EXPECT_THAT(Offered({"workers", "cordon", ""}), ElementsAre("anvil", "bellows"));
  EXPECT_THAT(Offered({"workers", "show", "b"}), ElementsAre("bellows"));
  EXPECT_THAT(Offered({"build", "--platform", "linux/amd64,linux/l"}),
              ElementsAre("linux/amd64,linux/loong64"));
  EXPECT_THAT(Output({MANYARCH_BINARY, "__complete", "--", "build", "--platform=linux/arm64"}),
              HasSubstr("--platform=linux/arm64\tnative on bellows"));
  scratch_.File(".config/manyarch/config.json",
                R"({"farms": {"lab": {"controller": "lab:7460"}}})");
  EXPECT_EQ(Output({MANYARCH_BINARY, "__complete", "--", "jobs", "--farm", ""}, scratch_.path()),
            "lab\tlab:7460\n");
}

TEST_F(FarmNames, WhatAShellWouldTakeForMoreThanAWordIsNotOffered) {
  farm_.list_workers = [](v1::ListWorkersResponse* response) {
    v1::WorkerDescription* worker = response->add_workers()->mutable_description();
    worker->set_name("x;reboot");
    worker->set_id("w-1");
    worker = response->add_workers()->mutable_description();
    worker->set_name("$(reboot)");
    worker->set_id("`reboot`");
    return grpc::Status::OK;
  };
  EXPECT_THAT(Offered({"workers", "drain", ""}), ElementsAre("w-1"));
}

TEST_F(FarmNames, InTheShells) {
  const auto bash = [&](const std::string& words, int at) {
    return Lines(
        In("bash", absl::StrCat("source <(manyarch completion bash); compopt() { :; }; "
                                "COMP_WORDS=(",
                                words, "); COMP_CWORD=", at,
                                "; _manyarch manyarch; compgen -W \"${COMPREPLY[*]}\" -- ''")));
  };
  EXPECT_THAT(bash("manyarch cancel ''", 2), ElementsAre("jruns"));
  EXPECT_THAT(bash("manyarch workers drain an", 3), ElementsAre("anvil"));
  EXPECT_THAT(bash("manyarch build --platform = linux/l", 4), ElementsAre("linux/loong64"));
  const std::string fish =
      In("fish", "manyarch completion fish | source; complete -C 'manyarch cancel '");
  EXPECT_THAT(fish, AnyOf("not installed", HasSubstr("jruns\trunning")));
  const std::string zsh =
      In("zsh",
         "compdef() { :; }; source <(manyarch completion zsh); _describe() { print -l -- "
         "\"${(@P)2}\"; }; words=(manyarch cancel ''); CURRENT=3; _manyarch");
  EXPECT_THAT(zsh, AnyOf("not installed", HasSubstr("jruns:running")));
}

TEST_F(FarmNames, WhereNobodyAnswersItIsSilentAndQuick) {
  farm_.Stop();
  EXPECT_EQ(Output({MANYARCH_BINARY, "__complete", "--", "cancel", ""}), "");
  EXPECT_THAT(Offered({"build", "--platform", "linux/s"}), ElementsAre("linux/s390x"));
  // The flag on the line is followed, the variable is not.
  EXPECT_EQ(Output({MANYARCH_BINARY, "__complete", "--", "cancel", "--farm", "nowhere", ""}), "");
}

TEST_F(FarmNames, AControllerThatListensAndSaysNothingIsNotWaitedForLong) {
  const MuteListener mute;
  const absl::Time start = absl::Now();
  EXPECT_EQ(
      Output({MANYARCH_BINARY, "__complete", "--", "cancel", "--controller", mute.address(), ""}),
      "");
  // It takes about a second; this bound only tells it from a call's usual 30.
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST_F(Shell, Fish) {
  const auto offered = [&](const std::string& line) {
    return In("fish", "manyarch completion fish | source; complete -C '" + line + "'");
  };
  const std::string commands = offered("manyarch image ");
  if (commands == "not installed") GTEST_SKIP() << "fish is not installed";
  EXPECT_THAT(commands, AllOf(HasSubstr("inspect\tShow"), HasSubstr("append\t")));
  EXPECT_THAT(Lines(offered("manyarch jobs --format=j")), ElementsAre("--format=json"));
  EXPECT_THAT(offered("manyarch build --file some"), HasSubstr("some-file"));
}

TEST_F(Shell, Zsh) {
  const auto offered = [&](const std::string& words, int current) {
    return In("zsh", absl::StrCat("compdef() { :; }; source <(manyarch completion zsh); "
                                  "_describe() { print -l -- \"${(@P)2}\"; }; "
                                  "_files() { print -r -- files \"$@\"; }; words=(",
                                  words, "); CURRENT=", current, "; _manyarch"));
  };
  const std::string commands = offered("manyarch image ''", 3);
  if (commands == "not installed") GTEST_SKIP() << "zsh is not installed";
  EXPECT_THAT(commands, HasSubstr("inspect:Show the list"));
  EXPECT_THAT(Lines(offered("manyarch jobs --format=j", 3)), ElementsAre("--format=json"));
  EXPECT_THAT(Lines(offered("manyarch build ''", 3)), ElementsAre("files -/"));
}

}  // namespace
}  // namespace manyarch::cli
