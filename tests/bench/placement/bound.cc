// Lower bounds, and sums over what was run.
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "tests/bench/placement/result.h"

namespace manyarch::bench {

namespace {

struct Class {
  std::vector<int> native;
  std::vector<int> emulated;
  double slots = 0;
  std::vector<std::pair<double, double>> down;  // Of all its slots: weighted by `weight`.
  std::vector<double> weight;

  // Slot-seconds between two times.
  double Capacity(double from, double to) const {
    double sum = slots * (to - from);
    for (size_t d = 0; d < down.size(); ++d) {
      sum -=
          weight[d] * std::max(0.0, std::min(to, down[d].second) - std::max(from, down[d].first));
    }
    return sum;
  }
};

// Builds that cost alike: of one repository, platform and policy.
struct Group {
  std::vector<double> seconds;  // On each class; negative: not there.
  double at = 0;                // The first of them.
};

double CostOf(const std::vector<Group>& groups, const std::vector<double>& prices,
              std::vector<double>* used) {
  double cost = 0;
  for (const Group& group : groups) {
    double least = -1;
    size_t where = 0;
    for (size_t k = 0; k < prices.size(); ++k) {
      if (group.seconds[k] < 0) continue;
      const double here = prices[k] * group.seconds[k];
      if (least >= 0 && here >= least) continue;
      least = here;
      where = k;
    }
    if (least < 0) continue;
    cost += least;
    if (used != nullptr) (*used)[where] += group.seconds[where];
  }
  return cost;
}

}  // namespace

double LowerBound(const Trace& trace) {
  std::map<std::tuple<std::vector<int>, std::vector<int>>, Class> by_key;
  for (const TraceWorker& worker : trace.workers) {
    Class& one = by_key[{worker.native, worker.emulated}];
    one.native = worker.native;
    one.emulated = worker.emulated;
    one.slots += worker.slots;
    for (const auto& down : worker.down) {
      one.down.push_back(down);
      one.weight.push_back(worker.slots);
    }
  }
  std::vector<Class> classes;
  for (auto& [key, one] : by_key) classes.push_back(std::move(one));
  std::vector<bool> any_native(kPlatforms.size(), false);
  for (const Class& one : classes) {
    for (const int p : one.native) any_native[static_cast<size_t>(p)] = true;
  }

  double chain = 0;
  std::vector<double> arrivals = {0};
  for (size_t j = 0; j < trace.jobs.size(); j += std::max<size_t>(1, trace.jobs.size() / 12)) {
    arrivals.push_back(trace.jobs[j].at);
  }
  double best = 0;
  for (const double from : arrivals) {
    std::map<std::tuple<int, int, bool>, Group> groups;
    for (const TraceBuild& build : trace.builds) {
      const TraceJob& job = trace.jobs[static_cast<size_t>(build.job)];
      if (job.at < from) continue;
      Group& group = groups[{job.repository, build.platform, job.allow}];
      group.seconds.resize(classes.size(), -1);
      double least = -1;
      for (size_t k = 0; k < classes.size(); ++k) {
        double seconds = -1;
        const bool may_emulate = job.allow || !any_native[static_cast<size_t>(build.platform)];
        if (Offers(classes[k].native, build.platform)) {
          seconds = build.native;
        } else if (may_emulate && Offers(classes[k].emulated, build.platform)) {
          seconds = build.emulated;
        }
        if (seconds < 0) continue;
        group.seconds[k] = std::max(0.0, group.seconds[k]) + seconds;
        least = least < 0 ? seconds : std::min(least, seconds);
      }
      chain = std::max(chain, job.at + least);
    }
    std::vector<Group> flat;
    for (auto& [key, group] : groups) flat.push_back(std::move(group));
    // Any prices give a bound; those of crowded classes rise until the bound is about the best.
    std::vector<double> prices(classes.size(), 1);
    for (int round = 0; round < 400; ++round) {
      double worth = 0;
      for (size_t k = 0; k < classes.size(); ++k) worth += prices[k] * classes[k].slots;
      for (double& price : prices) price /= worth;
      std::vector<double> used(classes.size(), 0);
      const double cost = CostOf(flat, prices, &used);
      // The time at which what the classes can do until then is worth that much.
      double low = from;
      double high = from + 2 * cost + 40000;
      for (int i = 0; i < 50; ++i) {
        const double mid = (low + high) / 2;
        double worth_until = 0;
        for (size_t k = 0; k < classes.size(); ++k) {
          worth_until += prices[k] * classes[k].Capacity(from, mid);
        }
        (worth_until < cost ? low : high) = mid;
      }
      best = std::max(best, low);
      const double step = 0.5 / std::sqrt(1.0 + round);
      for (size_t k = 0; k < classes.size(); ++k) {
        prices[k] *= std::exp(step * (used[k] / classes[k].slots / std::max(cost, 1e-9) - 1));
      }
    }
  }
  return std::max(best, chain);
}

Result Summarise(const std::string& policy, const Trace& trace, const Runs& runs) {
  Result result;
  result.policy = policy;
  std::vector<double> waits;
  std::vector<double> stretch(static_cast<size_t>(trace.projects), 0);
  std::vector<int> count(static_cast<size_t>(trace.projects), 0);
  for (size_t b = 0; b < trace.builds.size(); ++b) {
    const TraceJob& job = trace.jobs[static_cast<size_t>(trace.builds[b].job)];
    result.makespan = std::max(result.makespan, runs.end[b]);
    waits.push_back(runs.start[b] - job.at);
    result.mean_wait += waits.back() / static_cast<double>(trace.builds.size());
    stretch[static_cast<size_t>(job.project)] +=
        (runs.end[b] - job.at) / std::max(1.0, runs.end[b] - runs.start[b]);
    ++count[static_cast<size_t>(job.project)];
    if (runs.emulated[b]) ++result.emulated;
  }
  std::sort(waits.begin(), waits.end());
  if (!waits.empty()) result.p95_wait = waits[waits.size() * 95 / 100];
  double sum = 0;
  double squares = 0;
  int projects = 0;
  for (size_t p = 0; p < stretch.size(); ++p) {
    if (count[p] == 0) continue;
    const double mean = stretch[p] / count[p];
    sum += mean;
    squares += mean * mean;
    ++projects;
  }
  if (squares > 0) result.fairness = sum * sum / (projects * squares);
  return result;
}

}  // namespace manyarch::bench
