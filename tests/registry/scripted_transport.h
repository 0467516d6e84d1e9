// A transport whose answers a test writes down, and a clock that moves only when somebody sleeps.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "registry/http.h"
#include "registry/retry.h"

namespace manyarch::registry {

class ScriptedTransport : public HttpTransport {
 public:
  using Handler = std::function<absl::StatusOr<Response>(const Request&)>;

  // Answers are used up in order; after the last one every request fails the test's way: 599.
  void Then(Response response) {
    script_.push_back([response](const Request&) { return response; });
  }
  void ThenFail(absl::Status status) {
    script_.push_back([status](const Request&) -> absl::StatusOr<Response> { return status; });
  }
  void ThenCall(Handler handler) { script_.push_back(std::move(handler)); }

  absl::StatusOr<Response> Send(const Request& request, const absl::Notification*) override {
    requests.push_back(request);
    if (script_.empty()) return Response{599, {}, "no answer is left in the script"};
    const Handler handler = std::move(script_.front());
    script_.pop_front();
    return handler(request);
  }

  // "GET https://host/path"
  std::vector<std::string> Lines() const {
    std::vector<std::string> out;
    for (const Request& request : requests) out.push_back(request.method + " " + request.url);
    return out;
  }
  static std::string HeaderOf(const Request& request, const std::string& name) {
    for (const auto& [key, value] : request.headers) {
      if (key == name) return value;
    }
    return "";
  }

  std::vector<Request> requests;

 private:
  std::deque<Handler> script_;
};

class FakeWaiter : public Waiter {
 public:
  absl::Time Now() override { return now; }
  void Sleep(absl::Duration pause, const absl::Notification*) override {
    pauses.push_back(pause);
    now += pause;
    if (on_sleep) on_sleep();
  }
  double Jitter() override { return 0.0; }

  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  std::vector<absl::Duration> pauses;
  std::function<void()> on_sleep;
};

}  // namespace manyarch::registry
