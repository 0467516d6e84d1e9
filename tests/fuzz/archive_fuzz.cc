// Archives: whatever is accepted is a tree of plain names within the limits.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/context/archive.h"
#include "common/os/files.h"
#include "tests/fuzz/check.h"

namespace {

int64_t CheckNode(const manyarch::cli::Node& node) {
  using Node = manyarch::cli::Node;
  int64_t entries = 0;
  std::string last;
  for (const Node& child : node.children) {
    FUZZ_CHECK(!child.name.empty() && child.name != "." && child.name != "..");
    FUZZ_CHECK(child.name.find('/') == std::string::npos && child.name.size() <= 255);
    FUZZ_CHECK(last < child.name);
    FUZZ_CHECK(child.mode <= 07777);
    FUZZ_CHECK((child.kind == Node::Kind::kFile) == (child.stored != nullptr));
    FUZZ_CHECK((child.kind == Node::Kind::kSymlink) == !child.target.empty());
    last = child.name;
    entries += 1 + CheckNode(child);
  }
  return entries;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const UniqueFd input(memfd_create("archive", MFD_CLOEXEC));
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  FUZZ_CHECK(WriteAll(input.get(), bytes).ok() && lseek(input.get(), 0, SEEK_SET) == 0);
  static const auto& dir = *new TempDir(*TempDir::Make("fuzz-"));
  const std::string spool = dir.path() + "/spool";
  unlink(spool.c_str());
  cli::ArchiveLimits limits;
  limits.max_entries = 1000;
  limits.max_bytes = int64_t{16} << 20;
  const auto root = cli::ReadArchive(input.get(), "", spool, limits);
  if (root.ok()) {
    FUZZ_CHECK(CheckNode(*root) <= limits.max_entries);
  } else {
    FUZZ_CHECK(!root.status().message().empty());
  }
  return 0;
}
