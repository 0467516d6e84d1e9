// Seeded workloads: the machines of a farm, the jobs that arrive, and what builds really take.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace manyarch::bench {

inline const std::vector<std::string> kPlatforms = {
    "linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64"};

struct TraceWorker {
  std::vector<int> native;  // Indices of kPlatforms.
  std::vector<int> emulated;
  int slots = 1;
  std::vector<std::pair<double, double>> down;  // From, until; in order.
};

inline bool Offers(const std::vector<int>& list, int platform) {
  return std::find(list.begin(), list.end(), platform) != list.end();
}

struct TraceBuild {
  int job = 0;
  int platform = 0;
  double native = 0;    // Seconds it really takes on a warm worker,
  double emulated = 0;  // and under emulation.
};

struct TraceJob {
  double at = 0;
  int project = 0;
  int repository = 0;
  bool allow = false;  // Emulated whenever that is sooner; else only where nobody is native.
  std::vector<int> builds;
};

struct Trace {
  std::string name;
  std::vector<TraceWorker> workers;
  std::vector<TraceJob> jobs;  // By time.
  std::vector<TraceBuild> builds;
  int projects = 1;
  int repositories = 0;
  // What earlier builds took, for the share of repositories that have been built before.
  struct Past {
    int repository = 0;
    int platform = 0;
    bool emulated = false;
    double seconds = 0;
  };
  std::vector<Past> past;
};

// Seconds on top for the first build of a repository's platform on a worker: base image, context.
constexpr double kCold = 45;

// The mixed traces of one seed; `big` is that of 1,000 workers and 100,000 builds.
std::vector<Trace> MixedTraces(uint64_t seed);
Trace BigTrace(uint64_t seed);
// `extra` workers like the first are added at the end, for asking what another machine brings.
Trace RandomTrace(uint64_t seed, int extra);
// A small farm on which half of the workers die every half an hour or so.
Trace FlappingTrace(uint64_t seed);

}  // namespace manyarch::bench
