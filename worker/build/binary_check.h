// Whether an image's programs are for its own platform, seen before it is pushed.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/platform.h"
#include "worker/build/stored_image.h"

namespace manyarch::worker {

struct BinaryLimits {
  int files = 100'000;
  absl::Duration time = absl::Seconds(5);
};

struct BinaryFindings {
  // The first files found wrong, at most kMostNamed, each with what it is: "/usr/bin/app is a
  // program for arm64".
  std::vector<std::string> foreign;
  int more = 0;  // Not named.
  // Where a limit was reached or something could not be read: which. Empty: all was looked at.
  std::string cut_short;

  static constexpr size_t kMostNamed = 3;
};

// Looks at the program that the image runs (and, where that is a script, at its interpreter), at
// the files of the layers that the build has put on its base, and of the base at the shell and the
// dynamic loaders: enough to tell a base of another architecture. Objects, and programs of
// processors that no platform is of, are nobody's business.
absl::StatusOr<BinaryFindings> CheckBinaries(const StoredImage& image, const Platform& platform,
                                             const BinaryLimits& limits = {});

// "/usr/bin/app is a program for arm64 in an image for linux/amd64; 3 more files are like that":
// empty where there is nothing to say.
std::string Describe(const BinaryFindings& findings, const Platform& platform);

}  // namespace manyarch::worker
