// Contexts on disk: only whole blobs are ever seen, and only sound trees are accepted.
#include "controller/content/content_store.h"

#include <filesystem>

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
  EXPECT_THAT(store_->CheckTree(Put(root)).message(), HasSubstr("larger than"));
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

}  // namespace
}  // namespace manyarch::controller
