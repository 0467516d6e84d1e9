#include "worker/startup.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/os/host.h"
#include "common/os/signals.h"
#include "spdlog/spdlog.h"
#include "worker/agent.h"
#include "worker/build/attempt_runner.h"
#include "worker/contexts.h"
#include "worker/disk_watch.h"
#include "worker/link/content_client.h"
#include "worker/platform/platform_probe.h"
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
  explicit SignalThread(Agent* agent)
      : thread_([this, agent] {
          SignalWaiter waiter;
          int seen = 0;
          while (!over_) {
            const std::optional<int> signal = waiter.WaitFor(absl::Milliseconds(200));
            if (!signal.has_value() || *signal == SIGHUP) continue;
            if (++seen == 1) {
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

v1::Platform ToWire(const Platform& platform) {
  v1::Platform out;
  out.set_os(platform.os);
  out.set_arch(platform.arch);
  out.set_variant(platform.variant);
  return out;
}

bool Wanted(const Options& options, const Platform& platform) {
  return options.platforms.empty() || std::find(options.platforms.begin(), options.platforms.end(),
                                                platform) != options.platforms.end();
}

v1::WorkerDescription Describe(const Options& options, const ProbeResult& probe,
                               const BuildahInfo& buildah) {
  v1::WorkerDescription description;
  description.set_name(options.name);
  for (const auto& [platform, emulated] : probe.offered) {
    if (Wanted(options, platform)) {
      v1::OfferedPlatform& offered = *description.add_platforms();
      *offered.mutable_platform() = ToWire(platform);
      offered.set_emulated(emulated);
    } else {
      v1::RefusedPlatform& refused = *description.add_refused();
      *refused.mutable_platform() = ToWire(platform);
      refused.set_reason("not among the worker's --platforms");
    }
  }
  for (const auto& [platform, reason] : probe.refused) {
    v1::RefusedPlatform& refused = *description.add_refused();
    *refused.mutable_platform() = ToWire(platform);
    refused.set_reason(reason);
  }
  for (const auto& [name, value] : options.labels) (*description.mutable_labels())[name] = value;
  description.set_version(MANYARCH_VERSION);
  description.set_buildah_version(ToString(buildah.version));
  description.set_isolation(IsolationName(buildah.isolation));
  description.set_network(NetworkIdentity());
  description.set_push_by_digest(buildah.push_by_digest());
  return description;
}

void Introduce(const Options& options, const ProbeResult& probe, const BuildahInfo& buildah) {
  std::vector<std::string> native;
  std::vector<std::string> emulated;
  for (const FoundPlatform& found : probe.offered) {
    if (!Wanted(options, found.platform)) continue;
    (found.emulated ? emulated : native).push_back(ToString(found.platform));
  }
  spdlog::info("worker {}: {} slot{}, state in {}", options.name, options.slots,
               options.slots == 1 ? "" : "s", options.state_dir);
  spdlog::info("offers natively: {}", native.empty() ? "nothing" : absl::StrJoin(native, ", "));
  spdlog::info("offers emulated: {}", emulated.empty() ? "nothing" : absl::StrJoin(emulated, ", "));
  for (const MissingPlatform& missing : probe.refused) {
    if (!Wanted(options, missing.platform)) continue;
    spdlog::info("does not offer {}: {}", ToString(missing.platform), missing.reason);
  }
  spdlog::info(
      "builds with buildah {} in {} isolation{}", ToString(buildah.version),
      IsolationName(buildah.isolation),
      buildah.isolation_note.empty() ? "" : absl::StrCat(" (", buildah.isolation_note, ")"));
  spdlog::info("connects to the controller at {}", options.controller);
}

}  // namespace

absl::Status RunWorker(const Options& options) {
  MA_ASSIGN_OR_RETURN(const std::unique_ptr<StateDir> state, StateDir::Open(options.state_dir));
  MA_ASSIGN_OR_RETURN(BuildahInfo buildah, DetectBuildah(options.isolation, state->path()));
  MA_ASSIGN_OR_RETURN(const ProbeResult probe, ProbePlatforms(state->path()));
  Introduce(options, probe, buildah);

  Agent::Options agent_options;
  agent_options.controller = options.controller;
  agent_options.description = Describe(options, probe, buildah);
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
  constexpr int64_t kContentLimit = int64_t{10} << 30;
  MA_ASSIGN_OR_RETURN(const std::unique_ptr<CachedContexts> contexts,
                      CachedContexts::Open(state->path() + "/cache", kContentLimit, &content));
  AttemptRunner::Options runner_options;
  runner_options.state_dir = state->path();
  runner_options.buildah = std::move(buildah);
  runner_options.min_free = options.min_free;
  runner_options.platform_works = [](const Platform& platform, const std::string& scratch) {
    const absl::StatusOr<ProbeResult> now = ProbePlatforms(scratch);
    return !now.ok() ||
           std::any_of(now->offered.begin(), now->offered.end(),
                       [&](const FoundPlatform& found) { return found.platform == platform; });
  };
  MA_ASSIGN_OR_RETURN(const std::unique_ptr<AttemptRunner> runner,
                      AttemptRunner::Create(std::move(runner_options), contexts.get()));
  Agent agent(std::move(agent_options), state.get(), runner.get());
  DiskWatch disk(options.min_free,
                 {.look = [&] { return DiskSpaceAt(state->path()); },
                  .make_room = [&](int64_t wanted_free) { runner->MakeRoom(wanted_free); },
                  .tell = [&](std::string why) { agent.SetNotReady(std::move(why)); }});
  SignalThread signals(&agent);
  return agent.Run();
}

}  // namespace manyarch::worker
