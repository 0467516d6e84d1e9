// Blobs from one registry to another while a fifth of all requests to both fails: what arrives is
// what was there.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "registry/client.h"
#include "tests/support/reroute.h"
#include "tests/support/strict_registry.h"

namespace manyarch::registry {
namespace {

using testing::StrictRegistry;
using testing::StrictRegistryOptions;

StrictRegistryOptions Faulty(testing::RegistryRules rules, uint64_t seed) {
  StrictRegistryOptions options;
  options.rules = std::move(rules);
  options.faults.seed = seed;
  options.faults.probability = 0.2;
  options.faults.slow = absl::Milliseconds(20);
  options.faults.retry_after_seconds = 0;
  return options;
}

TEST(CopyFaults, BlobsArriveWholeOverEveryFault) {
  // To see a run again: MANYARCH_SEED=<what was printed>.
  const char* given = std::getenv("MANYARCH_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::cout << "MANYARCH_SEED=" << seed << std::endl;
  testing::RegistryRules from_rules = testing::Spec();
  from_rules.redirects_blobs = true;
  testing::RegistryRules to_rules = testing::Ecr();
  StrictRegistry source(Faulty(from_rules, seed));
  StrictRegistry target(Faulty(to_rules, seed + 1));
  target.CreateRepository("team/app");
  testing::Reroute transport;
  transport.Add("source.example.com", source.host());
  transport.Add("storage.example.com", source.storage_host());
  transport.Add("target.example.com", target.host());
  SystemWaiter waiter;
  ClientOptions options;
  options.backoff = {absl::Milliseconds(5), absl::Milliseconds(50), 2.0};
  RegistryClient client(options, &transport, &waiter, nullptr);
  const Reference from = *ParseReference("source.example.com/base/image:1");
  const Reference to = *ParseReference("target.example.com/team/app:1");

  constexpr int kBlobs = 40;
  std::vector<std::string> blobs;
  std::mt19937_64 random(seed);
  for (int i = 0; i < kBlobs; ++i) {
    std::string blob = absl::StrCat("blob ", i, " ");
    blob.append(random() % (i % 8 == 0 ? 6 << 20 : 200 << 10), static_cast<char>('a' + i % 26));
    testing::TestImage holder;
    holder.layer = blob;
    source.Hold("base/image", holder);
    blobs.push_back(std::move(blob));
  }
  std::atomic<int> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = next++; i < kBlobs; i = next++) {
        const std::string& blob = blobs[static_cast<size_t>(i)];
        const Descriptor descriptor{"", Digest::Of(blob), static_cast<int64_t>(blob.size()),
                                    std::nullopt};
        const absl::Status copied = client.CopyBlob(from, descriptor, to);
        EXPECT_TRUE(copied.ok()) << i << ": " << copied;
        EXPECT_TRUE(target.BlobOf("team/app", descriptor.digest) == blob) << i;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace manyarch::registry
