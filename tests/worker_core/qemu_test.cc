#include "worker/core/qemu.h"

#include <gtest/gtest.h>

namespace manyarch::worker {
namespace {

TEST(Qemu, HasNamesOfItsOwnForArchitectures) {
  EXPECT_EQ(QemuName("amd64"), "x86_64");
  EXPECT_EQ(QemuName("386"), "i386");
  EXPECT_EQ(QemuName("arm64"), "aarch64");
  EXPECT_EQ(QemuName("s390x"), "s390x");
}

TEST(Qemu, IsToldByTheNameOfTheProgram) {
  const struct {
    const char* program;
    const char* arch;
  } rows[] = {{"/usr/bin/qemu-aarch64-static", "arm64"},
              {"/usr/bin/qemu-aarch64-static (deleted)", "arm64"},
              {"/usr/bin/buildkit-qemu-aarch64", "arm64"},
              {"qemu-i386", "386"},
              {"/usr/bin/qemu-x86_64.old", "amd64"},
              {"/usr/bin/qemu-arm", "arm"},
              {"/usr/bin/qemu-ppc64le-static", "ppc64le"},
              {"/usr/bin/qemu-system-aarch64", ""},
              {"/opt/qemu-9.1/bin/sh", ""},
              {"/bin/sleep", ""},
              {"/usr/bin/qemu-", ""},
              {"", ""}};
  for (const auto& row : rows) EXPECT_EQ(EmulatedArch(row.program), row.arch) << row.program;
}

}  // namespace
}  // namespace manyarch::worker
