#include "controller/core/eligibility.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace manyarch::controller::core {

namespace {

// "because" and what somebody gave as a reason, or nothing.
std::string WithReason(const std::string& sentence, const std::string& reason) {
  return reason.empty() ? sentence : absl::StrCat(sentence, ": ", reason);
}

// Why it takes nothing at all; empty where it does.
std::string WhyClosed(const Worker& worker) {
  if (std::holds_alternative<WorkerLost>(worker.state))
    return "it is lost: nothing is heard from it";
  if (worker.stopping) return "it is draining: the worker is stopping";
  if (worker.admission == Admission::kDraining) {
    return WithReason("it is draining", worker.admission_reason);
  }
  if (worker.admission == Admission::kCordoned) {
    return WithReason("it is cordoned", worker.admission_reason);
  }
  if (!worker.not_ready.empty()) {
    return absl::StrCat("it takes nothing new for now: ", worker.not_ready);
  }
  return "";
}

const OfferedPlatform* FindOffer(const Worker& worker, const Platform& platform) {
  const OfferedPlatform* found = nullptr;
  for (const OfferedPlatform& offered : worker.description.platforms) {
    if (offered.platform == platform && (found == nullptr || !offered.emulated)) found = &offered;
  }
  return found;
}

// The worker's own words, where it has tried the platform.
std::string WhyNotOffered(const Worker& worker, const Platform& platform) {
  for (const RefusedPlatform& refused : worker.description.refused) {
    if (refused.platform == platform) {
      return absl::StrCat("it does not offer ", ToString(platform), ": ", refused.reason);
    }
  }
  std::vector<std::string> offers;
  for (const OfferedPlatform& offered : worker.description.platforms) {
    offers.push_back(
        absl::StrCat(ToString(offered.platform), offered.emulated ? " (emulated)" : " (native)"));
  }
  return absl::StrCat("it does not offer ", ToString(platform), ", only ",
                      offers.empty() ? "nothing" : absl::StrJoin(offers, ", "));
}

constexpr size_t kMostNamed = 8;  // Workers named in the line of another one.

// The names of those that offer it natively and are not closed, a few of them.
std::vector<std::string> NativeWorkers(const WorkerPool& pool, const Need& need) {
  std::vector<std::string> names;
  size_t more = 0;
  for (const auto& [id, worker] : pool.all()) {
    const OfferedPlatform* offer = FindOffer(worker, need.platform);
    if (offer == nullptr || offer->emulated || !WhyClosed(worker).empty()) continue;
    if (need.local_only && !worker.description.local) continue;
    if (!UnmetConstraint(worker.description, need).empty()) continue;
    if (names.size() < kMostNamed) {
      names.push_back(worker.description.name);
    } else {
      ++more;
    }
  }
  if (more > 0) names.push_back(absl::StrCat("and ", more, " more"));
  return names;
}

// What keeps one that could take it from doing so now.
std::string WhyNotNow(const Worker& worker, bool emulated, bool was_tried) {
  if (std::holds_alternative<WorkerSuspect>(worker.state)) {
    return "it does not answer: it is sent nothing new until it does";
  }
  const int taken = static_cast<int>(worker.occupied.size());
  const std::string how = emulated ? ", emulated" : "";
  if (taken >= worker.description.slots) {
    return absl::StrCat("it could take it", how, ", and is busy with ",
                        absl::StrJoin(worker.occupied, ", "), " (", taken, " of ",
                        worker.description.slots,
                        worker.description.slots == 1 ? " slot" : " slots", " taken)");
  }
  if (was_tried) {
    return absl::StrCat("an attempt came to nothing there: it is taken again", how,
                        " where no other worker would do");
  }
  const std::string losses = LossesText(worker);
  return absl::StrCat("it could take it", how, ": ", taken, " of ", worker.description.slots,
                      worker.description.slots == 1 ? " slot" : " slots", " taken",
                      losses.empty() ? "" : "; it was ", losses,
                      losses.empty() ? "" : ": long builds are rather left to steadier ones");
}

}  // namespace

std::vector<WorkerEligibility> ExplainWorkers(const WorkerPool& pool, const Need& need,
                                              const absl::btree_set<std::string>& tried) {
  const std::vector<std::string> native = NativeWorkers(pool, need);
  std::vector<WorkerEligibility> all;
  for (const auto& [id, worker] : pool.all()) {
    WorkerEligibility one{id, worker.description.name, false, WhyClosed(worker)};
    const OfferedPlatform* offer = FindOffer(worker, need.platform);
    if (!one.reason.empty()) {
      all.push_back(std::move(one));
      continue;
    }
    if (offer == nullptr) {
      one.reason = WhyNotOffered(worker, need.platform);
    } else if (need.local_only && !worker.description.local) {
      one.reason =
          "it is on another machine, which cannot reach a registry on the controller's loopback";
    } else if (std::string unmet = UnmetConstraint(worker.description, need); !unmet.empty()) {
      one.reason = absl::StrCat("it ", unmet);
    } else if (offer->emulated && need.policy == Emulation::kNever) {
      one.reason = "it could only emulate it, and the job rules emulation out";
    } else if (offer->emulated && need.beside) {
      one.reason = "it could only emulate it, and it runs under emulation already";
    } else if (offer->emulated && need.policy == Emulation::kFallback && !need.hedge &&
               !native.empty()) {
      one.reason = absl::StrCat("it could only emulate it, and ", absl::StrJoin(native, ", "),
                                native.size() == 1 ? " runs" : " run",
                                " it natively (`--emulation allow` would use both)");
    } else {
      one.eligible = true;
      one.reason = WhyNotNow(worker, offer->emulated, tried.contains(id));
    }
    all.push_back(std::move(one));
  }
  std::sort(all.begin(), all.end(), [](const WorkerEligibility& a, const WorkerEligibility& b) {
    return std::tie(a.worker_name, a.worker_id) < std::tie(b.worker_name, b.worker_id);
  });
  return all;
}

}  // namespace manyarch::controller::core
