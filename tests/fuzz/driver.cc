// Stands in for libFuzzer where the compiler has none: runs each file of a corpus, then mutations
// of them.
//
//   X_fuzz CORPUS_DIRECTORY|FILE...
//
// To see a run again, or another one: MANYARCH_SEED=N; MANYARCH_FUZZ_RUNS=N mutations.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr uint64_t kRuns = 5000;
constexpr size_t kLargest = 1 << 16;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::vector<std::string> Load(int argc, char** argv) {
  std::vector<std::filesystem::path> paths;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      paths.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> out;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return out;
}

class Mutator {
 public:
  Mutator(uint64_t seed, const std::vector<std::string>& corpus) : engine_(seed), corpus_(corpus) {}

  std::string Next() {
    std::string text = corpus_[Below(corpus_.size())];
    for (size_t i = 1 + Below(6); i > 0; --i) Mutate(text);
    text.resize(std::min(text.size(), kLargest));
    return text;
  }

 private:
  // In [0, limit), and 0 for none.
  size_t Below(size_t limit) { return limit == 0 ? 0 : engine_() % limit; }

  void Mutate(std::string& text) {
    static constexpr char kTelling[] = "\"'{}[]:,.@/\\=#?% \t\r\n\0\x1b\x7f\xff\xc3\xa9-+019eE";
    const size_t at = Below(text.size() + 1);
    switch (Below(7)) {
      case 0:
        text.insert(at, 1, static_cast<char>(engine_()));
        break;
      case 1:
        text.insert(at, 1, kTelling[Below(sizeof(kTelling) - 1)]);
        break;
      case 2:
        text.erase(at, 1 + Below(8));
        break;
      case 3:
        if (!text.empty()) text[Below(text.size())] ^= static_cast<char>(1 << Below(8));
        break;
      case 4: {  // A piece of another one.
        const std::string& other = corpus_[Below(corpus_.size())];
        const size_t from = Below(other.size());
        text.insert(at, other.substr(from, 1 + Below(32)));
        break;
      }
      case 5:  // A piece again.
        text.insert(at, text.substr(Below(text.size()), 1 + Below(64)));
        break;
      default:
        text.resize(Below(text.size() + 1));
    }
  }

  std::mt19937_64 engine_;
  const std::vector<std::string>& corpus_;
};

void Run(const std::string& text) {
  // A buffer of its own and exactly as large, so that a sanitizer sees the first byte too many.
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> corpus = Load(argc, argv);
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY|FILE...\n", argv[0]);
    return 2;
  }
  const uint64_t seed = FromEnvironment("MANYARCH_SEED", 1);
  const uint64_t runs = FromEnvironment("MANYARCH_FUZZ_RUNS", kRuns);
  std::printf("%zu files, %llu mutations, MANYARCH_SEED=%llu\n", corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  for (const std::string& text : corpus) Run(text);
  Mutator mutator(seed, corpus);
  for (uint64_t i = 0; i < runs; ++i) Run(mutator.Next());
  return 0;
}
