#include "controller/rpc/explanation.h"

#include <gtest/gtest.h>

#include "common/base/platform.h"
#include "controller/wire/convert.h"

namespace manyarch::controller::rpc {
namespace {

TEST(AddReasonsTest, TellsOfBuildsThatWaitWhyTheyDoNow) {
  v1::Job job;
  for (const char* platform : {"linux/amd64", "linux/arm64"}) {
    v1::Build& build = *job.add_builds();
    *build.mutable_platform() = wire::ToProto(*ParsePlatform(platform));
    build.set_state(v1::BUILD_STATE_WAITING);
    build.set_waiting_reason("waiting for a free slot: w1 (1 of 1 slot taken)");
  }
  job.mutable_builds(1)->set_state(v1::BUILD_STATE_RUNNING);
  job.mutable_builds(1)->clear_waiting_reason();
  core::BuildExplanation waits;
  waits.platform = *ParsePlatform("linux/amd64");
  waits.summary = "its project runs 1 build already, as many as it may";
  core::BuildExplanation runs;
  runs.platform = *ParsePlatform("linux/arm64");
  AddReasons({waits, runs}, job);
  EXPECT_EQ(job.builds(0).waiting_reason(), waits.summary);
  EXPECT_EQ(job.builds(1).waiting_reason(), "");
  AddReasons({}, job);
  EXPECT_EQ(job.builds(0).waiting_reason(), waits.summary);
}

}  // namespace
}  // namespace manyarch::controller::rpc
