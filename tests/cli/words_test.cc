#include "cli/render/words.h"

#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

TEST(Words, StatesAreTheFieldsOwnWords) {
  EXPECT_EQ(Word(v1::JOB_STATE_PUBLISHING), "publishing");
  EXPECT_EQ(Word(v1::ATTEMPT_STATE_LOST), "lost");
  EXPECT_EQ(Word(v1::JOB_STATE_UNSPECIFIED), "unknown");
  EXPECT_EQ(Word(static_cast<v1::JobState>(99)), "unknown");
}

TEST(Words, Durations) {
  EXPECT_EQ(ShortDuration(absl::Seconds(-5)), "0s");
  EXPECT_EQ(ShortDuration(absl::Seconds(59.9)), "59s");
  EXPECT_EQ(ShortDuration(absl::Seconds(185)), "3m 05s");
  EXPECT_EQ(ShortDuration(absl::Minutes(127)), "2h 07m");
  EXPECT_EQ(ShortDuration(absl::Hours(99)), "4d 03h");
}

TEST(Words, Ages) {
  google::protobuf::Timestamp time;
  EXPECT_EQ(Age(time, At(0)), "-");
  time.set_seconds(kStart);
  EXPECT_EQ(Age(time, At(-3)), "0s ago");
  EXPECT_EQ(Age(time, At(200)), "3m ago");
  EXPECT_EQ(Age(time, At(47 * 3600)), "47h ago");
  EXPECT_EQ(Age(time, At(49 * 3600)), "2d ago");
}

TEST(Words, LinesOfABuildCannotDriveTheTerminal) {
  EXPECT_EQ(SafeLine("a\x1b[31mred\x1b[0m\tb"), "ared\tb");
  EXPECT_EQ(SafeLine("\x1b]0;title\x07x"), "]0;titlex");
  EXPECT_EQ(SafeLine("10%\r50%\r100%"), "100%");
  EXPECT_EQ(SafeLine("done\r"), "done");
  EXPECT_EQ(SafeLine("ünï"), "ünï");
  EXPECT_EQ(SafeLine("a\xc2\x9b"
                     "2Jb\xc2\xa0"),
            "a2Jb\xc2\xa0");
  // Half a character takes none of its neighbours along, nor becomes whole where one goes.
  EXPECT_EQ(SafeLine("\xc2x\xc2"), "x");
  EXPECT_EQ(SafeLine("\xc2\x1b[0m\x9bx\xff"), "\x9bx\xff");
  EXPECT_EQ(SafeLine("cut\x1b["), "cut");
}

TEST(Words, TruncationKeepsCharactersWhole) {
  EXPECT_EQ(Truncated("abc", 5), "abc");
  EXPECT_EQ(Truncated("abc", 2), "ab");
  EXPECT_EQ(Truncated("aü", 2), "a");
}

TEST(Words, APredictionThatRestsOnNothingLearnedIsCalledAGuess) {
  v1::Build build;
  EXPECT_EQ(PredictionText(build, At(0)), "");
  build.mutable_predicted_finish()->set_seconds(kStart + 600);
  EXPECT_EQ(PredictionText(build, At(0)), "; ends in about 10m 00s");
  build.set_time_guessed(true);
  EXPECT_EQ(PredictionText(build, At(0)),
            "; ends in about 10m 00s (a guess: nothing like it was built yet)");
  build.set_time_guessed(false);
  build.set_start_guessed(true);
  build.mutable_predicted_start()->set_seconds(kStart + 120);
  EXPECT_EQ(
      PredictionText(build, At(0)),
      "; starts in about 2m 00s, ends in about 10m 00s (a guess: nothing like what runs there "
      "before it was built yet)");
}

}  // namespace
}  // namespace manyarch::cli
