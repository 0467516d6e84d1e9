// What the operator says: flags, environment, config file, in that order of precedence.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/platform.h"
#include "common/os/disk.h"
#include "worker/platform/buildah_info.h"

namespace manyarch::worker {

struct Options {
  std::string controller = "127.0.0.1:7460";
  std::string state_dir = "/var/lib/manyarch/worker";
  std::string name;  // The host name where nothing is said.
  int slots = 1;
  std::map<std::string, std::string> labels;
  IsolationChoice isolation = IsolationChoice::kAuto;
  absl::Duration drain_timeout = absl::Hours(6);
  absl::Duration max_offline = absl::Hours(2);
  std::vector<Platform> platforms;              // Empty: all that are found.
  MinFree min_free;                             // Of the state directory's disk.
  MinFree cache_limit;                          // Of contexts kept, of that disk.
  MinFree store_limit;                          // Of all image stores together.
  int64_t log_spool_limit = int64_t{64} << 20;  // Bytes of one log that the controller lacks.
  std::string log_level = "info";
  bool doctor = false;  // Look at this machine instead of serving.
};

// Fills `options`, or says on stdout or stderr what there is to say and returns the exit code: 0
// after
// --help and --version, 2 for what makes no sense.
std::optional<int> ParseOptions(int argc, char** argv, Options* options);

}  // namespace manyarch::worker
