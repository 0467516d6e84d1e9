#include "worker/cache/content_cache.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/os/files.h"
#include "tests/worker/cache/memory_source.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

class ContentCacheTest : public ::testing::Test {
 protected:
  std::string PathOf(const Digest& d) {
    return dir_.path() + "/sha256/" + std::string(d.hex().substr(0, 2)) + "/" +
           std::string(d.hex());
  }
  void SetAge(const Digest& d, int seconds) {
    const timespec times[2] = {{1'000'000 - seconds, 0}, {1'000'000 - seconds, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, PathOf(d).c_str(), times, 0), 0);
  }

  TempDir dir_ = *TempDir::Make();
  std::unique_ptr<ContentCache> cache_ = *ContentCache::Open(dir_.path());
  MemorySource source_;
  StopToken stop_;
};

TEST_F(ContentCacheTest, KeepsBlobsOverAReopening) {
  const Digest d = Digest::Of("hello");
  EXPECT_TRUE(absl::IsNotFound(cache_->Get(d).status()));
  ASSERT_TRUE(cache_->Put(d, "hello").ok());
  cache_ = *ContentCache::Open(dir_.path());
  EXPECT_EQ(*cache_->Get(d), "hello");
}

TEST_F(ContentCacheTest, RefusesBytesThatAreNotTheDigests) {
  const absl::Status status = cache_->Put(Digest::Of("a"), "b");
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_FALSE(cache_->Has(Digest::Of("a")));
}

TEST_F(ContentCacheTest, ADamagedBlobIsAbsentAndFetchedAnew) {
  const Digest d = source_.Add("content");
  ASSERT_TRUE(cache_->Put(d, "content").ok());
  ASSERT_TRUE(WriteFileAtomic(PathOf(d), "c0ntent").ok());
  EXPECT_TRUE(absl::IsNotFound(cache_->Get(d).status()));
  ASSERT_TRUE(cache_->Ensure({d}, source_, stop_).ok());
  EXPECT_EQ(*cache_->Get(d), "content");
}

TEST_F(ContentCacheTest, FetchesOnlyWhatIsMissingAndNothingTwice) {
  const Digest a = source_.Add("a"), b = source_.Add("b"), c = source_.Add("c");
  ASSERT_TRUE(cache_->Put(a, "a").ok());
  ASSERT_TRUE(cache_->Ensure({a, b, b, c}, source_, stop_).ok());
  EXPECT_EQ(source_.calls, 1);
  EXPECT_EQ(source_.fetched, 2);
  ASSERT_TRUE(cache_->Ensure({a, b, c}, source_, stop_).ok());
  EXPECT_EQ(source_.calls, 1);
}

TEST_F(ContentCacheTest, AFailedFetchKeepsWhatHasComeAndNamesWhatIsMissing) {
  const Digest a = source_.Add("a"), absent = Digest::Of("absent");
  const absl::Status status = cache_->Ensure({a, absent}, source_, stop_);
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(absent.ToString()));
  EXPECT_TRUE(cache_->Has(a));
}

TEST_F(ContentCacheTest, PrunesTheLeastRecentlyUsedFirst) {
  const Digest old = Digest::Of("old1"), used = Digest::Of("old2"), fresh = Digest::Of("new1");
  for (const auto& [d, bytes] : {std::pair{old, "old1"}, {used, "old2"}, {fresh, "new1"}}) {
    ASSERT_TRUE(cache_->Put(d, bytes).ok());
  }
  SetAge(old, 200);
  SetAge(used, 300);
  SetAge(fresh, 100);
  ASSERT_TRUE(cache_->Get(used).ok());  // Now the youngest.
  ASSERT_TRUE(cache_->Prune(8, stop_).ok());
  EXPECT_FALSE(cache_->Has(old));
  EXPECT_TRUE(cache_->Has(used));
  EXPECT_TRUE(cache_->Has(fresh));
  ASSERT_TRUE(cache_->Prune(0, stop_).ok());
  EXPECT_FALSE(cache_->Has(fresh));
}

TEST_F(ContentCacheTest, PinnedBlobsStayHoweverOld) {
  const Digest d = Digest::Of("used");
  ASSERT_TRUE(cache_->Put(d, "used").ok());
  SetAge(d, 300);
  {
    ContentCache::Pin first(cache_.get());
    first.Add({d});
    {
      ContentCache::Pin second(cache_.get());
      second.Add({d, d});
    }
    ASSERT_TRUE(cache_->Prune(0, stop_).ok());
    ASSERT_TRUE(cache_->Free(1).ok());
    EXPECT_TRUE(cache_->Has(d));
  }
  ASSERT_TRUE(cache_->Prune(0, stop_).ok());
  EXPECT_FALSE(cache_->Has(d));
}

}  // namespace
}  // namespace manyarch::worker
