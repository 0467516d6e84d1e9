#include "worker/platform/tiny_program.h"

#include <elf.h>

#include <array>
#include <initializer_list>

#include "worker/core/elf.h"

namespace manyarch::worker {

namespace {

struct Architecture {
  const char* arch;
  const char* variant;
  uint32_t flags;  // e_flags
  // Machine code, in memory order: of read(0, the stack's end, 1), and of exit(code).
  std::string (*read)();
  std::string (*exit_code)(uint8_t code);
};

template <size_t N>
std::string Bytes(const std::array<int, N>& bytes) {
  return std::string(bytes.begin(), bytes.end());
}

// 31 ff          xor %edi, %edi
// 48 89 e6       mov %rsp, %rsi
// ba 01 00 00 00 mov $1, %edx
// 31 c0          xor %eax, %eax      (__NR_read)
// 0f 05          syscall
std::string ReadAmd64() {
  return Bytes(
      std::array{0x31, 0xff, 0x48, 0x89, 0xe6, 0xba, 0x01, 0, 0, 0, 0x31, 0xc0, 0x0f, 0x05});
}

// bf imm32       mov $code, %edi
// b8 3c 00 00 00 mov $60, %eax       (__NR_exit)
// 0f 05          syscall
std::string ExitAmd64(uint8_t code) {
  return Bytes(std::array{0xbf, int{code}, 0, 0, 0, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05});
}

// 31 db          xor %ebx, %ebx
// 89 e1          mov %esp, %ecx
// ba 01 00 00 00 mov $1, %edx
// b8 03 00 00 00 mov $3, %eax        (__NR_read)
// cd 80          int $0x80
std::string Read386() {
  return Bytes(
      std::array{0x31, 0xdb, 0x89, 0xe1, 0xba, 0x01, 0, 0, 0, 0xb8, 0x03, 0, 0, 0, 0xcd, 0x80});
}

// bb imm32       mov $code, %ebx
// b8 01 00 00 00 mov $1, %eax        (__NR_exit)
// cd 80          int $0x80
std::string Exit386(uint8_t code) {
  return Bytes(std::array{0xbb, int{code}, 0, 0, 0, 0xb8, 0x01, 0, 0, 0, 0xcd, 0x80});
}

std::string Little32(std::initializer_list<uint32_t> words) {
  std::string bytes;
  for (const uint32_t word : words) {
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(word >> (8 * i)));
  }
  return bytes;
}

// d2800000   movz x0, #0
// 910003e1   mov x1, sp
// d2800022   movz x2, #1
// d28007e8   movz x8, #63                  (__NR_read)
// d4000001   svc #0
std::string ReadArm64() {
  return Little32({0xd2800000, 0x910003e1, 0xd2800022, 0xd28007e8, 0xd4000001});
}

// d2800000 | code << 5   movz x0, #code
// d2800ba8               movz x8, #93      (__NR_exit)
// d4000001               svc #0
std::string ExitArm64(uint8_t code) {
  return Little32({0xd2800000u | uint32_t{code} << 5, 0xd2800ba8, 0xd4000001});
}

// e3a00000   mov r0, #0
// e1a0100d   mov r1, sp
// e3a02001   mov r2, #1
// e3a07003   mov r7, #3                    (__NR_read)
// ef000000   svc #0
std::string ReadArm() {
  return Little32({0xe3a00000, 0xe1a0100d, 0xe3a02001, 0xe3a07003, 0xef000000});
}

// e3000000 | code   movw r0, #code         (not in v6)
// e3a07001          mov r7, #1             (__NR_exit)
// ef000000          svc #0
std::string ExitArmV7(uint8_t code) {
  return Little32({0xe3000000u | code, 0xe3a07001, 0xef000000});
}

// e3a00000 | code   mov r0, #code
// e6ef0070          uxtb r0, r0            (not in v5)
// e3a07001          mov r7, #1             (__NR_exit)
// ef000000          svc #0
std::string ExitArmV6(uint8_t code) {
  return Little32({0xe3a00000u | code, 0xe6ef0070, 0xe3a07001, 0xef000000});
}

// 38600000          li r3, 0
// 7c240b78          mr r4, r1
// 38a00001          li r5, 1
// 38000003          li r0, 3               (__NR_read)
// 44000002          sc
std::string ReadPpc64le() {
  return Little32({0x38600000, 0x7c240b78, 0x38a00001, 0x38000003, 0x44000002});
}

// 38600000 | code   li r3, code
// 38000001          li r0, 1               (__NR_exit)
// 44000002          sc
std::string ExitPpc64le(uint8_t code) {
  return Little32({0x38600000u | code, 0x38000001, 0x44000002});
}

// a7 29 00 00       lghi %r2, 0
// b9 04 00 3f       lgr %r3, %r15
// a7 49 00 01       lghi %r4, 1
// 0a 03             svc 3                  (__NR_read)
std::string ReadS390x() {
  return Bytes(std::array{0xa7, 0x29, 0, 0, 0xb9, 0x04, 0, 0x3f, 0xa7, 0x49, 0, 0x01, 0x0a, 0x03});
}

// a7 29 00 code     lghi %r2, code
// 0a 01             svc 1                  (__NR_exit)
std::string ExitS390x(uint8_t code) {
  return Bytes(std::array{0xa7, 0x29, 0x00, int{code}, 0x0a, 0x01});
}

// 00000513                li a0, 0
// 00010593                mv a1, sp
// 00100613                li a2, 1
// 03f00893                li a7, 63        (__NR_read)
// 00000073                ecall
std::string ReadRiscv64() {
  return Little32({0x00000513, 0x00010593, 0x00100613, 0x03f00893, 0x00000073});
}

// 00000513 | code << 20   li a0, code
// 05d00893                li a7, 93        (__NR_exit)
// 00000073                ecall
std::string ExitRiscv64(uint8_t code) {
  return Little32({0x00000513u | uint32_t{code} << 20, 0x05d00893, 0x00000073});
}

constexpr uint32_t kArmEabi5 = 0x05000000;
constexpr uint32_t kPpc64ElfV2 = 2;

const Architecture kArchitectures[] = {
    {"amd64", "", 0, ReadAmd64, ExitAmd64},
    {"386", "", 0, Read386, Exit386},
    {"arm64", "", 0, ReadArm64, ExitArm64},
    {"arm", "v7", kArmEabi5, ReadArm, ExitArmV7},
    {"arm", "v6", kArmEabi5, ReadArm, ExitArmV6},
    {"ppc64le", "", kPpc64ElfV2, ReadPpc64le, ExitPpc64le},
    {"s390x", "", 0, ReadS390x, ExitS390x},
    {"riscv64", "", 0, ReadRiscv64, ExitRiscv64},
};

// Appends numbers in the byte order and word size of the target.
class Writer {
 public:
  explicit Writer(const ElfTarget& target) : target_(target) {}

