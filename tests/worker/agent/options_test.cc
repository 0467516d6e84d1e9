// What a worker's own command line may not say is refused at its start.
#include "worker/options.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

// The sentence that these flags are refused with; empty: they are taken.
std::string Refusal(std::vector<std::string> args) {
  args.insert(args.begin(), "manyarch-worker");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  Options options;
  testing::internal::CaptureStderr();
  const std::optional<int> code =
      ParseOptions(static_cast<int>(argv.size()), argv.data(), &options);
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, text.empty() ? std::nullopt : std::optional<int>(2)) << text;
  return text;
}

TEST(WorkerOptions, LabelsThatNoControllerTakesAreRefusedAtTheStart) {
  EXPECT_EQ(Refusal({"--label", "memory=64GiB", "--label", "disk=nvme,zone=a"}), "");
  EXPECT_THAT(Refusal({"--label", "memory=lots"}),
              HasSubstr("--label: the worker's label 'memory=lots' is not the memory of a machine: "
                        "write a size like 64GiB, 16g or 4096m"));
  EXPECT_THAT(Refusal({"--label", "zone=\x1b[31m"}), HasSubstr("has control characters in it"));
  EXPECT_THAT(Refusal({"--label", "zone=\xff"}), HasSubstr("'zone=\\xff' is not UTF-8"));
  EXPECT_THAT(Refusal({"--name", "a\nb"}), HasSubstr("--name: the worker's name 'a\\nb'"));
}

}  // namespace
}  // namespace manyarch::worker
