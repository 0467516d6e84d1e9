// All that a job reads, from wherever the command line says it is: directories, git repositories,
// archives.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/context/temporary_dirs.h"
#include "cli/context/tree.h"
#include "common/os/stop_token.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// What the command line says.
struct ContextRequest {
  std::string context;             // A directory, a git URL, or "-": an archive on standard input.
  std::string file;                // The Containerfile; "-": on standard input; empty: found.
  std::vector<std::string> named;  // NAME=SOURCE each.
  std::string digest_cache;        // Directory; empty: every file is read.
  int threads = 2;
  int standard_input = 0;              // A file descriptor.
  TemporaryDirs* temporary = nullptr;  // Gets the files of archives and clones; not null.
  const StopToken* stop = nullptr;     // Ends what a clone waits for; null: nothing does.
};

// Trees ready to be sent, for as long as the request's temporary directories are there.
struct LoadedContext {
  std::vector<ContextTree> trees;  // The context first.
};

// Reads everything and enters what was found into `spec`: context_root, source, and the options'
// containerfile, containerfile_digest and contexts. INVALID_ARGUMENT says what is wrong with which
// argument.
absl::StatusOr<LoadedContext> LoadContext(const ContextRequest& request, v1::JobSpec& spec);

}  // namespace manyarch::cli
