// manyarch-controller check finds what is broken on disk.
#include "controller/check.h"

#include <filesystem>
#include <sstream>

#include "SQLiteCpp/SQLiteCpp.h"
#include "gmock/gmock.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {
namespace {

using ::testing::HasSubstr;

class CheckTest : public ControllerTest {
 protected:
  // A live job, and a controller that is gone.
  void LeaveALiveJob() {
    v1::SubmitResponse response;
    ASSERT_TRUE(Submit(RequestFor("app", "v1", "check-key-1"), &response).ok());
    job_ = response.job().id();
    controller_.reset();
  }
  absl::Status Check() {
    report_.str("");
    return CheckStateDir(dir_.path() + "/state", report_);
  }
  std::string job_;
  std::ostringstream report_;
};

TEST_F(CheckTest, AWholeStateDirectoryIsWhole) {
  LeaveALiveJob();
  EXPECT_TRUE(Check().ok()) << report_.str();
  EXPECT_THAT(report_.str(), HasSubstr("1 jobs (1 live)"));
  EXPECT_THAT(report_.str(), HasSubstr("everything is whole"));
}

TEST_F(CheckTest, ARunningControllerIsNotDisturbed) {
  EXPECT_EQ(Check().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(CheckTest, FaultsAreNamed) {
  LeaveALiveJob();
  const std::string state = dir_.path() + "/state";
  SQLite::Database(state + "/farm.db", SQLite::OPEN_READWRITE)
      .exec("INSERT INTO tags VALUES ('reg/app:v9', 77, 'nobody')");
  // Any blob will do.
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(state + "/content/sha256")) {
    if (entry.is_regular_file()) {
      ASSERT_TRUE(WriteFileAtomic(entry.path().string(), "other bytes").ok());
    }
  }
  EXPECT_EQ(Check().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(report_.str(), HasSubstr("tag reg/app:v9"));
  EXPECT_THAT(report_.str(), HasSubstr("does not have its digest"));
}

TEST_F(CheckTest, AMissingContextOfALiveJobIsNamed) {
  LeaveALiveJob();
  std::filesystem::remove_all(dir_.path() + "/state/content/sha256");
  EXPECT_EQ(Check().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(report_.str(), HasSubstr("job " + job_));
}

TEST_F(CheckTest, ADirectoryThatIsNoneIsASentence) {
  EXPECT_THAT(CheckStateDir(dir_.path() + "/nothing", report_).message(),
              HasSubstr("there is no controller's state"));
}

}  // namespace
}  // namespace manyarch::controller
