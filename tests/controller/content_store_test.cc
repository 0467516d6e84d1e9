// Contexts on disk: only whole blobs are ever seen, and only sound trees are accepted.
#include "controller/content/content_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/os/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manyarch/v1/content.pb.h"

namespace manyarch::controller {
namespace {

using ::testing::HasSubstr;

class ContentStoreTest : public ::testing::Test {
 protected:
  Digest Put(const std::string& bytes) {
    ContentStore::Upload upload(store_.get());
    const Digest digest = Digest::Of(bytes);
    EXPECT_TRUE(upload.Add(digest, bytes).ok());
    EXPECT_TRUE(upload.Commit().ok());
    return digest;
  }
  Digest Put(const v1::Directory& directory) { return Put(directory.SerializeAsString()); }

  static v1::Directory DirectoryWith(const std::string& name, const std::string& chunk) {
    v1::Directory directory;
    v1::FileEntry& file = *directory.add_files();
    file.set_name(name);
    file.set_size(1);
    if (!chunk.empty()) file.add_chunks(chunk);
    return directory;
  }

  TempDir dir_ = *TempDir::Make();
  std::unique_ptr<ContentStore> store_ = *ContentStore::Open(dir_.path());
};

TEST_F(ContentStoreTest, WhatWasCommittedIsThereAfterAReopening) {
  const Digest digest = Put(std::string("hello\0world", 11));
  store_ = *ContentStore::Open(dir_.path());
  EXPECT_TRUE(store_->Has(digest));
  EXPECT_EQ(*store_->Get(digest), std::string("hello\0world", 11));
}

TEST_F(ContentStoreTest, NothingOfAnUploadIsSeenBeforeItsCommit) {
  const Digest digest = Digest::Of("x");
  {
    ContentStore::Upload upload(store_.get());
    ASSERT_TRUE(upload.Add(digest, "x").ok());
    EXPECT_FALSE(store_->Has(digest));
  }
  EXPECT_FALSE(store_->Has(digest));
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path() + "/incoming"));
  EXPECT_THAT(store_->Get(digest).status().message(), HasSubstr(digest.ToString()));
}

TEST_F(ContentStoreTest, BytesOfAnotherDigestAreRefused) {
  ContentStore::Upload upload(store_.get());
  EXPECT_EQ(upload.Add(Digest::Of("x"), "y").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ContentStoreTest, AWholeTreeIsSound) {
  v1::Directory root = DirectoryWith("file", Put("x").ToString());
  v1::DirectoryEntry& child = *root.add_directories();
  child.set_name("child");
  child.set_digest(Put(v1::Directory()).ToString());
  v1::SymlinkEntry& link = *root.add_symlinks();
  link.set_name("link");
  link.set_target("../anywhere");
  EXPECT_TRUE(store_->CheckTree(Put(root)).ok());
}

struct HostileCase {
  const char* name;
  std::string entry;
  const char* message;
};

TEST_F(ContentStoreTest, HostileAndIncompleteTreesAreRefusedByName) {
  const std::string there = Put("x").ToString();
  const HostileCase cases[] = {
      {"parent", "..", "impossible name '..'"},
      {"self", ".", "impossible name '.'"},
      {"slash", "a/b", "impossible name 'a/b'"},
      {"absolute", "/etc", "impossible name '/etc'"},
      {"empty", "", "impossible name ''"},
      {"nul", std::string("a\0b", 3), "impossible name 'a\\"},
      {"long", std::string(256, 'a'), "impossible name"},
  };
  for (const HostileCase& c : cases) {
    SCOPED_TRACE(c.name);
    const absl::Status status = store_->CheckTree(Put(DirectoryWith(c.entry, there)));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(c.message));
  }
  const absl::Status missing =
      store_->CheckTree(Put(DirectoryWith("file", Digest::Of("absent").ToString())));
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(missing.message(), HasSubstr("'file'"));
  v1::Directory twice = DirectoryWith("same", there);
  *twice.add_files() = twice.files(0);
  EXPECT_THAT(store_->CheckTree(Put(twice)).message(), HasSubstr("two entries"));
  EXPECT_THAT(store_->CheckTree(Put("no directory at all")).message(),
              HasSubstr("not a Directory"));
}

TEST_F(ContentStoreTest, SizesThatOverflowAreRefused) {
  v1::Directory root = DirectoryWith("a", Put("x").ToString());
  *root.add_files() = root.files(0);
  root.mutable_files(1)->set_name("b");
  root.mutable_files(1)->set_size(INT64_MAX);
  EXPECT_THAT(store_->CheckTree(Put(root)).message(), HasSubstr("larger than"));
  root.mutable_files(1)->set_size(-1);
  EXPECT_THAT(store_->CheckTree(Put(root)).message(), HasSubstr("negative size"));
  root.mutable_files(1)->set_size(2);
  EXPECT_THAT(store_->CheckTree(Put(root)).message(),
              HasSubstr("'b' has a size that does not fit"));
}

