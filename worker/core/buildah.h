// What an attempt needs to know of the machine's buildah. Pure.
#pragma once

#include <string>
#include <vector>

namespace manyarch::worker {

// A version as buildah prints it; what follows the third number is ignored.
struct BuildahVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;

  friend auto operator<=>(const BuildahVersion&, const BuildahVersion&) = default;
};

std::string ToString(const BuildahVersion& version);

enum class Isolation { kOci, kChroot };

struct BuildahInfo {
  std::string path;  // Absolute.
  BuildahVersion version;
  Isolation isolation = Isolation::kChroot;
  std::string isolation_note;  // Why not oci, where `auto` chose chroot.
  // buildah >= 1.30 sets RLIMITs that this machine may not let it set; then these go on the command
  // line
  // ("nofile=20000:20000").
  std::vector<std::string> ulimits;

  bool push_by_digest() const { return version >= BuildahVersion{1, 30, 0}; }
};

// For people: "oci (runc)" or "chroot".
std::string IsolationName(Isolation isolation);

// The flags of `buildah build` for it. The OCI runtime keeps its state in `runtime_dir` and makes
// its cgroups below `cgroup_parent`.
std::vector<std::string> IsolationFlags(const BuildahInfo& info, const std::string& runtime_dir,
                                        const std::string& cgroup_parent);

}  // namespace manyarch::worker
