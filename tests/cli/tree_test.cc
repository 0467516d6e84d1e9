#include "cli/context/tree.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manyarch/v1/content.pb.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<ContextTree> TreeOf(const Scratch& scratch, int threads = 2) {
  auto place = LocateContext(scratch.path(), "");
  if (!place.ok()) return place.status();
  auto root = WalkContext(*place);
  if (!root.ok()) return root.status();
  return BuildTree(place->directory, *root, DigestCache(), threads);
}

std::string Bytes(const ContextTree& tree, const std::string& digest) {
  for (const Blob& blob : tree.blobs) {
    if (blob.digest == digest) return *ReadBlob(blob);
  }
  ADD_FAILURE() << "no blob " << digest;
  return "";
}

v1::Directory DirectoryOf(const ContextTree& tree, const std::string& digest) {
  v1::Directory directory;
  EXPECT_TRUE(directory.ParseFromString(Bytes(tree, digest)));
  return directory;
}

// All paths of the tree, with what they are: "a/b" → file content, "-> target", or "dir".
void Flatten(const ContextTree& tree, const std::string& digest, const std::string& prefix,
             std::map<std::string, std::string>& out) {
  const v1::Directory directory = DirectoryOf(tree, digest);
  for (const auto& file : directory.files()) {
    std::string content;
    for (const std::string& chunk : file.chunks()) content += Bytes(tree, chunk);
    EXPECT_EQ(file.size(), static_cast<int64_t>(content.size()));
    out[prefix + file.name()] = content;
  }
  for (const auto& link : directory.symlinks()) out[prefix + link.name()] = "-> " + link.target();
  for (const auto& child : directory.directories()) {
    out[prefix + child.name()] = "dir";
    Flatten(tree, child.digest(), prefix + child.name() + "/", out);
  }
}

std::map<std::string, std::string> Contents(const Scratch& scratch) {
  const auto tree = TreeOf(scratch);
  EXPECT_TRUE(tree.ok()) << tree.status();
  std::map<std::string, std::string> out;
  if (tree.ok()) Flatten(*tree, tree->root, "", out);
  return out;
}

TEST(ContextTree, HoldsFilesDirectoriesAndLinksAsTheyAre) {
  const Scratch scratch;
  scratch.File("Containerfile", "FROM x\n");
  scratch.File("src/main.c", "int main;", 0755);
  scratch.File("empty", "");
  scratch.Dir("hollow");
  scratch.Link("abs", "/etc/passwd");
  scratch.Link("dangling", "../../nowhere");
  EXPECT_EQ(Contents(scratch),
            (std::map<std::string, std::string>{{"Containerfile", "FROM x\n"},
                                                {"src", "dir"},
                                                {"src/main.c", "int main;"},
                                                {"empty", ""},
                                                {"hollow", "dir"},
                                                {"abs", "-> /etc/passwd"},
                                                {"dangling", "-> ../../nowhere"}}));
  const auto tree = TreeOf(scratch);
  const v1::Directory root = DirectoryOf(*tree, tree->root);
  EXPECT_EQ(tree->files, 3);
  EXPECT_EQ(tree->bytes, 16);
  for (const auto& file : root.files()) {
    if (file.name() == "empty") {
      EXPECT_EQ(file.chunks_size(), 0);
    }
  }
  const v1::Directory src = DirectoryOf(*tree, root.directories(1).digest());
  EXPECT_EQ(src.files(0).mode(), 0755u);
}

TEST(ContextTree, IsTheSameHoweverItIsRead) {
  const Scratch a;
  const Scratch b;
  const std::vector<std::string> names = {"z", "a", "B", "\xff\xfe", "name with\nnewline", "ä"};
  a.File("Containerfile", "FROM x");
  for (const auto& name : names) a.File(name, "content of " + name);
  for (auto it = names.rbegin(); it != names.rend(); ++it) b.File(*it, "content of " + *it);
  b.File("Containerfile", "FROM x");
  chmod(a.path().c_str(), 0750);
  chmod(b.path().c_str(), 0750);
  const auto first = TreeOf(a, 1);
  const auto second = TreeOf(b, 4);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->root, second->root);
  std::vector<std::string> sorted;
  const v1::Directory directory = DirectoryOf(*first, first->root);
  for (const auto& file : directory.files()) sorted.push_back(file.name());
  EXPECT_THAT(sorted,
              ElementsAre("B", "Containerfile", "a", "name with\nnewline", "z", "ä", "\xff\xfe"));
}

