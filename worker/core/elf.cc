#include "worker/core/elf.h"

#include <elf.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace manyarch::worker {

namespace {

constexpr uint16_t kLoongArch =
    258;  // EM_LOONGARCH, which the elf.h of Debian 12 has; older lack it.

const std::vector<ElfTarget>& Targets() {
  static const auto& targets = *new std::vector<ElfTarget>{
      {"amd64", EM_X86_64, 64, false, {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"}},
      {"386", EM_386, 32, false, {"/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"}},
      {"arm64", EM_AARCH64, 64, false, {"/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"}},
      {"arm",
       EM_ARM,
       32,
       false,
       {"/lib/ld-linux-armhf.so.3", "/lib/ld-linux.so.3", "/lib/ld-musl-armhf.so.1",
        "/lib/ld-musl-arm.so.1"}},
      {"ppc64le", EM_PPC64, 64, false, {"/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"}},
      {"s390x", EM_S390, 64, true, {"/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"}},
      {"riscv64",
       EM_RISCV,
       64,
       false,
       {"/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"}},
      {"loong64",
       kLoongArch,
       64,
       false,
       {"/lib64/ld-linux-loongarch-lp64d.so.1", "/lib/ld-musl-loongarch64.so.1"}},
      {"mips64le", EM_MIPS, 64, false, {}},
      {"mips64", EM_MIPS, 64, true, {}},
      {"mipsle", EM_MIPS, 32, false, {}},
      {"mips", EM_MIPS, 32, true, {}},
      {"ppc64", EM_PPC64, 64, true, {}},
  };
  return targets;
}

const ElfTarget* TargetOf(const ElfHead& elf) {
  for (const ElfTarget& target : Targets()) {
    if (target.machine == elf.machine && target.bits == elf.bits &&
        target.big_endian == elf.big_endian) {
      return &target;
    }
  }
  return nullptr;
}

}  // namespace

const ElfTarget* FindElfTarget(absl::string_view arch) {
  for (const ElfTarget& target : Targets()) {
    if (target.arch == arch) return &target;
  }
  return nullptr;
}

std::vector<std::string> AllElfLoaders() {
  std::vector<std::string> all;
  for (const ElfTarget& target : Targets()) {
    all.insert(all.end(), target.loaders.begin(), target.loaders.end());
  }
  return all;
}

std::optional<ElfHead> ParseElf(absl::string_view head) {
  if (head.size() < kElfHeadBytes || head.substr(0, SELFMAG) != ELFMAG) return std::nullopt;
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(head[at]); };
  ElfHead elf;
  elf.bits = byte(EI_CLASS) == ELFCLASS64 ? 64 : byte(EI_CLASS) == ELFCLASS32 ? 32 : 0;
  elf.big_endian = byte(EI_DATA) == ELFDATA2MSB;
  if (elf.bits == 0 || (!elf.big_endian && byte(EI_DATA) != ELFDATA2LSB)) return std::nullopt;
  const auto half = [&](size_t at) {
    return static_cast<uint16_t>(elf.big_endian ? byte(at) << 8 | byte(at + 1)
                                                : byte(at + 1) << 8 | byte(at));
  };
  const uint16_t type = half(EI_NIDENT);
  elf.loadable = type == ET_EXEC || type == ET_DYN;
  elf.machine = half(EI_NIDENT + 2);
  return elf;
}

bool BelongsIn(const ElfHead& elf, const Platform& platform) {
  const ElfTarget* wanted = FindElfTarget(platform.arch);
  if (wanted == nullptr) return true;
  const ElfTarget* found = TargetOf(elf);
  if (found == nullptr) return false;
  return found == wanted || (platform.arch == "amd64" && found == FindElfTarget("386"));
}

bool IsKnownArchitecture(const ElfHead& elf) { return TargetOf(elf) != nullptr; }

std::string ArchitectureOf(const ElfHead& elf) {
  if (const ElfTarget* target = TargetOf(elf)) return target->arch;
  return absl::StrCat("machine ", elf.machine, " (", elf.bits, " bit, ",
                      elf.big_endian ? "big" : "little", " endian)");
}

}  // namespace manyarch::worker
