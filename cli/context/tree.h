// A build context as a Merkle tree: v1.Directory blobs and file chunks, named by their sha256.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/context/digest_cache.h"
#include "cli/context/walk.h"
#include "google/protobuf/message.h"

namespace manyarch::cli {

// One blob, and where its bytes are: in a file, or here (directories).
struct Blob {
  std::string digest;
  int64_t size = 0;
  std::string file;  // Absolute path; empty: `bytes` has them.
  int64_t offset = 0;
  std::string bytes;
};

struct ContextTree {
  std::string root;         // Digest of the root directory's blob.
  std::vector<Blob> blobs;  // No digest twice; what a directory refers to stands before it.
  int64_t files = 0;
  int64_t bytes = 0;    // Of all files, before any sharing.
  int64_t entries = 0;  // Files, directories and links.
  int depth = 0;        // Directories inside each other; 0 where all is in the root.
};

// Reads every file that `cache` does not know once, on `threads` threads, and tells the cache. The
// same tree gives the same digests everywhere. `directory` is where the root's files are.
absl::StatusOr<ContextTree> BuildTree(const std::string& directory, const Node& root,
                                      const DigestCache& cache, int threads);

// A tree that is one blob: a Containerfile that is sent beside its context.
ContextTree SingleBlob(std::string bytes);

// The bytes of a blob, checked against its digest: FAILED_PRECONDITION, with the file named, when
// the file is no longer what it was.
absl::StatusOr<std::string> ReadBlob(const Blob& blob);

// Equal messages give equal bytes.
std::string DeterministicBytes(const google::protobuf::Message& message);

}  // namespace manyarch::cli
