#include "worker/startup.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/os/signals.h"
#include "spdlog/spdlog.h"
#include "worker/agent.h"
#include "worker/build/attempt_runner.h"
#include "worker/contexts.h"
#include "worker/describe.h"
#include "worker/disk_watch.h"
#include "worker/link/content_client.h"
#include "worker/platform/platform_probe.h"
#include "worker/platform_watch.h"
#include "worker/state_dir.h"

namespace manyarch::worker {

namespace {

// Fills the cache's port for blobs with the controller's content service.
class ControllerContent : public ContentSource {
 public:
  explicit ControllerContent(const std::string& controller) : client_(controller) {}
  absl::Status Fetch(absl::Span<const Digest> digests, const StopToken& stop,
                     const Sink& sink) override {
    return client_.Fetch(digests, stop, sink);
  }

 private:
  link::ContentClient client_;
};

// Turns signals into requests to the agent until it is deleted.
class SignalThread {
 public:
  SignalThread(Agent* agent, PlatformWatch* platforms)
      : thread_([this, agent, platforms] {
          SignalWaiter waiter;
          int seen = 0;
          while (!over_) {
            const std::optional<int> signal = waiter.WaitFor(absl::Milliseconds(200));
            if (!signal.has_value()) continue;
            if (*signal == SIGHUP) {
              platforms->LookNow();
            } else if (++seen == 1) {
              agent->Drain();
            } else {
              agent->HandBack();
            }
          }
        }) {}
  ~SignalThread() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace

absl::Status RunWorker(const Options& options) {
  MA_ASSIGN_OR_RETURN(const std::unique_ptr<StateDir> state, StateDir::Open(options.state_dir));
  MA_ASSIGN_OR_RETURN(BuildahInfo buildah, DetectBuildah(options.isolation, state->path()));
  MA_ASSIGN_OR_RETURN(const ProbeResult probe, ProbePlatforms(state->path()));
  spdlog::info("worker {}: {} slot{}, state in {}", options.name, options.slots,
               options.slots == 1 ? "" : "s", options.state_dir);
  Agent::Options agent_options;
  agent_options.controller = options.controller;
  agent_options.description = Describe(options, probe, buildah);
  Introduce(agent_options.description);
  spdlog::info(
      "builds with buildah {} in {} isolation{}", ToString(buildah.version),
      IsolationName(buildah.isolation),
      buildah.isolation_note.empty() ? "" : absl::StrCat(" (", buildah.isolation_note, ")"));
  spdlog::info("connects to the controller at {}", options.controller);
  if (agent_options.description.platforms().empty()) {
    return absl::FailedPreconditionError(
        "this machine runs none of the platforms asked for; see above for why, and correct "
        "--platforms");
  }
  agent_options.log_spool_limit = options.log_spool_limit;
  agent_options.config.slots = options.slots;
  agent_options.config.max_offline = options.max_offline;
  agent_options.config.drain_timeout = options.drain_timeout;

  ControllerContent content(options.controller);
  MA_ASSIGN_OR_RETURN(const DiskSpace space, DiskSpaceAt(state->path()));
  MA_ASSIGN_OR_RETURN(
      const std::unique_ptr<CachedContexts> contexts,
      CachedContexts::Open(state->path() + "/cache", options.cache_limit.Of(space), &content));
  const BuildahInfo known_buildah = buildah;
  AttemptRunner::Options runner_options;
  runner_options.state_dir = state->path();
  runner_options.buildah = std::move(buildah);
  runner_options.min_free = options.min_free;
  runner_options.store_limit_bytes = options.store_limit.Of(space);
  // The runner is older than the watch and goes after it.
  absl::Mutex watch_mutex;
  PlatformWatch* watch = nullptr;
  runner_options.platform_works = [&](const Platform& platform, const std::string& scratch) {
    const absl::StatusOr<ProbeResult> now = ProbePlatforms(scratch, {platform});
    if (!now.ok() || !now->offered.empty()) return true;
    // A busy machine's slowness says nothing of its emulator.
    if (now->refused.front().timed_out) return true;
    // What runs no more is to be offered no more when this attempt has failed: else its slot would
    // get the next build of the platform.
    absl::MutexLock lock(&watch_mutex);
    if (watch != nullptr) watch->LookNowAndWait();
    return false;
  };
  MA_ASSIGN_OR_RETURN(const std::unique_ptr<AttemptRunner> runner,
                      AttemptRunner::Create(std::move(runner_options), contexts.get()));
  const v1::WorkerDescription first_description = agent_options.description;
  Agent agent(std::move(agent_options), state.get(), runner.get());
  DiskWatch disk(options.min_free,
                 {.look = [&] { return DiskSpaceAt(state->path()); },
                  .make_room = [&](int64_t wanted_free,
                                   const StopToken& stop) { runner->MakeRoom(wanted_free, stop); },
                  .tell = [&](std::string why) { agent.SetNotReady(std::move(why)); }});
  PlatformWatch platforms({.look = [&]() -> absl::StatusOr<v1::WorkerDescription> {
                             MA_ASSIGN_OR_RETURN(const ProbeResult found,
                                                 ProbePlatforms(state->path()));
                             return Describe(options, found, known_buildah);
                           },
                           .tell =
                               [&](const v1::WorkerDescription& description) {
                                 spdlog::info("what this machine can run has changed");
                                 Introduce(description);
                                 agent.SetDescription(description);
                               }},
                          first_description);
  const auto set_watch = [&](PlatformWatch* to) {
    absl::MutexLock lock(&watch_mutex);
    watch = to;
  };
  set_watch(&platforms);
  SignalThread signals(&agent, &platforms);
  absl::Status status = agent.Run();
  set_watch(nullptr);
  return status;
}

}  // namespace manyarch::worker
