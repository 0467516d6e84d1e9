// What the operator says: flags, environment, config file, in that order of precedence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/os/disk.h"
#include "controller/content/content_store.h"

namespace manyarch::controller {

struct Options {
  std::string listen = "127.0.0.1:7460";
  bool insecure_listen = false;
  std::string port_file;
  std::string state_dir = "/var/lib/manyarch/controller";
  std::vector<std::string> plain_http;  // host[:port] of registries spoken to without TLS.
  std::string registry_authfile;
  absl::Duration heartbeat = absl::Seconds(5);
  absl::Duration suspect_after = absl::Seconds(20);
  absl::Duration lost_after = absl::Seconds(60);
  MinFree min_free;       // Of the state directory's disk.
  MinFree content_limit;  // How much of that disk contexts may take.
  TreeLimits context_limits;
  std::string log_level = "info";
  bool check = false;  // Verify the state directory instead of serving.
};

// Fills `options`, or says on stdout or stderr what there is to say and returns the exit code: 0
// after
// --help and --version, 2 for what makes no sense.
std::optional<int> ParseOptions(int argc, char** argv, Options* options);

}  // namespace manyarch::controller
