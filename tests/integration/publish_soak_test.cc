// A registry and a token server of which every fifth request fails, in every way there is: all jobs
// publish the right list all the same.
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "gmock/gmock.h"
#include "tests/integration/publish_rig.h"
#include "tests/support/strict_registry.h"

namespace manyarch::controller {
namespace {

using testing::Fault;
using testing::StreamWorker;
using testing::StrictRegistry;
using testing::TokenServer;

constexpr int kJobs = 100;
constexpr int kRepositories = 50;
constexpr int kSubmitters = 8;

class PublishSoakTest : public PublishTest {
 protected:
  void StartRegistry() override {
    // To see a run again: MANYARCH_SEED=<what was printed>.
    const char* given = std::getenv("MANYARCH_SEED");
    const uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
    std::cout << "MANYARCH_SEED=" << seed << std::endl;
    testing::FaultOptions faults;
    faults.seed = seed;
    faults.probability = 0.2;
    testing::TokenServerOptions token_options;
    token_options.users["me"] = {"right", "", {{"*", {"pull", "push"}}}};
    token_options.faults = faults;
    tokens_ = std::make_unique<TokenServer>(token_options);
    testing::StrictRegistryOptions options;
    options.rules = testing::Quay();
    options.tokens = tokens_.get();
    options.faults = faults;
    // A pause that is asked for is everybody's: a second each time would be the better part of a
    // minute.
    options.faults.retry_after_seconds = 0;
    strict_ = std::make_unique<StrictRegistry>(options);
    host_ = strict_->host();
    options_.plain_http = {host_, strict_->storage_host()};
    UseCredentials("me", "right");
  }

  static std::string Repository(int job) { return absl::StrCat("soak/app", job % kRepositories); }
  static std::string Tag(int job) { return absl::StrCat("v", job); }

  std::unique_ptr<TokenServer> tokens_;
  std::unique_ptr<StrictRegistry> strict_;
};

TEST_F(PublishSoakTest, AHundredJobsPublishTheRightListOverEveryFault) {
  for (int i = 0; i < kRepositories; ++i) {
    strict_->Hold(Repository(i), image_);
    strict_->Hold(Repository(i), arm64_);
  }
  StreamWorker worker(address_, TwoBuilder());
  worker.SayHello(StreamWorker::HelloOf("w", {"linux/amd64", "linux/arm64"}, 2 * kJobs));
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kSubmitters; ++t) {
    threads.emplace_back([&] {
      std::vector<std::string> ids;
      for (int i = next++; i < kJobs; i = next++) {
        v1::SubmitResponse submitted;
        grpc::Status status;
        // As a person would: what is unavailable is submitted again, under the same key.
        for (int tries = 0; tries < 10; ++tries) {
          status = Submit(TwoPlatforms(Repository(i), {Tag(i)}), &submitted);
          if (status.error_code() != grpc::StatusCode::UNAVAILABLE) break;
        }
        ASSERT_TRUE(status.ok()) << status.error_message();
        ids.push_back(submitted.job().id());
      }
      for (const std::string& id : ids) {
        const v1::Job job = AwaitEnd(id);
        EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.failure().message();
        for (const v1::Build& build : job.builds()) EXPECT_EQ(build.attempts_size(), 1) << id;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kJobs; ++i) {
    ExpectTheRightList(strict_->BytesOf(Repository(i), Tag(i)));
    const auto tags = strict_->Tags(Repository(i));
    EXPECT_EQ(tags.at(Tag(i) + "-amd64"), image_.digest().ToString());
    EXPECT_EQ(tags.at(Tag(i) + "-arm64"), arm64_.digest().ToString());
  }
  int faults = 0;
  for (const auto& [fault, count] : strict_->Faults()) {
    std::cout << testing::NameOf(fault) << ": " << count << "\n";
    if (fault != Fault::kNone) faults += count;
  }
  for (int kind = 1; kind < static_cast<int>(Fault::kCount); ++kind) {
    const auto fault = static_cast<Fault>(kind);
    EXPECT_GT(strict_->Faults()[fault], 0) << testing::NameOf(fault) << " was never tried";
  }
  const int clean = strict_->Faults()[Fault::kNone];
  EXPECT_GT(faults, clean / 8) << "otherwise little was tried";
}

}  // namespace
}  // namespace manyarch::controller
