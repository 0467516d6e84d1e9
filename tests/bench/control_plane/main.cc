// How fast the control plane is: builds that do nothing, everything else real but the registry's
// network. Prints a table on stderr and JSON on stdout. See docs/performance.md.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/os/limits.h"
#include "tests/bench/control_plane/echo.h"
#include "tests/bench/control_plane/fleet.h"
#include "tests/bench/control_plane/load.h"
#include "tests/bench/control_plane/process.h"

namespace manyarch::bench {
namespace {

struct Settings {
  std::string program;
  std::string dir = "/var/tmp";
  int workers = 1000;
  int platforms = 2;
  int deep = 100'000;
  int submitters = 8;
  int few_workers = 100;
  int many_workers = 5000;
  double seconds = 10;
  std::vector<std::string> only;

  std::vector<std::string> architectures() const {
    std::vector<std::string> all = {"amd64", "arm64", "s390x", "riscv64"};
    all.resize(static_cast<size_t>(platforms));
    return all;
  }
};

double Milliseconds(absl::Duration d) { return absl::ToDoubleMilliseconds(d); }

double Percentile(std::vector<absl::Duration> all, double share) {
  if (all.empty()) return 0;
  const size_t nth =
      std::min(all.size() - 1, static_cast<size_t>(share * static_cast<double>(all.size())));
  std::nth_element(all.begin(), all.begin() + static_cast<long>(nth), all.end());
  return Milliseconds(all[nth]);
}

struct Run {
  double builds_per_second = 0;
  double submitted_per_second = 0;
  double controller_cores = 0;
  std::vector<absl::Duration> latencies;
  std::string error;
};

constexpr int kShallow = 1000;
constexpr absl::Duration kHeartbeat = absl::Seconds(5);
constexpr absl::Duration kHeartbeatOfMany = absl::Seconds(30);

// A farm at one pace: by depth or by rate.
struct Pace {
  int workers;
  int queued;  // Beside one build for each worker.
  double rate = 0;
  absl::Duration heartbeat = kHeartbeat;
};

Run Measure(const Settings& settings, const Pace& pace) {
  Run run;
  auto process = ControllerProcess::Start(settings.program, settings.dir, pace.heartbeat);
  if (!process.ok()) {
    run.error = std::string(process.status().message());
    return run;
  }
  Load load({(*process)->address(), settings.architectures(), pace.workers + pace.queued, pace.rate,
             settings.submitters});
  // A deep queue is there before the first worker is.
  while (pace.rate == 0 && load.submitted() < pace.queued && load.error().empty()) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  Fleet fleet(
      {(*process)->address(), pace.workers, 1, 1, settings.architectures()},
      {[&](const v1::Offer& offer) { load.Offered(offer.job_id()); }, [&] { load.Done(); }});
  if (!fleet.AwaitSessions()) {
    run.error = "not every worker got a session within a minute";
    return run;
  }
  absl::SleepFor(absl::Seconds(2));
  load.TakeLatencies();
  const int64_t done = load.done();
  const int64_t submitted = load.submitted();
  const absl::Duration cpu = (*process)->CpuTime();
  const absl::Time start = absl::Now();
  absl::SleepFor(absl::Seconds(settings.seconds));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  run.builds_per_second = static_cast<double>(load.done() - done) / seconds;
  run.submitted_per_second = static_cast<double>(load.submitted() - submitted) / seconds;
  run.controller_cores = absl::ToDoubleSeconds((*process)->CpuTime() - cpu) / seconds;
  run.latencies = load.TakeLatencies();
  run.error = load.error();
  return run;
}

nlohmann::ordered_json Throughput(const Settings& settings) {
  const double echo = EchoRate(settings.workers, settings.seconds);
  const Run shallow = Measure(settings, {settings.workers, kShallow});
  const absl::Duration sync = SyncTime(settings.dir);
  const Run half = Measure(settings, {settings.workers, 0, shallow.builds_per_second / 2});
  const double p99 = Percentile(half.latencies, 0.99);
  const double allowed = 2 * Milliseconds(sync) + 2;
  std::fprintf(stderr, "%-44s %10.0f /s\n", "bare gRPC stream, round trips", echo);
  std::fprintf(stderr, "%-44s %10.0f /s   (%.2f of the bare stream; controller %.2f cores)\n",
               absl::StrCat("builds, ", settings.workers, " workers, 1,000 queued").c_str(),
               shallow.builds_per_second, shallow.builds_per_second / echo,
               shallow.controller_cores);
  std::fprintf(stderr, "%-44s %10.2f ms  (p99 %.2f ms; 2 x sync %.2f ms + 2 ms = %.2f ms)\n",
               "submit to assign at half of that, p50", Percentile(half.latencies, 0.5), p99,
               Milliseconds(sync), allowed);
  for (const Run* run : {&shallow, &half}) {
    if (!run->error.empty()) std::fprintf(stderr, "error: %s\n", run->error.c_str());
  }
  return {{"echo_per_second", echo},
          {"builds_per_second", shallow.builds_per_second},
          {"ratio_to_echo", shallow.builds_per_second / echo},
          {"controller_cores", shallow.controller_cores},
          {"sync_ms", Milliseconds(sync)},
          {"half_load_builds_per_second", half.builds_per_second},
          {"submit_to_assign_p50_ms", Percentile(half.latencies, 0.5)},
          {"submit_to_assign_p99_ms", p99},
          {"submit_to_assign_allowed_ms", allowed}};
}

// The same rate twice: of a farm with little to do, and of one with a deep queue.
nlohmann::ordered_json Compare(const Settings& settings, const Pace& little, const Pace& much) {
  const auto named = [](const Pace& pace) {
    return absl::StrCat("builds, ", pace.workers, " workers, ", pace.queued, " queued");
  };
  const Run base = Measure(settings, little);
  const Run deep = Measure(settings, much);
  const double ratio = deep.builds_per_second / base.builds_per_second;
  std::fprintf(stderr, "%-44s %10.0f /s   (%.0f /s submitted)\n", named(little).c_str(),
               base.builds_per_second, base.submitted_per_second);
  std::fprintf(stderr, "%-44s %10.0f /s   (%.0f /s submitted; %.2f of that)\n", named(much).c_str(),
               deep.builds_per_second, deep.submitted_per_second, ratio);
  for (const Run* run : {&base, &deep}) {
    if (!run->error.empty()) std::fprintf(stderr, "error: %s\n", run->error.c_str());
  }
  return {{"workers", much.workers},
          {"queued", much.queued},
          {"builds_per_second", deep.builds_per_second},
          {"submitted_per_second", deep.submitted_per_second},
          {"little_workers", little.workers},
          {"little_queued", little.queued},
          {"little_builds_per_second", base.builds_per_second},
          {"little_submitted_per_second", base.submitted_per_second},
          {"ratio", ratio}};
}

nlohmann::ordered_json Depth(const Settings& settings) {
  return Compare(settings, {settings.workers, kShallow}, {settings.workers, settings.deep});
}

nlohmann::ordered_json Size(const Settings& settings) {
  return Compare(settings, {settings.few_workers, kShallow, 0, kHeartbeatOfMany},
                 {settings.many_workers, settings.deep, 0, kHeartbeatOfMany});
}

nlohmann::ordered_json Idle(const Settings& settings) {
  auto process = ControllerProcess::Start(settings.program, settings.dir, kHeartbeatOfMany);
  if (!process.ok()) return {{"error", std::string(process.status().message())}};
  const int64_t before = (*process)->ResidentBytes();
  Fleet fleet({(*process)->address(), settings.many_workers, 1, 1, settings.architectures()},
              {[](const v1::Offer&) {}, [] {}});
  if (!fleet.AwaitSessions()) return {{"error", "not every worker got a session in a minute"}};
  absl::SleepFor(absl::Seconds(30));  // Every worker beats once, and connecting is over.
  const double kib =
      static_cast<double>((*process)->ResidentBytes() - before) / 1024 / settings.many_workers;
  const absl::Duration cpu = (*process)->CpuTime();
  const absl::Time start = absl::Now();
  absl::SleepFor(absl::Seconds(30));
  const double share = absl::ToDoubleSeconds((*process)->CpuTime() - cpu) /
                       absl::ToDoubleSeconds(absl::Now() - start);
  std::fprintf(stderr, "%-44s %10.1f %% of a core, %.0f KiB each\n",
               absl::StrCat(settings.many_workers, " idle workers").c_str(), 100 * share, kib);
  return {{"workers", settings.many_workers}, {"core_share", share}, {"kib_each", kib}};
}

int Main(int argc, char** argv) {
  Settings settings;
  settings.program = "/proc/self/exe";
  CLI::App app("How fast manyarch's control plane is, beside a bare gRPC stream.");
  std::string serve;
  int heartbeat = 5;
  app.add_option("--serve", serve)->group("");
  app.add_option("--heartbeat", heartbeat)->group("");
  app.add_option("--dir", settings.dir, "where the controller's state goes: a real disk")
      ->capture_default_str();
  app.add_option("--workers", settings.workers, "simulated workers")->capture_default_str();
  app.add_option("--few-workers", settings.few_workers, "of a small farm")->capture_default_str();
  app.add_option("--many-workers", settings.many_workers, "of a large farm, or idle")
      ->capture_default_str();
  app.add_option("--submitters", settings.submitters, "calls at a time")->capture_default_str();
  app.add_option("--platforms", settings.platforms, "builds of each job")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  app.add_option("--deep", settings.deep, "builds in a deep queue")->capture_default_str();
  app.add_option("--seconds", settings.seconds, "of each measurement")->capture_default_str();
  app.add_option("--only", settings.only, "throughput, depth, size, idle; all by default")
      ->check(CLI::IsMember({"throughput", "depth", "size", "idle"}));
  CLI11_PARSE(app, argc, argv);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // As programs do.
  if (!serve.empty()) return Serve(serve, absl::Seconds(heartbeat));

  RaiseOpenFileLimit();
  const std::pair<const char*, std::function<nlohmann::ordered_json(const Settings&)>> parts[] = {
      {"throughput", Throughput}, {"depth", Depth}, {"size", Size}, {"idle", Idle}};
  nlohmann::ordered_json all;
  for (const auto& [name, part] : parts) {
    const bool wanted =
        settings.only.empty() ||
        std::find(settings.only.begin(), settings.only.end(), name) != settings.only.end();
    if (wanted) all[name] = part(settings);
  }
  std::printf("%s\n", all.dump(2).c_str());
  return 0;
}

}  // namespace
}  // namespace manyarch::bench

int main(int argc, char** argv) { return manyarch::bench::Main(argc, argv); }