TEST(ContextTree, WhatIsReferredToStandsBeforeAndNothingTwice) {
  const Scratch scratch;
  scratch.File("Containerfile", "same");
  scratch.File("d1/copy", "same");
  scratch.File("d2/copy", "same");
  const auto tree = TreeOf(scratch);
  // One file's content, one of the two equal directories, the root.
  ASSERT_EQ(tree->blobs.size(), 3u);
  EXPECT_EQ(tree->blobs[0].digest, Digest::Of("same").ToString());
  EXPECT_EQ(tree->blobs[2].digest, tree->root);
}

TEST(ContextTree, LargeFilesComeInChunksThatJoinToTheFile) {
  const Scratch scratch;
  std::mt19937 random(7);
  std::string large(5'000'000, '\0');
  for (char& c : large) c = static_cast<char>(random());
  scratch.File("Containerfile", "FROM x");
  scratch.File("large", large);
  scratch.File("limit", large.substr(0, 1 << 20));
  scratch.File("over", large.substr(0, (1 << 20) + 1));
  const auto contents = Contents(scratch);
  EXPECT_TRUE(contents.at("large") == large);
  EXPECT_TRUE(contents.at("over") == large.substr(0, (1 << 20) + 1));
  const auto tree = TreeOf(scratch);
  const v1::Directory root = DirectoryOf(*tree, tree->root);
  EXPECT_GT(root.files(1).chunks_size(), 1);
  EXPECT_EQ(root.files(2).chunks_size(), 1);
}

TEST(ContextTree, IgnoredFilesAreLeftOut) {
  const Scratch scratch;
  scratch.File(".dockerignore", "*\n!src\nsrc/**/*.o\n!a/keep/me\n");
  scratch.File("Containerfile", "FROM x");
  scratch.File("junk", "junk");
  scratch.File("src/x.c", "c");
  scratch.File("src/deep/x.o", "o");
  scratch.File("a/keep/me", "kept");
  scratch.File("a/keep/not", "no");
  scratch.File("b/c/d", "no");
  const auto contents = Contents(scratch);
  std::vector<std::string> paths;
  for (const auto& [path, content] : contents) paths.push_back(path);
  EXPECT_THAT(paths, ElementsAre("a", "a/keep", "a/keep/me", "src", "src/deep", "src/x.c"));
}

TEST(ContextTree, RefusesSocketsPipesAndDevicesUnlessIgnored) {
  const Scratch scratch;
  scratch.File("Containerfile", "FROM x");
  ASSERT_EQ(mkfifo(scratch.At("pipe").c_str(), 0600), 0);
  const auto status = TreeOf(scratch).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'" + scratch.At("pipe") + "' in the context is a named pipe"));
  scratch.File(".containerignore", "pipe\nsock");
  EXPECT_TRUE(TreeOf(scratch).ok());
}

// Root may read everything, so this runs as nobody, in a process of its own.
TEST(ContextTree, NamesTheFileThatCannotBeRead) {
  const Scratch scratch;
  ASSERT_EQ(chmod(scratch.path().c_str(), 0755), 0);
  scratch.File("Containerfile", "FROM x");
  scratch.File("secret", "x", 0);
  scratch.File("ignored/secret", "x", 0);
  scratch.File(".containerignore", "ignored");
  scratch.Dir("ignored", 0);
  const pid_t pid = fork();
  if (pid == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(9);
    const auto status = TreeOf(scratch).status();
    const bool good =
        status.code() == absl::StatusCode::kInvalidArgument &&
        std::string(status.message()).find("cannot read '" + scratch.At("secret")) == 0;
    if (!good) fprintf(stderr, "%s\n", status.ToString().c_str());
    _exit(good ? 0 : 1);
  }
  int ended = 0;
  ASSERT_EQ(waitpid(pid, &ended, 0), pid);
  EXPECT_EQ(ended, 0);
  chmod(scratch.At("ignored").c_str(), 0700);
}

TEST(ContextTree, AFileThatChangesMeanwhileIsNoticed) {
  const Scratch scratch;
  scratch.File("Containerfile", "FROM x");
  const auto tree = TreeOf(scratch);
  scratch.File("Containerfile", "FROM y");
  EXPECT_THAT(std::string(ReadBlob(tree->blobs[0]).status().message()),
              HasSubstr("was changed while the context was being sent"));
}

}  // namespace
}  // namespace manyarch::cli
