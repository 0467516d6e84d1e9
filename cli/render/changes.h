// What became of a job since it was last looked at, as lines.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// Tells one job's story to a person who reads line after line. Not thread-safe.
class JobTeller {
 public:
  // One line for each change that a person would want to know of since the last call. States
  // between the two that were not seen are left out.
  std::vector<std::string> Tell(const v1::Job& job, absl::Time now);

 private:
  // Whether the end of the job is predicted for the first time, or by a quarter of what is left and
  // a minute elsewhere than it was last told, however small the steps it came in.
  bool PredictsOtherwise(const v1::Job& job, absl::Time now) const;

  std::unique_ptr<v1::Job> last_;
  std::optional<absl::Time> told_finish_;
};

}  // namespace manyarch::cli
