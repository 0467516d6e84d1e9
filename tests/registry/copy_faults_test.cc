// Blobs from one registry to another while a fifth of all requests to both fails: what arrives is
// what was there.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "registry/client.h"
#include "registry/curl_transport.h"
#include "tests/support/reroute.h"
#include "tests/support/strict_registry.h"
#include "tests/support/token_server.h"

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

// Does something before it sends.
class Watched : public HttpTransport {
 public:
  explicit Watched(std::function<void(const Request&)> before) : before_(std::move(before)) {}
  absl::StatusOr<Response> Send(const Request& request, const absl::Notification* stop) override {
    before_(request);
    return curl_.Send(request, stop);
  }

 private:
  const std::function<void(const Request&)> before_;
  CurlTransport curl_{"manyarch-test"};
};

// Copies take longer than tokens live, and what goes by cannot simply be sent once more.
TEST(CopyWithTokens, OneThatEndsBeforeTheBytesGoByIsRenewed) {
  std::atomic<int64_t> seconds{0};
  const auto clock = [&seconds] { return absl::FromUnixSeconds(1'700'000'000 + seconds); };
  testing::TokenServerOptions token_options;
  token_options.users["me"] = {"right", "", {{"*", {"pull", "push"}}}};
  token_options.says_expires_in = 3600;  // It lives for a minute.
  token_options.clock = clock;
  testing::TokenServer tokens(token_options);
  const auto start = [&] {
    StrictRegistryOptions options;
    options.rules = testing::Spec();
    options.tokens = &tokens;
    options.clock = clock;
    return std::make_unique<StrictRegistry>(std::move(options));
  };
  const auto source = start();
  const auto target = start();
  testing::TestImage holder;
  holder.layer = std::string(3 << 20, 'x');
  source->Hold("base/image", holder);
  std::atomic<bool> first{true};
  Watched transport([&](const Request& request) {
    if (request.method == "PATCH" && first.exchange(false)) seconds += 120;
  });
  SystemWaiter waiter;
  ClientOptions options;
  options.hosts = Hosts::PlainHttp({source->host(), target->host()});
  options.auth = *AuthFile::Parse(
      WriteAuthFile({{source->host(), {"me", "right"}}, {target->host(), {"me", "right"}}}));
  options.backoff = {absl::Milliseconds(5), absl::Milliseconds(50), 2.0};
  RegistryClient client(options, &transport, &waiter, nullptr);
  const Descriptor blob{"", Digest::Of(holder.layer), static_cast<int64_t>(holder.layer.size()),
                        std::nullopt};
  const absl::Status copied =
      client.CopyBlob(*ParseReference(source->host() + "/base/image:1"), blob,
                      *ParseReference(target->host() + "/team/app:1"));
  EXPECT_TRUE(copied.ok()) << copied;
  EXPECT_TRUE(target->BlobOf("team/app", blob.digest) == holder.layer);
  std::vector<int> statuses;
  for (const auto& recorded : target->Requests()) {
    if (recorded.request.method == "PATCH") statuses.push_back(recorded.status);
  }
  EXPECT_EQ(statuses, (std::vector<int>{401, 202}));
}

}  // namespace
}  // namespace manyarch::registry