  void Number(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) {
      const int shift = 8 * (target_.big_endian ? size - 1 - i : i);
      bytes_.push_back(static_cast<char>(value >> shift));
    }
  }
  void Half(uint64_t value) { Number(value, 2); }
  void Word(uint64_t value) { Number(value, 4); }
  void Native(uint64_t value) { Number(value, target_.bits / 8); }
  void Raw(const std::string& bytes) { bytes_ += bytes; }
  std::string& bytes() { return bytes_; }

 private:
  const ElfTarget& target_;
  std::string bytes_;
};

// One header, one segment that maps the whole file, the code.
std::string Executable(const Architecture& a, const std::string& code) {
  const ElfTarget& target = *FindElfTarget(a.arch);
  constexpr uint64_t kLoadAddress = 0x400000;
  constexpr uint64_t kLargestPage = 0x10000;
  const bool wide = target.bits == 64;
  const uint64_t header_size = wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
  const uint64_t segment_size = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  const uint64_t file_size = header_size + segment_size + code.size();

  Writer w(target);
  w.Raw(ELFMAG);
  w.Number(wide ? ELFCLASS64 : ELFCLASS32, 1);
  w.Number(target.big_endian ? ELFDATA2MSB : ELFDATA2LSB, 1);
  w.Number(EV_CURRENT, 1);
  w.bytes().resize(EI_NIDENT);  // System V ABI, padding.
  w.Half(ET_EXEC);
  w.Half(target.machine);
  w.Word(EV_CURRENT);
  w.Native(kLoadAddress + header_size + segment_size);  // e_entry
  w.Native(header_size);                                // e_phoff
  w.Native(0);                                          // e_shoff
  w.Word(a.flags);
  w.Half(header_size);
  w.Half(segment_size);
  w.Half(1);  // e_phnum
  w.Half(0);  // e_shentsize
  w.Half(0);  // e_shnum
  w.Half(0);  // e_shstrndx

  w.Word(PT_LOAD);
  if (wide) w.Word(PF_R | PF_X);
  w.Native(0);             // p_offset
  w.Native(kLoadAddress);  // p_vaddr
  w.Native(kLoadAddress);  // p_paddr
  w.Native(file_size);     // p_filesz
  w.Native(file_size);     // p_memsz
  if (!wide) w.Word(PF_R | PF_X);
  w.Native(kLargestPage);  // p_align
  w.Raw(code);
  return w.bytes();
}

}  // namespace

std::vector<Platform> PlatformsWithTinyProgram() {
  std::vector<Platform> result;
  for (const Architecture& a : kArchitectures) result.push_back({"linux", a.arch, a.variant});
  return result;
}

std::string TinyProgram(const Platform& platform, uint8_t code) {
  for (const Architecture& a : kArchitectures) {
    if (platform == Platform{"linux", a.arch, a.variant})
      return Executable(a, a.read() + a.exit_code(code));
  }
  return "";
}

}  // namespace manyarch::worker
