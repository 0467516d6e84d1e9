#include "cli/render/raw_json.h"

#include <cstdio>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

// What was written, one object a line, without the times.
class RawJsonTest : public ::testing::Test {
 protected:
  ~RawJsonTest() override {
    std::fclose(out_);
    free(bytes_);
  }
  std::vector<nlohmann::json> Written() {
    std::fflush(out_);
    std::vector<nlohmann::json> objects;
    const std::string text(bytes_ + read_, size_ - read_);
    read_ = size_;
    size_t at = 0;
    for (size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      objects.push_back(nlohmann::json::parse(text.substr(at, end - at)));
      EXPECT_TRUE(objects.back().contains("time"));
      objects.back().erase("time");
    }
    EXPECT_EQ(at, text.size()) << "the last line has its end";
    return objects;
  }

  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t read_ = 0;
  std::FILE* const out_ = open_memstream(&bytes_, &size_);
  RawJsonProgress progress_{out_};
};

TEST_F(RawJsonTest, OnlyWhatHasChangedIsWritten) {
  auto job = FromText<v1::Job>(kRunningJob);
  progress_.OnJob(job);
  EXPECT_EQ(Written().size(), 6u) << "three attempts, two builds, the job";
  progress_.OnJob(job);
  EXPECT_EQ(Written().size(), 0u);
  job.mutable_builds(1)->mutable_attempts(1)->set_state(v1::ATTEMPT_STATE_PUSHING);
  job.mutable_builds(1)->add_warnings("not what was asked for");
  progress_.OnJob(job);
  EXPECT_EQ(nlohmann::json(Written()), nlohmann::json::parse(R"([
    {"type": "attempt", "attempt_id": "j1-arm64-2", "platform": "linux/arm64", "number": 2,
     "worker": "big", "mode": "emulated", "state": "pushing"},
    {"type": "warning", "platform": "linux/arm64", "message": "not what was asked for"}])"));
}

TEST_F(RawJsonTest, AFailureHasItsClassItsStepAndItsMessage) {
  progress_.OnJob(FromText<v1::Job>(kFailedJob));
  const auto objects = Written();
  EXPECT_EQ(objects.back()["type"], "job");
  EXPECT_EQ(objects.back()["state"], "failed");
  EXPECT_EQ(objects[2]["failure"], nlohmann::json::parse(R"({"class": "user",
    "message": "the step exited with code 2", "exit_code": 2, "step": "STEP 3/4: RUN make"})"));
}

TEST_F(RawJsonTest, LinesAreWrittenAsTheyAreAndAnyBytesDoNoHarm) {
  progress_.OnLogLine({"j1-amd64-1", "linux/amd64", "big"}, "a\tb \x1b[1m \"quoted\"");
  progress_.OnLogLine({"j1-amd64-1", "linux/amd64", "big"}, "bad \xff byte");
  progress_.OnNotice("cancelling");
  const auto objects = Written();
  ASSERT_EQ(objects.size(), 3u);
  EXPECT_EQ(objects[0]["line"], "a\tb \x1b[1m \"quoted\"");
  EXPECT_EQ(objects[2], nlohmann::json::parse(R"({"type": "notice", "message": "cancelling"})"));
}

}  // namespace
}  // namespace manyarch::cli
