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

}  // namespace
}  // namespace manyarch::cli
