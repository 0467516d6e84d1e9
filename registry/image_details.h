// What a person wants to know of an image: its config, read for showing and not for deciding.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/platform.h"

namespace manyarch::registry {

// Absent fields are empty. Lists are as written; what is an object there is sorted by name here.
struct ImageDetails {
  Platform platform;    // Normal form.
  std::string spelled;  // As written: "linux/arm64/v8".
  std::string created;  // RFC 3339, as written.
  std::string author;
  std::string user;
  std::string working_dir;
  std::string stop_signal;
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> env;            // "NAME=value"
  std::vector<std::string> exposed_ports;  // "8080/tcp"
  std::vector<std::string> volumes;
  std::vector<std::pair<std::string, std::string>> labels;
};

// Reads a config of Docker or OCI. As strict as ParseImageConfig where the platform is concerned;
// other members of an unexpected type are left out: nothing depends on them.
absl::StatusOr<ImageDetails> ParseImageDetails(absl::string_view bytes);

}  // namespace manyarch::registry
