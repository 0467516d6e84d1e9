// Chunks join to the whole, keep their limits, and do not depend on how the bytes come.
#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/context/hash_file.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch::cli;
  if (size == 0) return 0;
  // Large enough for chunks, made of the input.
  std::string bytes;
  uint64_t state = 1;
  const size_t wanted = (size_t{1} << 20) + (size_t{data[0]} << 12);
  while (bytes.size() < wanted) {
    state = state * 6364136223846793005U + data[bytes.size() % size];
    bytes.push_back(static_cast<char>(state >> 56));
  }
  ContentHasher whole;
  whole.Add(bytes);
  const FileContent content = whole.Finish();
  ContentHasher parts;
  const size_t step = 1 + size_t{data[size - 1]} * 997;
  for (size_t at = 0; at < bytes.size(); at += step) {
    parts.Add(absl::string_view(bytes).substr(at, step));
  }
  FUZZ_CHECK(parts.Finish() == content);
  int64_t at = 0;
  for (const Chunk& chunk : content.chunks) {
    FUZZ_CHECK(chunk.offset == at);
    FUZZ_CHECK(chunk.size > 0 && chunk.size <= static_cast<int64_t>(kMaxChunk));
    const auto part = absl::string_view(bytes).substr(static_cast<size_t>(chunk.offset),
                                                      static_cast<size_t>(chunk.size));
    FUZZ_CHECK(manyarch::Digest::Of(part).ToString() == chunk.digest);
    at += chunk.size;
  }
  FUZZ_CHECK(at == content.size && at == static_cast<int64_t>(bytes.size()));
  return 0;
}
