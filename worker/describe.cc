#include "worker/describe.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/os/host.h"
#include "spdlog/spdlog.h"

namespace manyarch::worker {

namespace {

v1::Platform ToWire(const Platform& platform) {
  v1::Platform out;
  out.set_os(platform.os);
  out.set_arch(platform.arch);
  out.set_variant(platform.variant);
  return out;
}

std::string Name(const v1::Platform& p) {
  return ToString(NormalPlatform(p.os(), p.arch(), p.variant()));
}

bool Wanted(const Options& options, const Platform& platform) {
  return options.platforms.empty() || std::find(options.platforms.begin(), options.platforms.end(),
                                                platform) != options.platforms.end();
}

}  // namespace

v1::WorkerDescription Describe(const Options& options, const ProbeResult& probe,
                               const BuildahInfo& buildah) {
  v1::WorkerDescription description;
  description.set_name(options.name);
  const auto refuse = [&](const Platform& platform, const std::string& reason) {
    v1::RefusedPlatform& refused = *description.add_refused();
    *refused.mutable_platform() = ToWire(platform);
    refused.set_reason(reason);
  };
  for (const auto& [platform, emulated] : probe.offered) {
    if (!Wanted(options, platform)) {
      refuse(platform, "not among the worker's --platforms");
      continue;
    }
    v1::OfferedPlatform& offered = *description.add_platforms();
    *offered.mutable_platform() = ToWire(platform);
    offered.set_emulated(emulated);
  }
  for (const MissingPlatform& missing : probe.refused) refuse(missing.platform, missing.reason);
  for (const auto& [name, value] : options.labels) (*description.mutable_labels())[name] = value;
  description.set_version(MANYARCH_VERSION);
  description.set_buildah_version(ToString(buildah.version));
  description.set_isolation(IsolationName(buildah.isolation));
  description.set_network(NetworkIdentity());
  description.set_push_by_digest(buildah.push_by_digest());
  return description;
}

void Introduce(const v1::WorkerDescription& description) {
  std::vector<std::string> native;
  std::vector<std::string> emulated;
  for (const v1::OfferedPlatform& offered : description.platforms()) {
    (offered.emulated() ? emulated : native).push_back(Name(offered.platform()));
  }
  spdlog::info("offers natively: {}", native.empty() ? "nothing" : absl::StrJoin(native, ", "));
  spdlog::info("offers emulated: {}", emulated.empty() ? "nothing" : absl::StrJoin(emulated, ", "));
  for (const v1::RefusedPlatform& refused : description.refused()) {
    spdlog::info("does not offer {}: {}", Name(refused.platform()), refused.reason());
  }
}

}  // namespace manyarch::worker
