#include "tests/bench/placement/trace.h"

#include <algorithm>
#include <cmath>

namespace manyarch::bench {

namespace {

enum : int { kAmd64, kArm64, kArmV7, kPpc64le, kS390x, kRiscv64 };

using Rng = std::mt19937_64;

// The standard library's distributions differ from one to another; these do not.
double Uniform(Rng& rng) { return static_cast<double>(rng() >> 11) / 9007199254740992.0; }
int Below(Rng& rng, int n) { return static_cast<int>(rng() % static_cast<uint64_t>(n)); }
double Normal(Rng& rng) {
  return std::sqrt(-2 * std::log(1 - Uniform(rng))) * std::cos(2 * 3.14159265358979 * Uniform(rng));
}

struct Shape {
  std::string name;
  int jobs = 100;
  double spread = 0;    // Seconds over which jobs arrive; zero: all at once.
  int bursts = 0;       // Times at which they arrive together, within that.
  double allow = 1;     // Part of the jobs that allow emulation.
  double median = 240;  // Native seconds of a build.
  int projects = 1;
  double known = 0.85;  // Part of the repositories that were built before.
  std::vector<double> wanted = {1, 0.8, 0.15, 0.15, 0.15, 0.1};  // How often each platform is.
};

class Maker {
 public:
  Maker(uint64_t seed, Shape shape) : rng_(seed), shape_(std::move(shape)) {
    trace_.name = shape_.name;
    trace_.projects = shape_.projects;
  }

  void Add(int count, int slots, const std::vector<int>& native, const std::vector<int>& emulated) {
    for (int i = 0; i < count; ++i) {
      trace_.workers.push_back({native, emulated, slots, {}});
    }
  }
  void Amd64(int count, int slots) {
    Add(count, slots, {kAmd64}, {kArm64, kArmV7, kPpc64le, kS390x, kRiscv64});
  }
  void Arm64(int count, int slots, bool emulating = true) {
    Add(count, slots, {kArm64, kArmV7},
        emulating ? std::vector<int>{kAmd64, kPpc64le, kS390x, kRiscv64} : std::vector<int>{});
  }

  // Every so often each of them dies, and comes back.
  void Flap(double part, double every, double down, double until) {
    for (TraceWorker& worker : trace_.workers) {
      if (Uniform(rng_) > part) continue;
      for (double at = Uniform(rng_) * every; at < until; at += every * (0.5 + Uniform(rng_))) {
        const double back = at + down * (0.5 + Uniform(rng_));
        worker.down.emplace_back(at, back);
        at = back;
      }
    }
  }

  Trace Make() {
    trace_.repositories = std::clamp(shape_.jobs / 8, 3, 2000);
    struct Kind {
      double median;
      double factor;
    };
    std::vector<Kind> kinds;
    for (int r = 0; r < trace_.repositories; ++r) {
      kinds.push_back({shape_.median * std::exp(0.7 * Normal(rng_)), 5 + 6 * Uniform(rng_)});
      if (Uniform(rng_) > shape_.known) continue;
      for (int p = 0; p < static_cast<int>(kPlatforms.size()); ++p) {
        trace_.past.push_back({r, p, false, kinds.back().median * std::exp(0.1 * Normal(rng_))});
        trace_.past.push_back({r, p, true, trace_.past.back().seconds * kinds.back().factor});
      }
    }
    for (int j = 0; j < shape_.jobs; ++j) {
      TraceJob job;
      job.at = shape_.spread * Uniform(rng_);
      if (shape_.bursts > 0) {
        job.at = shape_.spread * Below(rng_, shape_.bursts) / shape_.bursts;
      }
      job.repository = Below(rng_, trace_.repositories);
      // The first project has most, and comes first.
      job.project = std::min(Below(rng_, 2 * shape_.projects - 1), shape_.projects - 1);
      if (shape_.projects > 1) {
        job.project = Uniform(rng_) < 0.6 ? 0 : 1 + Below(rng_, shape_.projects - 1);
      }
      job.allow = Uniform(rng_) < shape_.allow;
      for (int p = 0; p < static_cast<int>(kPlatforms.size()); ++p) {
        if (Uniform(rng_) >= shape_.wanted[static_cast<size_t>(p)]) continue;
        const Kind& kind = kinds[static_cast<size_t>(job.repository)];
        const double native = kind.median * std::exp(0.15 * Normal(rng_));
        job.builds.push_back(static_cast<int>(trace_.builds.size()));
        trace_.builds.push_back({j, p, native, native * kind.factor});
      }
      trace_.jobs.push_back(std::move(job));
    }
    SortJobs();
    return std::move(trace_);
  }

