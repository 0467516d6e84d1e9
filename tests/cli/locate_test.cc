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

TEST(LocateContext, AContainerfileThatIsNoPlainFileOfTheContextIsSentBesideIt) {
  const Scratch scratch;
  scratch.File("ctx/real/file", "FROM x");
  scratch.Link("ctx/Containerfile", "real/file");
  scratch.File("Outside", "FROM y");
  scratch.File("ctx/\xff", "FROM z");
  scratch.Link("ctx/Absolute", scratch.At("ctx/real/file"));
  const std::string context = scratch.At("ctx");
  const auto text = [&](const std::string& file) {
    const auto place = LocateContext(context, file);
    EXPECT_TRUE(place.ok()) << place.status();
    EXPECT_EQ(place->containerfile, "");
    return place->containerfile_text;
  };
  EXPECT_EQ(text(""), "FROM x");
  EXPECT_EQ(text(scratch.At("Outside")), "FROM y");
  EXPECT_EQ(text("\xff"), "FROM z");
  EXPECT_EQ(text("Absolute"), "FROM x");
  // One that the rules ignore is no part of what COPY sees.
  scratch.File("ctx/.dockerignore", "real\n");
  EXPECT_EQ(text("real/file"), "FROM x");
}

TEST(LocateContext, RulesBesideTheContainerfileComeFirst) {
  const Scratch scratch;
  scratch.File("ctx/.dockerignore", "general");
  scratch.File("Outside", "FROM x");
  scratch.File("ctx/sub/Inside", "FROM x");
  const auto rules = [&](const std::string& file) {
    const auto place = LocateContext(scratch.At("ctx"), file);
    EXPECT_TRUE(place.ok()) << place.status();
    return place->rules;
  };
  EXPECT_TRUE(rules(scratch.At("Outside")).Ignores("general"));
  scratch.File("Outside.dockerignore", "docker");
  scratch.File("ctx/sub/Inside.dockerignore", "docker");
  for (const std::string& file : {scratch.At("Outside"), std::string("sub/Inside")}) {
    EXPECT_TRUE(rules(file).Ignores("docker"));
    EXPECT_FALSE(rules(file).Ignores("general"));
  }
  scratch.File("Outside.containerignore", "container");
  EXPECT_TRUE(rules(scratch.At("Outside")).Ignores("container"));
  EXPECT_FALSE(rules(scratch.At("Outside")).Ignores("docker"));
}

TEST(LocateContext, NothingLeadsOutOfSomebodyElsesFiles) {
  const Scratch scratch;
  scratch.File("Secret", "FROM x");
  scratch.File("ctx/Good", "FROM x");
  scratch.Link("ctx/Containerfile", "../Secret");
  scratch.Link("ctx/Named", scratch.At("Secret"));
  const std::string context = scratch.At("ctx");
  EXPECT_EQ(LocateContext(context, "Good", Origin::kForeign)->containerfile, "Good");
  for (const std::string& file :
       {std::string(), std::string("Named"), scratch.At("Secret"), std::string("../Secret")}) {
    EXPECT_EQ(LocateContext(context, file, Origin::kForeign).status().code(),
              absl::StatusCode::kInvalidArgument)
        << file;
  }
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
  scratch.Link("ctx/Containerfile", "../Outside");
  EXPECT_THAT(Refusal(scratch.At("ctx"), ""), HasSubstr("is a link that leads out of"));
  scratch.File("ctx/Containerfile.in", "FROM x");
  EXPECT_THAT(Refusal(scratch.At("ctx"), "Containerfile.in"), HasSubstr("C preprocessor"));
  scratch.File("Large", "FROM x\n" + std::string(kLargestContainerfile, '#'));
  EXPECT_THAT(Refusal(scratch.At("ctx"), scratch.At("Large")), HasSubstr("at most 1048576"));
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
  scratch.File(".containerignore", "[");
  EXPECT_THAT(Refusal(scratch.path(), ""), HasSubstr(".containerignore' line 1"));
}

}  // namespace
}  // namespace manyarch::cli
