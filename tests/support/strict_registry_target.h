// Of strict_registry*.cc alone.
#pragma once

#include <string>

#include "tests/support/strict_registry.h"

namespace manyarch::testing {

struct StrictRegistry::Target {
  enum Kind { kBase, kManifest, kBlob, kUploads, kUpload, kTags, kNothing };

  static Target Of(const std::string& path);

  Kind kind = kNothing;
  std::string repository;
  std::string name;  // Tag, digest or upload.
};

bool IsDigest(const std::string& text);

}  // namespace manyarch::testing
