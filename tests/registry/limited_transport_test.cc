#include "registry/limited_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Request Get(const std::string& url) {
  Request request;
  request.url = url;
  return request;
}

struct Rig {
  explicit Rig(Hosts hosts = {}) : transport(std::move(hosts), &next, &waiter) {}
  int Send(const std::string& url) { return transport.Send(Get(url), nullptr)->status; }

  ScriptedTransport next;
  FakeWaiter waiter;
  LimitedTransport transport;
};

TEST(LimitedTransport, LeavesAHostThatAsksForItInPeaceAndNoOther) {
  Rig rig;
  rig.next.Then({429, {{"retry-after", "17"}}, ""});
  rig.next.Then({200, {}, ""});
  rig.next.Then({503, {{"retry-after", "5"}}, ""});
  rig.next.Then({200, {}, ""});
  EXPECT_EQ(rig.Send("https://a.example/1"), 429);
  EXPECT_EQ(rig.Send("https://b.example/1"), 200);
  EXPECT_TRUE(rig.waiter.pauses.empty());
  EXPECT_EQ(rig.Send("https://a.example/2"), 503);
  EXPECT_EQ(rig.Send("https://a.example/3"), 200);
  EXPECT_THAT(rig.waiter.pauses, ElementsAre(absl::Seconds(17), absl::Seconds(5)));
}

TEST(LimitedTransport, PausesAMomentWhereNoneIsNamedAndNeverForHours) {
  Rig rig;
  rig.next.Then({429, {}, ""});
  rig.next.Then({429, {{"retry-after", "86400"}}, ""});
  rig.next.Then({200, {}, ""});
  for (int i = 0; i < 3; ++i) rig.Send("https://a.example/");
  EXPECT_THAT(rig.waiter.pauses, ElementsAre(absl::Seconds(1), absl::Minutes(10)));
}

TEST(LimitedTransport, DoesNotWaitLongerThanTheRequestMay) {
  Rig rig;
  rig.next.Then({429, {{"retry-after", "60"}}, ""});
  EXPECT_EQ(rig.Send("https://a.example/"), 429);
  Request request = Get("https://a.example/");
  request.deadline = rig.waiter.now + absl::Seconds(10);
  const auto refused = rig.transport.Send(request, nullptr);
  EXPECT_TRUE(absl::IsUnavailable(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("a.example:443 is to be left in peace for another 1m"));
  EXPECT_EQ(rig.next.requests.size(), 1u);
}

TEST(LimitedTransport, StopsWaitingWhenTold) {
  Rig rig;
  absl::Notification stop;
  rig.waiter.on_sleep = [&] { stop.Notify(); };
  rig.next.Then({429, {{"retry-after", "60"}}, ""});
  EXPECT_EQ(rig.Send("https://a.example/"), 429);
  EXPECT_TRUE(absl::IsCancelled(rig.transport.Send(Get("https://a.example/"), &stop).status()));
}

TEST(LimitedTransport, KeepsToTheConfiguredRate) {
  const auto hosts =
      Hosts::Parse(R"({"registries": {"docker.io": {"requests_per_second": 2}}})", "the file", "/");
  ASSERT_TRUE(hosts.ok()) << hosts.status();
  Rig rig(*hosts);
  const absl::Time start = rig.waiter.now;
  for (int i = 0; i < 12; ++i) rig.Send("https://registry-1.docker.io/v2/");
  EXPECT_NEAR(absl::ToDoubleSeconds(rig.waiter.now - start), 5.0, 0.01);
}

// Holds every request until it is let go.
class Gate : public HttpTransport {
 public:
  absl::StatusOr<Response> Send(const Request& request, const absl::Notification*) override {
    if (request.sink) static_cast<void>(request.sink({200, {}, ""}, "first byte").ok());
    absl::MutexLock lock(&mutex);
    most = std::max(most, ++running);
    mutex.Await(absl::Condition(&open));
    --running;
    return Response{200, {}, ""};
  }
  void AwaitRunningAndOpen(int count) {
    absl::MutexLock lock(&mutex);
    const auto reached = [&] { return running == count; };
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(30)));
    open = true;
  }

  absl::Mutex mutex;
  bool open = false;
  int running = 0;
  int most = 0;
};

// Sends it so many times at once; how many got through at one time, of which `expected` are
// awaited.
int MostAtOneTime(const Request& request, int senders, int expected) {
  Gate gate;
  SystemWaiter waiter;
  LimitedTransport transport({}, &gate, &waiter);
  std::vector<std::thread> threads;
  for (int i = 0; i < senders; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(transport.Send(request, nullptr).ok()); });
  }
  gate.AwaitRunningAndOpen(expected);
  for (std::thread& thread : threads) thread.join();
  return gate.most;
}

TEST(LimitedTransport, BoundsWhatRunsAtOneTimeOverAllCallers) {
  EXPECT_EQ(MostAtOneTime(Get("https://a.example/"), 20, 8), 8);
}

TEST(LimitedTransport, CountsADownloadUntilItsFirstByteOnly) {
  Request download = Get("https://a.example/");
  download.sink = [](const Response&, absl::string_view) { return absl::OkStatus(); };
  EXPECT_EQ(MostAtOneTime(download, 12, 12), 12);
}

}  // namespace
}  // namespace manyarch::registry