TEST_F(ContentStoreTest, ATreeThatIsTooDeepIsRefused) {
  Digest digest = Put(v1::Directory());
  for (int i = 0; i < 200; ++i) {
    v1::Directory parent;
    v1::DirectoryEntry& child = *parent.add_directories();
    child.set_name("d");
    child.set_digest(digest.ToString());
    digest = Put(parent);
  }
  EXPECT_THAT(store_->CheckTree(digest).message(), HasSubstr("directories deep"));
}

TEST_F(ContentStoreTest, ASmallTreeThatUnfoldsIntoAnEndlessOneIsRefusedAtOnce) {
  Digest digest = Put(DirectoryWith("f", Put("x").ToString()));
  for (int i = 0; i < 100; ++i) {
    v1::Directory parent;
    for (const char* name : {"a", "b", "c"}) {
      v1::DirectoryEntry& child = *parent.add_directories();
      child.set_name(name);
      child.set_digest(digest.ToString());
    }
    digest = Put(parent);
  }
  EXPECT_THAT(store_->CheckTree(digest).message(), HasSubstr("more than 2000000 entries"));
}

TEST_F(ContentStoreTest, LimitsAreTheOperators) {
  TreeLimits limits;
  limits.entries = 2;
  limits.bytes = 2;
  limits.depth = 1;
  store_ = *ContentStore::Open(dir_.path(), limits);
  v1::Directory root;
  for (const char* name : {"a", "b", "c"}) {
    v1::FileEntry& file = *root.add_files();
    file.set_name(name);
  }
  EXPECT_THAT(store_->CheckTree(Put(root)).message(), HasSubstr("more than 2 entries"));
  EXPECT_THAT(store_->CheckTree(Put(DirectoryWith("f", Put("xyz").ToString()))).code(),
              absl::StatusCode::kInvalidArgument);
  v1::Directory wrong_order;
  for (const char* name : {"b", "a"}) wrong_order.add_files()->set_name(name);
  EXPECT_THAT(store_->CheckTree(Put(wrong_order)).message(), HasSubstr("'a' is out of order"));
  v1::Directory mode;
  mode.set_mode(0100755);
  EXPECT_THAT(store_->CheckTree(Put(mode)).message(), HasSubstr("more than permissions"));
}

class SweepTest : public ContentStoreTest {
 protected:
  struct Tree {
    Digest root;
    Digest chunk;
  };
  // A sound tree with a file of `size` bytes, checked, and all of it last used `age` ago.
  Tree MakeTree(const std::string& name, size_t size, absl::Duration age) {
    const Digest chunk = Put(std::string(size, name[0]));
    v1::Directory directory = DirectoryWith(name, chunk.ToString());
    directory.mutable_files(0)->set_size(static_cast<int64_t>(size));
    const Tree tree{Put(directory), chunk};
    EXPECT_TRUE(store_->CheckTree(tree.root).ok());
    SetAge(tree, age);
    return tree;
  }
  void SetAge(const Tree& tree, absl::Duration age) {
    SetAge("/roots/" + std::string(tree.root.hex()), age);
    for (const Digest& digest : {tree.root, tree.chunk}) {
      SetAge(absl::StrCat("/sha256/", digest.hex().substr(0, 2), "/", digest.hex()), age);
    }
  }
  void SetAge(const std::string& file, absl::Duration age) {
    const timespec time = absl::ToTimespec(now_ - age);
    const timespec times[2] = {time, time};
    // A sweep beside this may have removed it.
    utimensat(AT_FDCWD, (dir_.path() + file).c_str(), times, 0);
  }
  ContentStore::Swept Sweep(int64_t limit, const std::vector<Digest>& live = {}) {
    auto swept = store_->Sweep(limit, now_, [&] { return live; });
    EXPECT_TRUE(swept.ok()) << swept.status();
    return *swept;
  }
  // Without touching it.
  bool IsThere(const Digest& digest) const {
    return PathExists(
        absl::StrCat(dir_.path(), "/sha256/", digest.hex().substr(0, 2), "/", digest.hex()));
  }

  const absl::Time now_ = absl::Now();
};

