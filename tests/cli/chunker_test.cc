#include "cli/context/chunker.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace manyarch::cli {
namespace {

std::string RandomText(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// The chunks of `text`, fed in pieces of at most `piece` bytes.
std::vector<std::string> Chunks(absl::string_view text, size_t piece) {
  Chunker chunker;
  std::vector<std::string> chunks = {""};
  while (!text.empty()) {
    absl::string_view data = text.substr(0, piece);
    text.remove_prefix(data.size());
    while (!data.empty()) {
      bool ended = false;
      const size_t n = chunker.Scan(data, &ended);
      chunks.back().append(data.data(), n);
      data.remove_prefix(n);
      if (ended) chunks.emplace_back();
    }
  }
  if (chunks.back().empty()) chunks.pop_back();
  return chunks;
}

std::string Joined(const std::vector<std::string>& chunks) {
  std::string all;
  for (const std::string& chunk : chunks) all += chunk;
  return all;
}

size_t NewChunks(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const std::set<std::string> known(before.begin(), before.end());
  return static_cast<size_t>(std::count_if(
      after.begin(), after.end(), [&](const auto& chunk) { return known.count(chunk) == 0; }));
}

TEST(Chunker, ChunksJoinToTheWholeAndKeepTheLimits) {
  const std::string text = RandomText(24 << 20, 1);
  const auto chunks = Chunks(text, 1 << 20);
  EXPECT_EQ(Joined(chunks), text);
  for (size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_LE(chunks[i].size(), kMaxChunk);
    if (i + 1 < chunks.size()) {
      EXPECT_GE(chunks[i].size(), kMinChunk);
    }
  }
  // Around the average, within a factor of two.
  EXPECT_GT(chunks.size(), 12u);
  EXPECT_LT(chunks.size(), 48u);
}

TEST(Chunker, BordersDoNotDependOnThePieces) {
  const std::string text = RandomText(5 << 20, 2);
  const auto whole = Chunks(text, text.size());
  EXPECT_EQ(Chunks(text, 1000), whole);
  EXPECT_EQ(Chunks(text, (1 << 20) + 1), whole);
}

TEST(Chunker, OneSmallEditTouchesOneOrTwoChunks) {
  const std::string text = RandomText(12 << 20, 3);
  const auto before = Chunks(text, 1 << 20);
  for (const size_t at : {size_t{0}, size_t{5} << 20, size_t{7'000'001}, text.size() - 1}) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] + 1);
    EXPECT_LE(NewChunks(before, Chunks(changed, 1 << 20)), 2u) << at;
    std::string inserted = text;
    inserted.insert(at, "a few more bytes");
    EXPECT_LE(NewChunks(before, Chunks(inserted, 1 << 20)), 3u) << at;
  }
}

TEST(Chunker, TextWithoutAnyVarietyIsCutAtTheMaximum) {
  const auto chunks = Chunks(std::string(10 << 20, 'a'), 1 << 20);
  EXPECT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].size(), kMaxChunk);
}

// Other borders would mean that every large file is sent anew after an upgrade.
TEST(Chunker, BordersAreTheSameInEveryVersion) {
  std::string text(8 << 20, '\0');
  uint64_t x = 12345;
  for (char& c : text) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(x >> 56);
  }
  std::vector<size_t> sizes;
  for (const auto& chunk : Chunks(text, 1 << 20)) sizes.push_back(chunk.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{401462, 1632076, 1057532, 1338349, 1369276, 1121358,
                                        1063084, 405471}));
}

}  // namespace
}  // namespace manyarch::cli