 private:
  void SortJobs() {
    std::stable_sort(trace_.jobs.begin(), trace_.jobs.end(),
                     [](const TraceJob& a, const TraceJob& b) { return a.at < b.at; });
    for (int j = 0; j < static_cast<int>(trace_.jobs.size()); ++j) {
      for (const int b : trace_.jobs[static_cast<size_t>(j)].builds) {
        trace_.builds[static_cast<size_t>(b)].job = j;
      }
    }
  }

  Rng rng_;
  Shape shape_;
  Trace trace_;
};

}  // namespace

std::vector<Trace> MixedTraces(uint64_t seed) {
  std::vector<Trace> traces;
  {
    Maker maker(seed, {"mixed farm, one burst", 400, 0, 0, 1});
    maker.Amd64(10, 4);
    maker.Arm64(4, 4);
    maker.Add(1, 2, {kS390x}, {});
    maker.Add(1, 4, {kPpc64le}, {});
    traces.push_back(maker.Make());
  }
  {
    Maker maker(seed + 1, {"mixed farm, fallback only", 400, 0, 0, 0});
    maker.Amd64(10, 4);
    maker.Arm64(6, 4);
    maker.Add(2, 4, {kS390x}, {});
    traces.push_back(maker.Make());
  }
  {
    Maker maker(seed + 2, {"bursts", 900, 14400, 5, 0.7});
    maker.Amd64(12, 4);
    maker.Arm64(6, 4);
    maker.Add(2, 4, {kPpc64le}, {});
    traces.push_back(maker.Make());
  }
  {
    Maker maker(
        seed + 3,
        {"long emulated builds", 250, 3600, 0, 0.5, 300, 1, 0.85, {1, 1, 0, 0.2, 0.2, 0.4}});
    maker.Amd64(12, 6);
    maker.Arm64(8, 6);
    traces.push_back(maker.Make());
  }
  {
    Maker maker(seed + 4,
                {"few arm machines", 300, 1800, 0, 1, 200, 1, 0.85, {0.6, 1, 0.3, 0, 0, 0}});
    maker.Amd64(20, 4);
    maker.Arm64(1, 4, false);
    traces.push_back(maker.Make());
  }
  {
    Maker maker(seed + 5, {"flapping workers", 600, 7200, 0, 0.5});
    maker.Amd64(14, 4);
    maker.Arm64(8, 4);
    maker.Add(2, 4, {kS390x}, {});
    maker.Flap(0.4, 5400, 300, 20000);
    traces.push_back(maker.Make());
  }
  {
    Maker maker(seed + 6, {"fair-share mix", 600, 3600, 0, 0.5, 180, 6});
    maker.Amd64(8, 4);
    maker.Arm64(6, 4);
    maker.Add(2, 2, {kS390x}, {});
    traces.push_back(maker.Make());
  }
  {
    Maker maker(seed + 7, {"two machines", 40, 1800, 0, 1, 120, 2, 0.85, {1, 1, 0.2, 0, 0, 0}});
    maker.Amd64(1, 4);
    maker.Arm64(1, 2);
    traces.push_back(maker.Make());
  }
  {
    Maker maker(seed + 8, {"nothing known yet", 300, 1200, 0, 1, 240, 1, 0});
    maker.Amd64(10, 4);
    maker.Arm64(4, 4);
    maker.Add(1, 4, {kPpc64le, kS390x}, {});
    traces.push_back(maker.Make());
  }
  return traces;
}

Trace BigTrace(uint64_t seed) {
  Maker maker(seed, {"1,000 workers, 100,000 builds", 42500, 14400, 8, 0.5, 300, 12});
  maker.Amd64(600, 4);
  maker.Arm64(300, 4);
  maker.Add(50, 4, {kS390x}, {});
  maker.Add(50, 4, {kPpc64le}, {});
  return maker.Make();
}

Trace RandomTrace(uint64_t seed, int extra) {
  Rng rng(seed);
  Maker maker(seed, {"random", 20 + Below(rng, 80), 600.0 * Below(rng, 4), 0, 0.5 * Below(rng, 3)});
  maker.Amd64(1 + Below(rng, 4), 1 + Below(rng, 4));
  maker.Arm64(1 + Below(rng, 3), 1 + Below(rng, 4), Below(rng, 2) == 0);
  if (Below(rng, 2) == 0) maker.Add(1, 2, {kS390x}, {});
  Trace trace = maker.Make();
  for (int i = 0; i < extra; ++i) trace.workers.push_back(trace.workers.front());
  return trace;
}

Trace FlappingTrace(uint64_t seed) {
  Rng rng(seed);
  Maker maker(seed, {"random, flapping", 40 + Below(rng, 60), 600.0 * Below(rng, 8), 0, 0.5, 300});
  maker.Amd64(2 + Below(rng, 4), 1 + Below(rng, 3));
  maker.Arm64(1 + Below(rng, 3), 1 + Below(rng, 3));
  maker.Flap(0.5, 1800.0 * (1 + Below(rng, 4)), 120, 40000);
  return maker.Make();
}

}  // namespace manyarch::bench
