#include "worker/build/store_contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace manyarch::worker {
namespace {

using ::testing::ElementsAre;

absl::Time At(int64_t seconds) { return absl::FromUnixSeconds(seconds); }

std::vector<std::string> Names(const std::vector<StoreContents>& stores, int64_t bytes) {
  std::vector<std::string> names;
  for (const Removal& removal : UsedLongestAgo(stores, bytes)) {
    names.push_back(absl::StrCat(removal.store, ":", removal.image));
  }
  return names;
}

// A base with two images on it, one of them with a third on it.
StoreContents Family() {
  StoreContents store;
  store.layers = {{"base", {"", 100}}, {"a", {"base", 10}}, {"b", {"base", 10}}, {"bb", {"b", 10}}};
  store.images = {
      {"base", "base", At(1)}, {"a", "a", At(5)}, {"b", "b", At(2)}, {"bb", "bb", At(9)}};
  return store;
}

TEST(StoreContents, TheImagesUsedLongestAgoGoFirstOverAllStores) {
  StoreContents other;
  other.layers = {{"x", {"", 50}}, {"y", {"", 50}}};
  other.images = {{"x", "x", At(3)}, {"y", "y", At(7)}};
  EXPECT_THAT(Names({Family(), other}, 55), ElementsAre("1:x", "0:a"));
  EXPECT_THAT(Names({Family(), other}, 0), ElementsAre());
}

TEST(StoreContents, WhatOthersAreMadeOfIsAsRecentAsTheyAreAndGoesAfterThem) {
  // The base was stored first and b is older than a; bb, which was used last, stands on both.
  EXPECT_THAT(Names({Family()}, 30), ElementsAre("0:a", "0:bb", "0:b"));
  EXPECT_THAT(Names({Family()}, 1'000), ElementsAre("0:"));
}

TEST(StoreContents, ALayerIsFreedWithTheLastImageThatIsMadeOfIt) {
  StoreContents store;
  store.layers = {{"shared", {"", 100}}, {"top", {"shared", 1}}, {"late", {"", 1}}};
  store.images = {{"one", "shared", At(1)},
                  {"two", "shared", At(2)},
                  {"three", "top", At(0)},
                  {"none", "", At(0)},
                  {"late", "late", At(9)}};
  // An image without layers frees nothing; those with the same layer are used together.
  EXPECT_THAT(Names({store}, 1), ElementsAre("0:three"));
  EXPECT_THAT(Names({store}, 2), ElementsAre("0:three", "0:none", "0:one", "0:two"));
}

TEST(StoreContents, AStoreThatIsMostlyLayersOfNoImageGoesFirstAsAWhole) {
  StoreContents lost = Family();
  EXPECT_EQ(lost.unused_bytes(), 0);
  lost.layers["pulled in part"] = {"", 120};
  EXPECT_EQ(lost.unused_bytes(), 120);
  StoreContents other;
  other.layers = {{"x", {"", 50}}};
  other.images = {{"x", "x", At(0)}};
  // 130 of its 250 bytes are images': it can be made smaller.
  EXPECT_THAT(Names({lost, other}, 60), ElementsAre("1:", "0:a"));
  lost.layers["another"] = {"", 20};
  EXPECT_THAT(Names({other, lost}, 60), ElementsAre("1:"));
  EXPECT_THAT(Names({other, lost}, 0), ElementsAre());
  lost.images.clear();
  EXPECT_THAT(Names({lost, StoreContents()}, 1'000), ElementsAre("0:"));
}

TEST(StoreContents, AStoreWhoseImagesAllGoGoesAsAWhole) {
  StoreContents store = Family();
  store.layers["of no image"] = {"", 30};
  EXPECT_THAT(Names({store}, 131), ElementsAre("0:"));
  EXPECT_THAT(Names({store}, 25), ElementsAre("0:a", "0:bb", "0:b"));
}

TEST(StoreContents, ABrokenStoreHasAnEnd) {
  StoreContents store;
  store.layers = {{"a", {"b", 1}}, {"b", {"a", 1}}};
  store.images = {{"one", "a", At(1)}, {"two", "gone", At(2)}};
  EXPECT_THAT(Names({store}, 1), ElementsAre("0:one"));
  EXPECT_THAT(Names({store}, 100), ElementsAre("0:"));
}

}  // namespace
}  // namespace manyarch::worker
