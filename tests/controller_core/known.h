// Jobs of one platform, and what was learned of their like before.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {

inline std::shared_ptr<JobSpec> SpecOf(const std::string& repository, const std::string& platform,
                                       Emulation emulation = Emulation::kFallback) {
  auto spec = FarmRig::Spec({platform});
  spec->tags = {{repository, "v1"}};
  spec->emulation = emulation;
  return spec;
}

// What was learned before: minutes that builds of a repository take, on a worker nobody knows.
struct Known {
  std::string repository;
  std::string platform;
  double native = 0;
  double emulated = 0;
};

inline FarmState After(const std::vector<Known>& all) {
  Estimates past;
  const absl::Time then = absl::UnixEpoch() + absl::Hours(10);
  for (const Known& one : all) {
    const BuildKind kind{one.repository, "", FarmRig::P(one.platform)};
    if (one.native > 0) past.Succeeded(kind, "old", false, absl::Minutes(one.native), then);
    if (one.emulated > 0) past.Succeeded(kind, "old", true, absl::Minutes(one.emulated), then);
  }
  FarmState state;
  for (const BuildKind& kind : past.TakeChanged()) {
    state.estimates.emplace_back(kind, *past.Find(kind));
  }
  return state;
}

}  // namespace manyarch::controller::core
