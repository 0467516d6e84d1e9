// Directory blobs, parsed and checked. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/digest.h"

namespace manyarch::worker {

struct TreeFile {
  std::string name;
  int64_t size = 0;
  unsigned mode = 0;
  std::vector<Digest> chunks;
};

struct TreeDirectory {
  std::string name;
  Digest digest;
};

struct TreeLink {
  std::string name;
  std::string target;
};

struct TreeNode {
  std::vector<TreeFile> files;
  std::vector<TreeDirectory> directories;
  std::vector<TreeLink> links;
  unsigned mode = 0;
};

// The directory whose blob is `bytes`. `path` is its path in the context ("" for the root), for
// messages. Names that are not single components, that come twice or are out of order, bad digests,
// sizes and modes are INVALID_ARGUMENT, with the path.
absl::StatusOr<TreeNode> ParseDirectory(absl::string_view bytes, absl::string_view path);

// `dir`/`name`, with what cannot be printed escaped.
std::string ShownPath(absl::string_view dir, absl::string_view name);

}  // namespace manyarch::worker
