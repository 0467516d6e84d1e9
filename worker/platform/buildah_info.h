// What the buildah of this machine is able to do.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/core/buildah.h"

namespace manyarch::worker {

// "buildah version 1.28.2 (image-spec …)" -> 1.28.2
absl::StatusOr<BuildahVersion> ParseBuildahVersion(absl::string_view output);

enum class IsolationChoice { kAuto, kOci, kChroot };
absl::StatusOr<IsolationChoice> ParseIsolationChoice(absl::string_view text);

// Finds buildah on PATH and learns what it can do by running it, with stores under `scratch_dir`
// (made and removed again). kAuto: oci with runc when a tiny program really runs so, else chroot.
// kOci is an error where it does not work.
absl::StatusOr<BuildahInfo> DetectBuildah(IsolationChoice choice, const std::string& scratch_dir);

}  // namespace manyarch::worker
