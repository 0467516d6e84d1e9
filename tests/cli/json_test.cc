#include "cli/render/json.h"

#include "gtest/gtest.h"
#include "manyarch/v1/farm.pb.h"
#include "nlohmann/json.hpp"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

TEST(Json, ListingsKeepTheFieldNamesAndAreNeverWithoutTheirList) {
  EXPECT_EQ(nlohmann::json::parse(ToJson(v1::ListJobsResponse())),
            nlohmann::json::parse(R"({"jobs": []})"));
  const auto job = nlohmann::json::parse(ToJson(FromText<v1::Job>(kRunningJob)));
  EXPECT_EQ(job["state"], "JOB_STATE_RUNNING");
  EXPECT_EQ(job["builds"][1]["attempts"][0]["worker_name"], "small");
}

TEST(Json, TheResultOfABuild) {
  EXPECT_EQ(nlohmann::json::parse(ResultJson(FromText<v1::Job>(kSucceededJob))),
            nlohmann::json::parse(R"({
    "job_id": "j1", "state": "succeeded", "digest": "sha256:11", "media_type": "list",
    "tags": [{"reference": "reg.example/app:1.0", "written": true, "note": ""},
             {"reference": "reg.example/app:old", "written": false,
              "note": "a later job has written it"}],
    "platforms": [
      {"platform": "linux/amd64", "state": "succeeded", "repository": "reg.example/app",
       "digest": "sha256:aa", "size": 7, "warnings": []},
      {"platform": "linux/arm/v7", "state": "succeeded", "repository": "reg.example/app",
       "digest": "sha256:bb", "size": 8, "warnings": ["the config says v8"]}]})"));
  const auto failed = nlohmann::json::parse(ResultJson(FromText<v1::Job>(kFailedJob)));
  EXPECT_EQ(failed["failure"], "linux/arm64 failed: no list was published");
  EXPECT_EQ(failed["platforms"][1]["failure"], "the step exited with code 2");
}

TEST(Json, BytesThatAreNoUtf8DoNoHarm) {
  auto job = FromText<v1::Job>(kFailedJob);
  job.mutable_failure()->set_message("bad \xff byte");
  EXPECT_FALSE(nlohmann::json::parse(ResultJson(job)).is_discarded());
}

TEST(Json, MetadataHasBuildxsKeys) {
  const auto json = nlohmann::json::parse(MetadataJson(FromText<v1::Job>(kSucceededJob)));
  EXPECT_EQ(json["containerimage.digest"], "sha256:11");
  EXPECT_EQ(json["containerimage.descriptor"]["size"], 5);
  EXPECT_EQ(json["image.name"], "reg.example/app:1.0,reg.example/app:old");
}

TEST(Json, MetadataTellsWhatEachPlatformTook) {
  const auto json = nlohmann::json::parse(MetadataJson(FromText<v1::Job>(R"(
    id: "j1" state: JOB_STATE_SUCCEEDED status_reason: "published without linux/riscv64"
    submitted_at { seconds: 100 }
    builds { platform { os: "linux" arch: "amd64" } state: BUILD_STATE_SUCCEEDED
             image { digest: "sha256:aa" }
             attempts { number: 1 worker_name: "small" state: ATTEMPT_STATE_LOST
                        offered_at { seconds: 101 } finished_at { seconds: 110 } }
             attempts { number: 2 worker_name: "big" emulated: true state: ATTEMPT_STATE_SUCCEEDED
                        offered_at { seconds: 111 } accepted_at { seconds: 112 }
                        building_at { seconds: 114 } pushing_at { seconds: 134 }
                        pushed_at { seconds: 137 } finished_at { seconds: 138 } } }
    builds { platform { os: "linux" arch: "arm64" } state: BUILD_STATE_SUCCEEDED
             image { digest: "sha256:bb" } reused_from: "j0" }
    builds { platform { os: "linux" arch: "riscv64" } state: BUILD_STATE_FAILED optional: true
             failure { message: "no worker" } })")));
  EXPECT_EQ(json["manyarch.note"], "published without linux/riscv64");
  EXPECT_EQ(json["manyarch.platforms"], nlohmann::json::parse(R"([
    {"platform": "linux/amd64", "state": "succeeded", "optional": false, "digest": "sha256:aa",
     "attempts": 2, "worker": "big", "mode": "emulated", "queue_seconds": 2.0,
     "build_seconds": 22.0, "push_seconds": 3.0, "warnings": []},
    {"platform": "linux/arm64", "state": "succeeded", "optional": false, "digest": "sha256:bb",
     "attempts": 0, "reused_from": "j0", "warnings": []},
    {"platform": "linux/riscv64", "state": "failed", "optional": true, "digest": "",
     "attempts": 0, "failure": "no worker", "warnings": []}])"));
}

}  // namespace
}  // namespace manyarch::cli
