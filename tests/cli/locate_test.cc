#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "cli/context/walk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Refusal(const std::string& context, const std::string& file) {
  const auto place = LocateContext(context, file);
  EXPECT_EQ(place.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(place.status().message());
}

TEST(LocateContext, ContainerfileComesBeforeDockerfile) {
  const Scratch scratch;
  scratch.File("Dockerfile", "FROM x");
  EXPECT_EQ(LocateContext(scratch.path(), "")->containerfile, "Dockerfile");
  scratch.File("Containerfile", "FROM x");
  EXPECT_EQ(LocateContext(scratch.path(), "")->containerfile, "Containerfile");
}

TEST(LocateContext, AFileIsFoundByItsOwnPathAndByThatInTheContext) {
  const Scratch scratch;
  scratch.File("sub/My.file", "FROM x");
  EXPECT_EQ(LocateContext(scratch.path(), "sub/My.file")->containerfile, "sub/My.file");
  EXPECT_EQ(LocateContext(scratch.path(), scratch.At("sub/My.file"))->containerfile, "sub/My.file");
  EXPECT_EQ(LocateContext(scratch.path(), "sub/../sub/My.file")->containerfile, "sub/My.file");
}

TEST(LocateContext, ALinkedContainerfileBringsWhatItPointsTo) {
  const Scratch scratch;
  scratch.File("real/file", "FROM x");
  scratch.Link("Containerfile", "real/file");
  const auto place = LocateContext(scratch.path(), "");
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(place->containerfile, "Containerfile");
  EXPECT_THAT(place->always, ElementsAre("Containerfile", "real/file"));
}

TEST(LocateContext, AnEmptyContainerfileIsRefused) {
  const Scratch scratch;
  scratch.File("Containerfile", "");
  EXPECT_THAT(Refusal(scratch.path(), ""), HasSubstr("is empty: it must at least have a FROM"));
  scratch.File("Containerfile", "# syntax=docker/dockerfile:1\n\n  \t\n# FROM x\n");
  EXPECT_THAT(Refusal(scratch.path(), ""), HasSubstr("is empty"));
}

TEST(LocateContext, LinksThatAWorkerCouldNotFollowAreRefused) {
  const Scratch scratch;
  scratch.File("outside", "x");
  scratch.File("ctx/Containerfile", "FROM x");
  scratch.File("ctx/rules", "secret");
  const std::string context = scratch.At("ctx");
  for (const char* name : {".containerignore", ".dockerignore", "Containerfile.dockerignore"}) {
    for (const std::string& target :
         {std::string("../outside"), std::string("../nothing"), scratch.At("ctx/rules")}) {
      scratch.Link(absl::StrCat("ctx/", name), target);
      EXPECT_THAT(Refusal(context, ""),
                  AllOf(HasSubstr(name), HasSubstr("leads out of the context")))
          << target;
      ASSERT_EQ(unlink(scratch.At(absl::StrCat("ctx/", name)).c_str()), 0);
    }
  }
  scratch.Link("ctx/.dockerignore", "rules");
  const auto place = LocateContext(context, "");
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_TRUE(place->rules.Ignores("secret"));
  EXPECT_THAT(place->always, ElementsAre("Containerfile", ".dockerignore", "rules"));
  scratch.Link("ctx/Absolute", scratch.At("ctx/Containerfile"));
  EXPECT_THAT(Refusal(context, "Absolute"), HasSubstr("is a link with an absolute path"));
}

TEST(LocateContext, RefusesInSentences) {
  const Scratch scratch;
  scratch.File("ctx/a", "");
  scratch.File("Outside", "FROM x");
  EXPECT_THAT(Refusal(scratch.At("nothing"), ""), HasSubstr("No such file or directory"));
  EXPECT_THAT(Refusal(scratch.At("Outside"), ""), HasSubstr("it is not a directory"));
  EXPECT_THAT(Refusal(scratch.At("ctx"), ""),
              HasSubstr("there is no Containerfile and no Dockerfile in '" + scratch.At("ctx")));
  EXPECT_THAT(Refusal(scratch.At("ctx"), "Nope"), HasSubstr("there is no Containerfile 'Nope'"));
  EXPECT_THAT(Refusal(scratch.At("ctx"), scratch.At("Outside")),
              HasSubstr("is outside the context"));
  scratch.Link("ctx/Containerfile", "../Outside");
  EXPECT_THAT(Refusal(scratch.At("ctx"), ""), HasSubstr("is outside the context"));
  EXPECT_THAT(Refusal("-", ""), HasSubstr("standard input ('-') is not supported yet"));
  EXPECT_THAT(Refusal("https://example.com/x.git", ""), HasSubstr("is not supported yet"));
}

TEST(LocateContext, ContainerignoreComesBeforeDockerignore) {
  const Scratch scratch;
  scratch.File("Containerfile", "FROM x");
  scratch.File(".dockerignore", "docker");
  EXPECT_TRUE(LocateContext(scratch.path(), "")->rules.Ignores("docker"));
  scratch.File(".containerignore", "container");
  const auto place = LocateContext(scratch.path(), "");
  EXPECT_FALSE(place->rules.Ignores("docker"));
  EXPECT_TRUE(place->rules.Ignores("container"));
  EXPECT_THAT(place->always, ElementsAre("Containerfile", ".containerignore"));
  scratch.File(".containerignore", "[");
  EXPECT_THAT(Refusal(scratch.path(), ""), HasSubstr(".containerignore' line 1"));
}

}  // namespace
}  // namespace manyarch::cli