TEST_F(SweepTest, GivesUpTheTreeUsedLongestAgoAndNoMoreThanNeeded) {
  const Tree oldest = MakeTree("a", 10'000, absl::Hours(50));
  const Tree older = MakeTree("b", 10'000, absl::Hours(40));
  const Tree old = MakeTree("c", 10'000, absl::Hours(30));
  EXPECT_EQ(Sweep(100'000).removed_blobs, 0);
  const ContentStore::Swept swept = Sweep(29'000);
  EXPECT_FALSE(IsThere(oldest.root));
  EXPECT_FALSE(IsThere(oldest.chunk));
  EXPECT_TRUE(IsThere(older.chunk) && IsThere(older.root));
  EXPECT_TRUE(IsThere(old.chunk) && IsThere(old.root));
  EXPECT_EQ(swept.removed_blobs, 2);
  EXPECT_EQ(store_->bytes(), swept.left_bytes);
  EXPECT_TRUE(store_->CheckTree(old.root).ok());
  // What was known to be sound is looked at again.
  EXPECT_EQ(store_->CheckTree(oldest.root).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SweepTest, ATreeUsedAgainIsNotOldAndPartsAreAsOldAsTheirYoungestTree) {
  const Tree first = MakeTree("a", 10'000, absl::Hours(50));
  const Tree second = MakeTree("b", 10'000, absl::Hours(40));
  // The same file in another tree.
  v1::Directory sharing = DirectoryWith("other", first.chunk.ToString());
  sharing.mutable_files(0)->set_size(10'000);
  const Digest root = Put(sharing);
  ASSERT_TRUE(store_->CheckTree(root).ok());
  SetAge(first, absl::Hours(50));
  Sweep(15'000);
  EXPECT_TRUE(IsThere(first.chunk) && IsThere(root));
  EXPECT_FALSE(IsThere(second.chunk));
}

TEST_F(SweepTest, NeverTakesWhatALiveJobNeedsHoweverOld) {
  const Tree live = MakeTree("a", 10'000, absl::Hours(500));
  const Tree dead = MakeTree("b", 10'000, absl::Hours(2));
  const ContentStore::Swept swept = Sweep(0, {live.root});
  EXPECT_TRUE(IsThere(live.root) && IsThere(live.chunk));
  EXPECT_FALSE(IsThere(dead.root) || IsThere(dead.chunk));
  EXPECT_GT(swept.live_bytes, 10'000);
  // Once its job has ended, it counts as used until then.
  EXPECT_EQ(Sweep(0).removed_blobs, 0);
}

TEST_F(SweepTest, NeverTakesWhatWasStoredAskedForOrCheckedWithinTheHour) {
  const Tree asked = MakeTree("a", 10'000, absl::Hours(50));
  const Tree checked = MakeTree("b", 10'000, absl::Hours(50));
  const Digest stored = Put("not part of any tree yet");
  EXPECT_TRUE(store_->Has(asked.root));
  EXPECT_TRUE(store_->CheckTree(checked.root).ok());
  EXPECT_EQ(Sweep(0).removed_blobs, 0);
  EXPECT_TRUE(IsThere(asked.chunk) && IsThere(checked.chunk) && IsThere(stored));
}

TEST_F(SweepTest, WhatIsAskedForDuringASweepIsKept) {
  const Tree submitted = MakeTree("a", 10'000, absl::Hours(50));
  const Tree old = MakeTree("b", 10'000, absl::Hours(50));
  auto swept = store_->Sweep(0, now_, [&]() -> absl::StatusOr<std::vector<Digest>> {
    // After the sweep has listed what there is and how old: another call submits a job.
    EXPECT_TRUE(store_->CheckTree(submitted.root).ok());
    return std::vector<Digest>();
  });
  ASSERT_TRUE(swept.ok());
  EXPECT_TRUE(IsThere(submitted.root) && IsThere(submitted.chunk));
  EXPECT_FALSE(IsThere(old.root));
}

TEST_F(SweepTest, SubmissionsBesideSweepsEitherSeeAWholeTreeOrAreToldThatItIsNot) {
  std::vector<Tree> trees;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    trees.push_back(MakeTree(name, 1'000, absl::Hours(50)));
  }
  std::atomic<bool> over = false;
  std::thread sweeper([&] {
    while (!over) Sweep(0);
  });
  for (int round = 0; round < 200; ++round) {
    const size_t i = static_cast<size_t>(round) % trees.size();
    const Tree& tree = trees[i];
    if (store_->CheckTree(tree.root).ok()) {
      EXPECT_TRUE(IsThere(tree.root) && IsThere(tree.chunk)) << round;
      if (round % 3 == 0) SetAge(tree, absl::Hours(50));
    } else {
      MakeTree(std::string(1, static_cast<char>('a' + i)), 1'000, absl::ZeroDuration());
    }
  }
  over = true;
  sweeper.join();
}

}  // namespace
}  // namespace manyarch::controller
