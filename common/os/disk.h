// How much room a disk has, and how much of it is to stay free.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch {

struct DiskSpace {
  int64_t free = 0;  // For this process, in bytes.
  int64_t size = 0;
};

// Of the file system that `path` is on.
absl::StatusOr<DiskSpace> DiskSpaceAt(const std::string& path);

// What `errno` says of something done to a file in the controller's --state-dir.
// RESOURCE_EXHAUSTED, with what to do, where the disk or the quota is full; else UNAVAILABLE.
absl::Status StateFileError(absl::string_view doing, absl::string_view path);

// What an operator wants kept free: a share of the disk, a number of bytes, or the smaller one of
// both.
struct MinFree {
  double share = 0.05;  // Of the disk's size, 0 to 1.
  int64_t bytes = int64_t{2} << 30;

  int64_t Of(const DiskSpace& disk) const;
};

// "5%", "2GiB" (KiB, MiB, GiB and TiB; a plain number is bytes), or "5%,2GiB" for the smaller one.
absl::StatusOr<MinFree> ParseMinFreeFlag(absl::string_view flag, absl::string_view text);

// "1.5 GiB", for people.
std::string ShowBytes(int64_t bytes);

}  // namespace manyarch
