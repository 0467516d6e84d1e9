#include "worker/platform/buildah_info.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/digest.h"
#include "common/base/platform.h"
#include "common/base/status_macros.h"
#include "common/os/cgroups.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {

namespace {

// Leading digits of `text`, taken off.
bool TakeNumber(absl::string_view& text, int& number) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return false;
  text.remove_prefix(digits);
  return true;
}

std::string Limit(absl::string_view name, __rlimit_resource resource) {
  rlimit limit = {};
  getrlimit(resource, &limit);
  if (limit.rlim_max == RLIM_INFINITY) return absl::StrCat(name, "=-1:-1");
  return absl::StrCat(name, "=", limit.rlim_max, ":", limit.rlim_max);
}

// Builds an image whose RUN is a tiny program of this machine, as attempts are built.
absl::Status TryBuild(const BuildahInfo& info, const std::string& scratch_dir) {
  MA_ASSIGN_OR_RETURN(TempDir dir, TempDir::Make("isolation-", scratch_dir));
  const std::string& d = dir.path();
  utsname host = {};
  uname(&host);
  const std::string program = TinyProgram(NormalPlatform("linux", host.machine, ""), 0);
  if (program.empty()) {
    return absl::UnimplementedError(
        absl::StrCat("proving the isolation: no test program for '", host.machine, "'"));
  }
  MA_RETURN_IF_ERROR(MakeDirs(d + "/context"));
  MA_RETURN_IF_ERROR(MakeDirs(d + "/tmp"));
  MA_RETURN_IF_ERROR(WriteFileAtomic(d + "/context/program", program, 0755));
  MA_RETURN_IF_ERROR(WriteFileAtomic(d + "/context/Containerfile",
                                     "FROM scratch\nCOPY program /program\nRUN [\"/program\"]\n"));
  Command command;
  command.argv = {info.path,
                  "--root=" + d + "/root",
                  "--runroot=" + d + "/runroot",
                  "--cgroup-manager=cgroupfs",
                  "build",
                  "--format=docker",
                  "--layers=false",
                  "--network=host",
                  "--no-cache",
                  "--pull=never"};
  // Named after the directory, so that the next start removes what a killed one has left.
  const std::string cgroup =
      absl::StrCat("manyarch-probe-", Digest::Of(scratch_dir).hex().substr(0, 8));
  MA_RETURN_IF_ERROR(RemoveCgroup(cgroup));
  for (const std::string& flag : IsolationFlags(info, d + "/runtime", "/" + cgroup)) {
    command.argv.push_back(flag);
  }
  command.argv.push_back("--");
  command.argv.push_back(d + "/context");
  command.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + d,
                 "XDG_RUNTIME_DIR=" + d, "TMPDIR=" + d + "/tmp"};
  command.own_namespaces = true;
  RunOptions options;
  options.timeout = absl::Seconds(60);
  options.merge_stderr = true;
  const absl::Status status = RunChecked(command, options).status();
  MA_RETURN_IF_ERROR(RemoveCgroup(cgroup));
  return status;
}

// The same, with the cure for RLIMITs where it is needed and helps.
absl::Status TryIsolation(Isolation isolation, const std::string& scratch_dir, BuildahInfo& info) {
  info.isolation = isolation;
  info.ulimits.clear();
  absl::Status status = TryBuild(info, scratch_dir);
  if (!status.ok() && absl::StrContains(absl::AsciiStrToLower(status.message()), "rlimit")) {
    info.ulimits = {Limit("nofile", RLIMIT_NOFILE), Limit("nproc", RLIMIT_NPROC)};
    status = TryBuild(info, scratch_dir);
  }
  return status;
}

absl::StatusOr<BuildahInfo> Detect(IsolationChoice choice, const std::string& scratch_dir) {
  BuildahInfo info;
  const absl::StatusOr<std::string> path = FindProgram("buildah");
  if (!path.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("looking for buildah: ", path.status().message(),
                     " (Debian: apt-get install buildah runc)"));
  }
  info.path = *path;
  Command command;
  command.argv = {info.path, "--version"};
  RunOptions options;
  options.timeout = absl::Seconds(20);
  MA_ASSIGN_OR_RETURN(const std::string output, RunChecked(command, options));
  MA_ASSIGN_OR_RETURN(info.version, ParseBuildahVersion(output));

  if (choice != IsolationChoice::kChroot) {
    const absl::Status status = TryIsolation(Isolation::kOci, scratch_dir, info);
    if (status.ok()) return info;
    info.isolation_note = std::string(status.message());
    if (choice == IsolationChoice::kOci) {
      return absl::FailedPreconditionError(
          absl::StrCat("isolation oci does not work here (use --isolation=chroot, or see to it "
                       "that runc works): ",
                       status.message()));
    }
  }
  const absl::Status status = TryIsolation(Isolation::kChroot, scratch_dir, info);
  if (!status.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "buildah cannot build here, not even with isolation chroot: ", status.message()));
  }
  return info;
}

}  // namespace

absl::StatusOr<BuildahVersion> ParseBuildahVersion(absl::string_view output) {
  constexpr absl::string_view kPrefix = "buildah version ";
  absl::string_view rest = output;
  BuildahVersion version;
  if (!absl::ConsumePrefix(&rest, kPrefix) || !TakeNumber(rest, version.major) ||
      !absl::ConsumePrefix(&rest, ".") || !TakeNumber(rest, version.minor) ||
      !absl::ConsumePrefix(&rest, ".") || !TakeNumber(rest, version.patch)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "reading buildah's version: want 'buildah version <x.y.z>', got '", output, "'"));
  }
  return version;
}

absl::StatusOr<IsolationChoice> ParseIsolationChoice(absl::string_view text) {
  if (text == "auto") return IsolationChoice::kAuto;
  if (text == "oci") return IsolationChoice::kOci;
  if (text == "chroot") return IsolationChoice::kChroot;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown isolation '", text, "': use auto, oci or chroot"));
}

absl::StatusOr<BuildahInfo> DetectBuildah(IsolationChoice choice, const std::string& scratch_dir) {
  const std::string scratch = scratch_dir + "/probing-buildah";
  MA_RETURN_IF_ERROR(RemoveTree(scratch));
  MA_RETURN_IF_ERROR(MakeDirs(scratch));
  absl::StatusOr<BuildahInfo> info = Detect(choice, scratch);
  MA_RETURN_IF_ERROR(RemoveTree(scratch));
  return info;
}

}  // namespace manyarch::worker
