// Directory blobs: whatever is accepted has plain names, in order, none twice.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "google/protobuf/stubs/logging.h"
#include "tests/fuzz/check.h"
#include "worker/cache/tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  // It says at length what it does not like.
  static const bool quiet = google::protobuf::SetLogHandler(nullptr) != nullptr;
  static_cast<void>(quiet);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto node = worker::ParseDirectory(text, "top");
  if (!node.ok()) {
    CheckSentence(absl::Status(node.status().code(), node.status().message().substr(0, 8000)));
    return 0;
  }
  std::set<std::string> names;
  const auto check = [&](const std::string& name) {
    FUZZ_CHECK(!name.empty() && name != "." && name != ".." && name.size() <= 255);
    FUZZ_CHECK(name.find('/') == std::string::npos && name.find('\0') == std::string::npos);
    FUZZ_CHECK(names.insert(name).second);
  };
  for (const auto& file : node->files) {
    check(file.name);
    FUZZ_CHECK(file.mode <= 07777 && file.size >= 0);
  }
  for (const auto& directory : node->directories) check(directory.name);
  for (const auto& link : node->links) {
    check(link.name);
    FUZZ_CHECK(!link.target.empty());
  }
  FUZZ_CHECK(node->mode <= 07777);
  return 0;
}
