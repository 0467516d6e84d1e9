#include "worker/link/log_spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/os/files.h"

namespace manyarch::worker::link {
namespace {

using testing::HasSubstr;

class LogSpoolTest : public testing::Test {
 protected:
  LogSpoolTest() : dir_(*TempDir::Make("log-spool-")) {}
  std::shared_ptr<LogSpool> Open(int64_t limit = LogSpool::kDefaultLimit) {
    return *LogSpool::Open(dir_.path() + "/log", limit);
  }
  TempDir dir_;
};

TEST_F(LogSpoolTest, ReadsBackWhatWasAppendedFromAnyOffset) {
  const auto spool = Open();
  spool->Append("hello ");
  spool->Append("world");
  EXPECT_EQ(spool->size(), 11);
  EXPECT_EQ(*spool->ReadAt(0, 100), "hello world");
  EXPECT_EQ(*spool->ReadAt(6, 3), "wor");
  EXPECT_EQ(*spool->ReadAt(11, 3), "");
  EXPECT_EQ(*spool->ReadAt(50, 3), "");
}

TEST_F(LogSpoolTest, SurvivesARestart) {
  Open()->Append("before");
  const auto spool = Open();
  EXPECT_EQ(spool->size(), 6);
  spool->Append(" and after");
  EXPECT_EQ(spool->Seal(), 16);
  EXPECT_EQ(*spool->ReadAt(0, 100), "before and after");
}

TEST_F(LogSpoolTest, OffsetsStayWhenAcknowledgedBytesAreGivenBack) {
  const auto spool = Open();
  spool->Append(std::string(100'000, 'a') + "tail");
  spool->Acked(100'000);
  EXPECT_EQ(spool->size(), 100'004);
  EXPECT_EQ(*spool->ReadAt(100'000, 10), "tail");
}

TEST_F(LogSpoolTest, AnOverflowLeavesAMarkThatCountsWhatIsMissing) {
  const auto spool = Open(10);
  spool->Append("0123456789abc");  // Three too many.
  spool->Append("defgh");          // All five.
  EXPECT_EQ(spool->size(), 10);
  spool->Acked(10);
  spool->Append("X");
  const std::string log = *spool->ReadAt(0, 1000);
  EXPECT_THAT(log.substr(10), HasSubstr("8 bytes of output are missing here"));
  // The mark itself fills this tiny spool again: the X is counted, and the end says so.
  spool->Acked(spool->size());
  const int64_t size = spool->Seal();
  EXPECT_THAT(*spool->ReadAt(0, 1000), HasSubstr("1 bytes of output are missing here"));
  EXPECT_EQ(size, spool->size());
}

TEST_F(LogSpoolTest, SpaceThatComesBackIsUsedAgain) {
  const auto spool = Open(1000);
  spool->Append(std::string(1500, 'a'));
  spool->Acked(1000);
  spool->Append("after\n");
  const std::string log = *spool->ReadAt(1000, 1000);
  EXPECT_THAT(log, HasSubstr("500 bytes of output are missing here"));
  EXPECT_THAT(log, testing::EndsWith("after\n"));
}

}  // namespace
}  // namespace manyarch::worker::link
