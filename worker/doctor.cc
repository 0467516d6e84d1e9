#include "worker/doctor.h"

#include <unistd.h>

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/os/disk.h"
#include "common/os/files.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "worker/describe.h"
#include "worker/platform/buildah_info.h"
#include "worker/platform/platform_probe.h"

namespace manyarch::worker {

namespace {

// One line for each thing that was looked at.
class Findings {
 public:
  explicit Findings(std::ostream& out) : out_(out) {}

  void Good(const std::string& what, const std::string& found) { Line("ok", what, found); }
  void Odd(const std::string& what, const std::string& found) { Line("warning", what, found); }
  void Bad(const std::string& what, const std::string& found) {
    Line("FAILED", what, found);
    all_well_ = false;
  }
  void Line(const char* result, const std::string& what, const std::string& found) {
    out_ << absl::StrFormat("%-8s  %-14s  %s\n", result, what, found);
  }
  bool all_well() const { return all_well_; }

 private:
  std::ostream& out_;
  bool all_well_ = true;
};

void LookAtDisk(const Options& options, Findings& findings) {
  // The directory is made by the first start; until then its disk is that of the nearest parent.
  std::string path = options.state_dir;
  while (!PathExists(path) && path.rfind('/') != std::string::npos && path.size() > 1) {
    path = path.substr(0, std::max<size_t>(1, path.rfind('/')));
  }
  const absl::StatusOr<DiskSpace> disk = DiskSpaceAt(path);
  if (!disk.ok()) {
    findings.Bad("disk", std::string(disk.status().message()));
    return;
  }
  const std::string found = absl::StrCat(ShowBytes(disk->free), " of ", ShowBytes(disk->size),
                                         " free for ", options.state_dir);
  const int64_t least = options.min_free.Of(*disk);
  if (disk->free >= least) {
    findings.Good("disk", found);
  } else {
    findings.Bad("disk", absl::StrCat(found, ", less than the ", ShowBytes(least),
                                      " of --min-free: free some space, or set it lower"));
  }
}

void LookAtController(const Options& options, Findings& findings) {
  const auto channel = grpc::CreateChannel(options.controller, grpc::InsecureChannelCredentials());
  if (channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(3))) {
    findings.Good("controller", absl::StrCat(options.controller, " answers"));
  } else {
    findings.Odd("controller",
                 absl::StrCat(options.controller,
                              " does not answer within 3 s: start manyarch-controller there, or "
                              "say where it is with --controller"));
  }
}

}  // namespace

bool Doctor(const Options& options, std::ostream& out) {
  Findings findings(out);
  if (geteuid() == 0) {
    findings.Good("user", "root");
  } else {
    findings.Bad("user", "not root: builds need it for their namespaces and mounts; use sudo");
  }
  const absl::StatusOr<TempDir> scratch = TempDir::Make("manyarch-doctor-");
  if (!scratch.ok()) {
    findings.Bad("scratch", std::string(scratch.status().message()));
    return false;
  }
  const absl::StatusOr<BuildahInfo> buildah = DetectBuildah(options.isolation, scratch->path());
  if (!buildah.ok()) {
    findings.Bad("buildah", std::string(buildah.status().message()));
  } else {
    findings.Good("buildah",
                  absl::StrCat(ToString(buildah->version), ", pushes ",
                               buildah->push_by_digest() ? "by digest" : "to staging tags"));
    const std::string isolation = IsolationName(buildah->isolation);
    if (buildah->isolation_note.empty()) {
      findings.Good("isolation", isolation);
    } else {
      findings.Odd("isolation", absl::StrCat(isolation, ": ", buildah->isolation_note));
    }
  }
  const absl::StatusOr<ProbeResult> probe = ProbePlatforms(scratch->path());
  if (!probe.ok()) {
    findings.Bad("platforms", std::string(probe.status().message()));
  } else {
    const v1::WorkerDescription description =
        Describe(options, *probe, buildah.ok() ? *buildah : BuildahInfo());
    for (const v1::OfferedPlatform& o : description.platforms()) {
      const v1::Platform& p = o.platform();
      findings.Good(ToString(NormalPlatform(p.os(), p.arch(), p.variant())),
                    o.emulated() ? "emulated by qemu" : "native");
    }
    for (const v1::RefusedPlatform& r : description.refused()) {
      const v1::Platform& p = r.platform();
      findings.Line("no", ToString(NormalPlatform(p.os(), p.arch(), p.variant())), r.reason());
    }
    if (description.platforms().empty()) {
      findings.Bad("platforms", "this worker would have nothing to offer");
    }
  }
  LookAtDisk(options, findings);
  LookAtController(options, findings);
  return findings.all_well();
}

}  // namespace manyarch::worker
