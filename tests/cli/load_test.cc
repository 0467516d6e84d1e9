// What the command line names, as trees to send and a spec that refers to them.
#include "cli/context/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "manyarch/v1/content.pb.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LoadContextTest : public testing::Test {
 protected:
  absl::StatusOr<LoadedContext> Load(const std::string& context, const std::string& file = "",
                                     const std::vector<std::string>& named = {},
                                     const std::string& input = "") {
    scratch_.File("input", input);
    const UniqueFd fd(open(scratch_.At("input").c_str(), O_RDONLY | O_CLOEXEC));
    ContextRequest request;
    request.context = context;
    request.file = file;
    request.named = named;
    request.standard_input = fd.get();
    temporary_.emplace();
    request.temporary = &*temporary_;
    spec_.Clear();
    return LoadContext(request, spec_);
  }
  std::string Refusal(const std::string& context, const std::string& file = "",
                      const std::vector<std::string>& named = {}, const std::string& input = "") {
    const auto loaded = Load(context, file, named, input);
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInvalidArgument) << loaded.status();
    return std::string(loaded.status().message());
  }
  static std::vector<std::string> FilesOf(const ContextTree& tree) {
    v1::Directory directory;
    EXPECT_TRUE(directory.ParseFromString(tree.blobs.back().bytes));
    std::vector<std::string> names;
    for (const auto& file : directory.files()) names.push_back(file.name());
    return names;
  }
  std::string Tar(const std::string& directory, const std::string& how = "--no-auto-compress") {
    return *RunChecked({.argv = {"tar", "-C", scratch_.At(directory), how, "-c", "."}});
  }

  Scratch scratch_;
  v1::JobSpec spec_;
  std::optional<TemporaryDirs> temporary_;
};

