// The flags of `manyarch build`, and the job they ask for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "cli/commands/attached.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

struct BuildFlags {
  std::string context;
  std::string file;
  std::vector<std::string> tags;
  std::vector<std::string> platforms;
  std::vector<std::string> optional;
  bool keep_going = false;
  std::vector<std::string> build_args;
  std::vector<std::string> build_contexts;
  std::string target;
  std::vector<std::string> labels;
  std::vector<std::string> annotations;
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;
  bool squash = false;
  std::string timestamp;
  std::string network;
  std::vector<std::string> add_hosts;
  std::string memory;
  std::string cpus;
  std::vector<std::string> secrets;
  std::vector<std::string> ssh;
  std::string authfile;
  bool no_cache = false;
  bool pull = false;
  std::string emulation;
  bool hedge = false;
  std::vector<std::string> constraints;
  std::string timeout;
  int max_attempts = 0;
  std::string unschedulable_after;
  std::string arch_tags;
  std::string check_binaries;
  std::string priority;
  std::string project = "default";
  bool detach = false;
  bool immutable = false;
  std::string image_format;  // "docker" or "oci"; empty: the controller's default.
  AttachFlags attach;
  std::vector<std::string> refused;  // Flags given that manyarch does not have (yet): sentences.
};

// Adds the flags, those that are refused included, so that these are told apart from misspelt ones.
void AddBuildFlags(CLI::App& command, BuildFlags& flags);

// The job asked for, all but its context. INVALID_ARGUMENT says which flag is wrong and how.
// `getenv` answers for --build-arg NAME (null: not set); `machine` is this machine's (uname -m).
absl::StatusOr<v1::JobSpec> SpecFromFlags(const BuildFlags& flags,
                                          const std::function<const char*(const char*)>& getenv,
                                          const std::string& machine);

}  // namespace manyarch::cli
