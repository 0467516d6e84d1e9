// Why the builds of a job are where they are, in words.
#pragma once

#include <vector>

#include "controller/core/effects.h"
#include "manyarch/v1/farm.pb.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::controller::rpc {

// Puts into `job` when its builds are predicted to start and to end, and which of them is last.
void AddForecast(const std::vector<core::BuildExplanation>& builds, v1::Job& job);

// Puts into `job` why its builds wait as things are now, which may have changed since it was
// written down.
void AddReasons(const std::vector<core::BuildExplanation>& builds, v1::Job& job);

// Puts into `job` what was predicted of an earlier state of it, as far as that still holds.
void KeepForecast(const v1::Job& told, v1::Job& job);

// `waiting` is what the core knows of a job that lives; empty where it has ended.
v1::ExplainJobResponse ExplanationOf(v1::Job job,
                                     const std::vector<core::BuildExplanation>& waiting);

}  // namespace manyarch::controller::rpc
