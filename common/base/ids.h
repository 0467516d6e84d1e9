// Identifiers. Randomness is an argument; ids are lower-case and safe in file names and image tags.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/platform.h"

namespace manyarch {

// "j" and 12 characters of Crockford's base32 made from `random`'s low 60 bits, e.g.
// "j5h0k2m9xq4t7".
std::string JobIdFrom(uint64_t random);

// "<job>-<arch tag suffix>-<number>", e.g. "j5h0k2m9xq4t7-arm64-2": unique, and tells its parts.
std::string AttemptId(absl::string_view job_id, const Platform& platform, int number);

// The tag a worker pushes to where it cannot push by digest: "manyarch-<attempt id>".
std::string StagingTag(absl::string_view attempt_id);

// 64 random bits from the operating system.
uint64_t RandomBits();

}  // namespace manyarch
