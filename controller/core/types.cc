#include "controller/core/types.h"

#include "absl/strings/str_replace.h"

namespace manyarch::controller::core {

bool IsTerminal(const JobState& state) {
  return !std::holds_alternative<JobQueued>(state) && !std::holds_alternative<JobRunning>(state) &&
         !std::holds_alternative<JobPublishing>(state);
}

bool IsTerminal(const BuildState& state) {
  return !std::holds_alternative<BuildWaiting>(state) &&
         !std::holds_alternative<BuildReusing>(state) &&
         !std::holds_alternative<BuildRunning>(state);
}

bool IsTerminal(const AttemptState& state) {
  return std::holds_alternative<AttemptSucceeded>(state) ||
         std::holds_alternative<AttemptFailed>(state) ||
         std::holds_alternative<AttemptCancelled>(state);
}

bool IsOnWorker(const AttemptState& state) {
  return std::holds_alternative<AttemptOffered>(state) ||
         std::holds_alternative<AttemptRunning>(state);
}

std::string ArchTag(const std::string& pattern, const std::string& tag, const Platform& platform) {
  return absl::StrReplaceAll(pattern, {{"{tag}", tag}, {"{arch}", ArchTagSuffix(platform)}});
}

}  // namespace manyarch::controller::core
