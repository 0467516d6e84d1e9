#include "worker/core/qemu.h"

namespace manyarch::worker {

namespace {

struct Name {
  absl::string_view arch;
  absl::string_view qemu;
};

// Where the two are different.
constexpr Name kNames[] = {{"amd64", "x86_64"}, {"386", "i386"}, {"arm64", "aarch64"}};

}  // namespace

std::string QemuName(absl::string_view arch) {
  for (const Name& name : kNames) {
    if (name.arch == arch) return std::string(name.qemu);
  }
  return std::string(arch);
}

std::string EmulatedArch(absl::string_view program) {
  constexpr absl::string_view kMark = "qemu-";
  const size_t slash = program.rfind('/');
  if (slash != absl::string_view::npos) program.remove_prefix(slash + 1);
  // Some call it "buildkit-qemu-aarch64".
  const size_t at = program.find(kMark);
  if (at == absl::string_view::npos) return "";
  absl::string_view qemu = program.substr(at + kMark.size());
  // "-static"; " (deleted)" where a newer one is installed meanwhile.
  qemu = qemu.substr(0, qemu.find_first_of("-. "));
  if (qemu == "system" || qemu == "user") return "";
  for (const Name& name : kNames) {
    if (name.qemu == qemu) return std::string(name.arch);
  }
  return std::string(qemu);
}

}  // namespace manyarch::worker
