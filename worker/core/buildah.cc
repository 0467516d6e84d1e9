#include "worker/core/buildah.h"

#include "absl/strings/str_cat.h"

namespace manyarch::worker {

std::string ToString(const BuildahVersion& version) {
  return absl::StrCat(version.major, ".", version.minor, ".", version.patch);
}

std::string IsolationName(Isolation isolation) {
  return isolation == Isolation::kOci ? "oci (runc)" : "chroot";
}

std::vector<std::string> IsolationFlags(const BuildahInfo& info, const std::string& runtime_dir,
                                        const std::string& cgroup_parent) {
  std::vector<std::string> flags;
  if (info.isolation == Isolation::kOci) {
    flags = {"--isolation=oci", "--runtime=runc", "--runtime-flag=root=" + runtime_dir,
             "--cgroup-parent=" + cgroup_parent};
  } else {
    flags = {"--isolation=chroot"};
  }
  for (const std::string& ulimit : info.ulimits) flags.push_back("--ulimit=" + ulimit);
  return flags;
}

}  // namespace manyarch::worker
