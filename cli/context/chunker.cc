#include "cli/context/chunker.h"

#include <algorithm>
#include <array>

namespace manyarch::cli {

namespace {

// A fixed random number for each byte value (splitmix64). Changing the seed changes every digest of
// a large file, so that all of them would be sent again.
constexpr std::array<uint64_t, 256> MakeGear() {
  std::array<uint64_t, 256> gear{};
  uint64_t state = 0x6d616e7961726368;
  for (uint64_t& value : gear) {
    state += 0x9e3779b97f4a7c15;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    value = z ^ (z >> 31);
  }
  return gear;
}

constexpr std::array<uint64_t, 256> kGear = MakeGear();

// Harder to end before the average length, easier after it: lengths gather around the average.
// The top bits are used because they depend on the last 64 bytes.
constexpr uint64_t kHardMask = ~uint64_t{0} << (64 - 22);
constexpr uint64_t kEasyMask = ~uint64_t{0} << (64 - 18);

}  // namespace

size_t Chunker::Scan(absl::string_view data, bool* ended) {
  *ended = false;
  size_t i = 0;
  if (length_ < kMinChunk) {
    i = std::min(data.size(), kMinChunk - length_);
    length_ += i;
  }
  for (; i < data.size(); ++i) {
    hash_ = (hash_ << 1) + kGear[static_cast<unsigned char>(data[i])];
    ++length_;
    const uint64_t mask = length_ < kAverageChunk ? kHardMask : kEasyMask;
    if ((hash_ & mask) == 0 || length_ >= kMaxChunk) {
      *ended = true;
      length_ = 0;
      hash_ = 0;
      return i + 1;
    }
  }
  return i;
}

}  // namespace manyarch::cli