TEST_F(LoadContextTest, ADirectoryWithItsContainerfileInside) {
  scratch_.File("ctx/Containerfile", "FROM x");
  const auto loaded = Load(scratch_.At("ctx"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->trees.size(), 1u);
  EXPECT_EQ(spec_.context_root(), loaded->trees[0].root);
  EXPECT_EQ(spec_.options().containerfile(), "Containerfile");
  EXPECT_EQ(spec_.options().containerfile_digest(), "");
  EXPECT_EQ(spec_.source(), "directory '" + scratch_.At("ctx") + "'");
}

TEST_F(LoadContextTest, AContainerfileBesideTheContextIsOneBlob) {
  scratch_.File("ctx/a", "x");
  scratch_.File("Outside", "FROM x");
  for (const bool standard_input : {false, true}) {
    const auto loaded = standard_input ? Load(scratch_.At("ctx"), "-", {}, "FROM x")
                                       : Load(scratch_.At("ctx"), scratch_.At("Outside"));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_EQ(loaded->trees.size(), 2u);
    EXPECT_EQ(spec_.options().containerfile(), "");
    EXPECT_EQ(spec_.options().containerfile_digest(), Digest::Of("FROM x").ToString());
    EXPECT_EQ(loaded->trees[1].root, spec_.options().containerfile_digest());
    EXPECT_THAT(FilesOf(loaded->trees[0]), ElementsAre("a"));
  }
}

TEST_F(LoadContextTest, AnArchiveOnStandardInputIsTheTreeThatWasPacked) {
  scratch_.File("ctx/Containerfile", "FROM x");
  scratch_.File("ctx/sub/b", std::string(2 << 20, 'b'));
  scratch_.File("ctx/junk", "j");
  scratch_.File("ctx/.dockerignore", "junk\nContainerfile\n");
  chmod(scratch_.At("ctx").c_str(), 0755);
  const auto direct = Load(scratch_.At("ctx"));
  ASSERT_TRUE(direct.ok()) << direct.status();
  const v1::JobSpec spec = spec_;
  for (const char* how : {"--no-auto-compress", "--gzip", "--zstd", "--xz"}) {
    const auto loaded = Load("-", "", {}, Tar("ctx", how));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(spec_.context_root(), spec.context_root()) << how;
    EXPECT_EQ(spec_.options().containerfile_digest(), Digest::Of("FROM x").ToString());
    EXPECT_EQ(spec_.options().containerfile(), "");
    EXPECT_EQ(spec_.source(), "standard input");
    for (const Blob& blob : loaded->trees[0].blobs) EXPECT_TRUE(ReadBlob(blob).ok());
  }
}

TEST_F(LoadContextTest, AContainerfileAloneOnStandardInputHasAnEmptyContext) {
  const auto loaded = Load("-", "", {}, "FROM scratch\nLABEL a=b\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(FilesOf(loaded->trees[0]), ElementsAre());
  EXPECT_EQ(spec_.options().containerfile_digest(),
            Digest::Of("FROM scratch\nLABEL a=b\n").ToString());
}

TEST_F(LoadContextTest, StandardInputIsRefusedInSentences) {
  scratch_.File("ctx/a", "x");
  EXPECT_THAT(Refusal("-", "-"), HasSubstr("cannot both come from standard input"));
  EXPECT_THAT(Refusal("-"), HasSubstr("nothing came on standard input"));
  EXPECT_THAT(Refusal("-", "", {}, std::string("FROM\0x", 6)), HasSubstr("neither a tar archive"));
  EXPECT_THAT(Refusal("-", "", {}, "# nothing\n"), HasSubstr("is empty"));
  EXPECT_THAT(Refusal("-", "", {}, Tar("ctx")), HasSubstr("at the top of the archive"));
  EXPECT_THAT(Refusal("-", "b", {}, Tar("ctx")), HasSubstr("no Containerfile 'b' in the archive"));
  EXPECT_THAT(Refusal(scratch_.At("ctx"), "-", {}, std::string(2 << 20, 'x')),
              HasSubstr("at most 1048576"));
}

TEST_F(LoadContextTest, NamedContextsAreTreesOfTheirOwn) {
  scratch_.File("ctx/Containerfile", "FROM x");
  scratch_.File("lib/code", "c");
  scratch_.File("lib/junk", "j");
  scratch_.File("lib/.dockerignore", "junk");
  const auto loaded =
      Load(scratch_.At("ctx"), "",
           {"lib=" + scratch_.At("lib"), "docker.io/library/base:1=docker-image://r/base:2"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->trees.size(), 2u);
  EXPECT_THAT(FilesOf(loaded->trees[1]), ElementsAre(".dockerignore", "code"));
  ASSERT_EQ(spec_.options().contexts_size(), 2);
  EXPECT_EQ(spec_.options().contexts(0).name(), "lib");
  EXPECT_EQ(spec_.options().contexts(0).root(), loaded->trees[1].root);
  EXPECT_EQ(spec_.options().contexts(1).image(), "r/base:2");
  EXPECT_EQ(spec_.source(),
            "directory '" + scratch_.At("ctx") + "'; lib: directory '" + scratch_.At("lib") + "'");
}

TEST_F(LoadContextTest, WhereItComesFromIsSaidInOneLineThatTheControllerTakes) {
  scratch_.File("od\nd\xff/Containerfile", "FROM x");
  scratch_.File("lib/a", "x");
  std::vector<std::string> named;
  for (int i = 0; i < 100; ++i) {
    named.push_back(absl::StrCat("lib", i, std::string(200, 'x'), "=", scratch_.At("lib")));
  }
  ASSERT_TRUE(Load(scratch_.At("od\nd\xff"), "", named).ok());
  EXPECT_LE(spec_.source().size(), 4096u);
  EXPECT_THAT(spec_.source(), HasSubstr("/od\\nd\\xff'; lib0x"));
}

TEST_F(LoadContextTest, NamedContextsThatCannotBeMeantAreRefused) {
  scratch_.File("ctx/Containerfile", "FROM x");
  const std::string lib = "lib=" + scratch_.At("ctx");
  for (const std::string& bad : {std::string("lib"), std::string("=x"), std::string("lib="),
                                 std::string("-lib=x"), std::string("a b=x")}) {
    EXPECT_THAT(Refusal(scratch_.At("ctx"), "", {bad}), HasSubstr("write it NAME=")) << bad;
  }
  EXPECT_THAT(Refusal(scratch_.At("ctx"), "", {lib, lib}), HasSubstr("given twice"));
  EXPECT_THAT(Refusal(scratch_.At("ctx"), "", {"lib=" + scratch_.At("none")}),
              HasSubstr("No such file"));
  EXPECT_THAT(Refusal(scratch_.At("ctx"), "", {"lib=oci-layout://x"}),
              HasSubstr("is not supported"));
}

TEST_F(LoadContextTest, AGitCommitIsAsItWouldBeOnEveryMachine) {
  scratch_.File("repo/Containerfile", "FROM x", 0600);
  scratch_.File("repo/run", "program", 0700);
  scratch_.Dir("repo/d", 0700);
  scratch_.File("repo/d/f", "x");
  const auto git = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"git", "-C", scratch_.At("repo"), "-c", "user.name=t", "-c",
                               "user.email=t@example.com"});
    ASSERT_TRUE(RunChecked({.argv = args}).ok());
  };
  git({"init", "-q", "."});
  git({"add", "-A"});
  git({"commit", "-q", "-m", "x"});
  const auto loaded = Load("file://" + scratch_.At("repo"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(spec_.source(), testing::MatchesRegex("git file://.* [0-9a-f]{40}"));
  v1::Directory root;
  ASSERT_TRUE(root.ParseFromString(loaded->trees[0].blobs.back().bytes));
  EXPECT_EQ(root.mode(), 0755u);
  EXPECT_EQ(root.files(0).mode(), 0644u);
  EXPECT_EQ(root.files(1).mode(), 0755u);
}

}  // namespace
}  // namespace manyarch::cli
