// A real docker-registry, and a transport that can count, delay and lose what goes to it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "controller/core/types.h"
#include "registry/client.h"
#include "registry/curl_transport.h"
#include "tests/support/docker_registry.h"
#include "tests/support/test_image.h"

namespace manyarch::controller::publish {

class ObservedTransport : public registry::HttpTransport {
 public:
  using Next = std::function<absl::StatusOr<registry::Response>()>;
  // May answer instead of the registry, before or after it was asked with `next`.
  using Fault =
      std::function<absl::StatusOr<registry::Response>(const registry::Request&, const Next& next)>;

  absl::StatusOr<registry::Response> Send(const registry::Request& request,
                                          const absl::Notification* stop) override {
    Fault fault;
    {
      absl::MutexLock lock(&mutex_);
      lines_.push_back(request.method + " " + request.url);
      fault = fault_;
    }
    const Next next = [&] { return curl_.Send(request, stop); };
    return fault ? fault(request, next) : next();
  }

  void SetFault(Fault fault) {
    absl::MutexLock lock(&mutex_);
    fault_ = std::move(fault);
  }
  // How many requests had this method and this in their URL, since the last Forget.
  int Count(absl::string_view method, absl::string_view part = "") {
    absl::MutexLock lock(&mutex_);
    int count = 0;
    for (const std::string& line : lines_) {
      count += absl::StartsWith(line, absl::StrCat(method, " ")) && absl::StrContains(line, part);
    }
    return count;
  }
  void Forget() {
    absl::MutexLock lock(&mutex_);
    lines_.clear();
  }

 private:
  registry::CurlTransport curl_{"manyarch-test"};
  absl::Mutex mutex_;
  Fault fault_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

constexpr char kAmd64[] = R"("os":"linux","architecture":"amd64")";
constexpr char kArm64[] = R"("os":"linux","architecture":"arm64","variant":"v8")";
inline const Platform kLinuxAmd64{"linux", "amd64", ""};
inline const Platform kLinuxArm64{"linux", "arm64", ""};

// One registry for all tests of a suite; every test has a repository of its own.
class PublishRig : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = testing::DockerRegistry::Start();
    ASSERT_TRUE(started.ok()) << started.status();
    docker_registry() = std::move(*started);
  }
  static void TearDownTestSuite() { docker_registry().reset(); }
  static std::unique_ptr<testing::DockerRegistry>& docker_registry() {
    static std::unique_ptr<testing::DockerRegistry> registry;
    return registry;
  }

  static std::string Path() {
    return absl::AsciiStrToLower(::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  static std::string Repository() { return absl::StrCat(docker_registry()->host(), "/", Path()); }

  static registry::ClientOptions ClientOptions() {
    registry::ClientOptions options;
    options.hosts = registry::Hosts::PlainHttp({"127.0.0.1"});
    options.budget = {absl::Seconds(2)};
    options.backoff.initial = absl::Milliseconds(10);
    return options;
  }

  // As a worker would: blobs, and the manifest by digest.
  core::Image Push(const testing::TestImage& image) {
    testing::RawRegistry raw(&plain_, docker_registry()->host());
    const absl::Status status = raw.Push(Path(), image);
    EXPECT_TRUE(status.ok()) << status;
    return {Repository(), image.digest().ToString(), 0, ""};
  }
  // What a tag of this test's repository points to; empty: nothing.
  std::string DigestOf(const std::string& tag) {
    testing::RawRegistry raw(&plain_, docker_registry()->host());
    const auto response = raw.Manifest(Path(), tag);
    if (!response.ok() || response->status != 200) return "";
    return Digest::Of(response->body).ToString();
  }

  registry::CurlTransport plain_{"manyarch-test"};
  ObservedTransport transport_;
  registry::SystemWaiter waiter_;
};

}  // namespace manyarch::controller::publish
