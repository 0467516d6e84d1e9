// Writes a static program that does nothing but end with exit code 0.
//
//   tiny-program ARCH FILE     e.g. riscv64
#include "worker/platform/tiny_program.h"

#include <cstdio>
#include <string>

#include "common/os/files.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string program = manyarch::worker::TinyProgram({"linux", argv[1], ""}, 0);
  if (program.empty()) {
    std::fprintf(stderr, "tiny-program: there is none for %s\n", argv[1]);
    return 1;
  }
  const absl::Status status = manyarch::WriteFileAtomic(argv[2], program, 0755);
  if (!status.ok()) std::fprintf(stderr, "tiny-program: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
