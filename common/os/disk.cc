#include "common/os/disk.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace manyarch {

namespace {

constexpr std::pair<const char*, int> kUnits[] = {
    {"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}};

// False when it is none.
bool ParsePart(absl::string_view text, MinFree* value) {
  text = absl::StripAsciiWhitespace(text);
  double number = 0;
  if (absl::ConsumeSuffix(&text, "%")) {
    if (!absl::SimpleAtod(text, &number) || !(number >= 0 && number < 100)) return false;
    value->share = std::min(value->share, number / 100);
    return true;
  }
  int shift = 0;
  for (const auto& [unit, power] : kUnits) {
    if (!absl::ConsumeSuffix(&text, unit)) continue;
    shift = power;
    break;
  }
  constexpr double kMost = 1e18;
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(text), &number)) return false;
  number *= static_cast<double>(int64_t{1} << shift);
  if (!(number >= 0 && number < kMost)) return false;
  value->bytes = std::min(value->bytes, static_cast<int64_t>(number));
  return true;
}

}  // namespace

absl::StatusOr<DiskSpace> DiskSpaceAt(const std::string& path) {
  struct statvfs disk = {};
  if (::statvfs(path.c_str(), &disk) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("asking for the free space of ", path));
  }
  const auto unit = static_cast<int64_t>(disk.f_frsize);
  return DiskSpace{static_cast<int64_t>(disk.f_bavail) * unit,
                   static_cast<int64_t>(disk.f_blocks) * unit};
}

absl::Status StateFileError(absl::string_view doing, absl::string_view path) {
  const int error = errno;
  const std::string text = absl::StrCat(doing, " ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(
        absl::StrCat(text, ". The controller's disk is full: free some space in its --state-dir"));
  }
  return absl::UnavailableError(text);
}

int64_t MinFree::Of(const DiskSpace& disk) const {
  return std::min(bytes, static_cast<int64_t>(static_cast<double>(disk.size) * share));
}

absl::StatusOr<MinFree> ParseMinFreeFlag(absl::string_view flag, absl::string_view text) {
  MinFree value{1, INT64_MAX};
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    if (!ParsePart(part, &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, ": '", text,
                       "' is neither a size nor a share of the disk; say for example 2GiB, 5%, or "
                       "5%,2GiB for whichever is less"));
    }
  }
  return value;
}

std::string ShowBytes(int64_t bytes) {
  for (const auto& [unit, power] : kUnits) {
    if (power == 0 || bytes < (int64_t{1} << power)) continue;
    return absl::StrFormat(
        "%.1f %s", static_cast<double>(bytes) / static_cast<double>(int64_t{1} << power), unit);
  }
  return absl::StrCat(bytes, " bytes");
}

}  // namespace manyarch
