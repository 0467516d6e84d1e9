// Platforms (os/arch[/variant]) in normal form, by the rules of containerd's platforms package:
// i386→386; x86_64, x86-64→amd64 (variant v1 dropped, v2 and up kept); aarch64, arm64v8→arm64;
// armhf, armv7l, arm32v7→arm/v7; armel, armv6l→arm/v6; arm with no variant or 7→v7; macos→darwin.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace manyarch {

// Always in normal form when made by ParsePlatform or NormalPlatform. arm64 has an empty variant
// here.
struct Platform {
  std::string os;
  std::string arch;
  std::string variant;

  friend auto operator<=>(const Platform&, const Platform&) = default;
  friend bool operator==(const Platform&, const Platform&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Platform& p) {
    return H::combine(std::move(h), p.os, p.arch, p.variant);
  }
};

// "linux/arm64", "arm/v7" (os defaults to linux), "amd64". An unknown os or architecture is refused
// with the nearest known platform in the message: "unknown platform 'linux/amd46': did you mean
// 'linux/amd64'?".
absl::StatusOr<Platform> ParsePlatform(absl::string_view text);

// Comma-separated lists, as --platform takes them (several times). Refuses an empty list, empty
// items, and duplicates after normalising (naming both spellings). Order: linux/amd64 first (old
// clients take the first match), then as requested.
absl::StatusOr<std::vector<Platform>> ParsePlatformList(absl::Span<const std::string> items);

// Normal form of fields found in an image config or list entry; never fails (unknown names are
// kept, lower-cased).
Platform NormalPlatform(absl::string_view os, absl::string_view arch, absl::string_view variant);

// "linux/arm/v7"
std::string ToString(const Platform& platform);

// What a manifest list entry says: arm64 gets variant "v8", arm always has its variant (old clients
// fail without).
Platform ListForm(const Platform& platform);

// The suffix of a per-architecture tag: "amd64", "arm64", "armv7", "armv6", "amd64v3".
std::string ArchTagSuffix(const Platform& platform);

// How an image's own config compares with the platform asked for.
enum class PlatformMatch { kExact, kVariantDiffers, kDifferent };
// os and arch must be equal; a differing variant (after normalising) is kVariantDiffers.
PlatformMatch Compare(const Platform& wanted, const Platform& found);

}  // namespace manyarch
