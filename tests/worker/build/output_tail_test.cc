#include "worker/build/output_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace manyarch::worker {
namespace {

using ::testing::ElementsAre;

TEST(OutputTail, KnowsTheImagesThatCameFromTheCache) {
  const std::string one(64, '1');
  const std::string two(64, '2');
  OutputTail tail;
  tail.Add("STEP 2/3: COPY x /\n--> Using cache " + one + "\nSTEP 3/3: RUN y\n--> Using ca");
  tail.Add("che " + two + "\n--> Using cache of mine\n--> 0123456789ab\n");
  EXPECT_THAT(tail.cached_images(), ElementsAre(one, two));
}

TEST(OutputTail, KeepsLinesHoweverTheyArrive) {
  OutputTail tail;
  for (const char c : std::string("one\ntwo\r\n\nthr")) tail.Add(std::string(1, c));
  EXPECT_THAT(tail.LastLines(), ElementsAre("one", "two", "", "thr"));
  tail.Add("ee\n");
  EXPECT_EQ(tail.Text(), "one\ntwo\n\nthree");
}

TEST(OutputTail, KeepsTheLastFortyLinesAndEightKilobytes) {
  OutputTail tail;
  for (int i = 0; i < 100; ++i) tail.Add(absl::StrCat("line ", i, "\n"));
  EXPECT_EQ(tail.LastLines().size(), 40u);
  EXPECT_EQ(tail.LastLines().back(), "line 99");
  for (int i = 0; i < 10; ++i) tail.Add(std::string(1000, 'x') + "\n");
  EXPECT_EQ(tail.LastLines().size(), 8u);
  tail.Add(std::string(1 << 20, 'y') + "end");
  EXPECT_EQ(tail.LastLines().back().size(), 8192u);
  EXPECT_THAT(tail.LastLines().back(), ::testing::EndsWith("end"));
}

TEST(OutputTail, KnowsTheLastStep) {
  OutputTail tail;
  EXPECT_EQ(tail.last_step(), "");
  tail.Add(
      "STEP 1/2: FROM x\n[1/2] STEP 2/2: RUN make\nSTEP by step\n STEP 3/3: y\n[1/x] STEP 1/1: "
      "z\n");
  EXPECT_EQ(tail.last_step(), "[1/2] STEP 2/2: RUN make");
  tail.Add("STEP 12/13: COPY . /\nand more");
  EXPECT_EQ(tail.last_step(), "STEP 12/13: COPY . /");
}

TEST(OutputTail, ShowsWhatWasDrawnLastOfAProgressLine) {
  OutputTail tail;
  tail.Add("10%\r50%\r100%\ndone\r\n");
  EXPECT_THAT(tail.LastLines(), ElementsAre("100%", "done"));
}

}  // namespace
}  // namespace manyarch::worker
