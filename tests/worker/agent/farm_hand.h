// An agent in a thread of its own, with a runner that does what the test says.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "worker/agent.h"

namespace manyarch::worker {

// Runs a function of the test's for each attempt. Without one: an image right away.
class FakeRunner : public AttemptRunner {
 public:
  using Body =
      std::function<v1::Finished(const AttemptContext&, AttemptObserver&, const StopToken&)>;

  explicit FakeRunner(Body body = nullptr) : body_(std::move(body)) {}

  v1::Finished Run(const AttemptContext& attempt, AttemptObserver& observer,
                   const StopToken& stop) override {
    return body_ ? body_(attempt, observer, stop) : Pushed();
  }
  void Prune(const StopToken& stop) override {
    if (prune) prune(stop);
  }
  absl::Status CleanUpAll(const std::string& attempts_dir) override {
    cleaned_up = attempts_dir;
    return absl::OkStatus();
  }

  static v1::Finished Pushed() {
    v1::Finished finished;
    finished.mutable_image()->set_repository("127.0.0.1:5000/demo/hello");
    finished.mutable_image()->set_digest("sha256:" + std::string(64, 'a'));
    return finished;
  }
  static v1::Finished Cancelled() {
    v1::Finished finished;
    finished.mutable_cancelled();
    return finished;
  }

  std::string cleaned_up;
  std::function<void(const StopToken&)> prune;  // To be set before the agent runs.

 private:
  const Body body_;
};

// One life of a worker. Ends with the object, if not before: as a crash, without a word.
class FarmHand {
 public:
  FarmHand(const std::string& controller, const std::string& state_dir, AttemptRunner* runner,
           core::Config config = {}) {
    absl::StatusOr<std::unique_ptr<StateDir>> state = StateDir::Open(state_dir);
    if (!state.ok()) {
      status_ = state.status();
      return;
    }
    state_ = *std::move(state);
    Agent::Options options;
    options.controller = controller;
    options.config = std::move(config);
    options.description.set_name("hand");
    agent_ = std::make_unique<Agent>(std::move(options), state_.get(), runner);
    thread_ = std::thread([this] { status_ = agent_->Run(); });
  }
  ~FarmHand() {
    if (thread_.joinable()) {
      agent_->HandBack();
      thread_.join();
    }
  }

  Agent* operator->() { return agent_.get(); }
  // Waits for the end of Run.
  absl::Status Join() {
    if (thread_.joinable()) thread_.join();
    return status_;
  }

 private:
  std::unique_ptr<StateDir> state_;
  std::unique_ptr<Agent> agent_;
  absl::Status status_;
  std::thread thread_;
};

}  // namespace manyarch::worker
