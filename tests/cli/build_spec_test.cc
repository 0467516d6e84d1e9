#include <string>
#include <vector>

#include "cli/commands/build_flags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

using testing::HasSubstr;

const char* Env(const char* name) { return std::string(name) == "SET" ? "from env" : nullptr; }

// Parses as the program does.
absl::StatusOr<v1::JobSpec> Spec(std::vector<std::string> args) {
  CLI::App app;
  BuildFlags flags;
  AddBuildFlags(app, flags);
  std::reverse(args.begin(), args.end());
  try {
    app.parse(args);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return SpecFromFlags(flags, Env, "aarch64");
}

TEST(BuildSpec, HasWhatTheFlagsSay) {
  const auto spec = Spec({"-t",
                          "r:5000/a/b:1",
                          "--tag=r:5000/a/b:2",
                          "-t",
                          "r:5000/a/b:1",
                          ".",
                          "--platform",
                          "linux/arm64,armhf",
                          "--platforms",
                          "x86_64",
                          "--build-arg",
                          "A=1=2",
                          "--build-arg",
                          "SET",
                          "--build-arg",
                          "UNSET",
                          "--label",
                          "l=v",
                          "--label",
                          "bare",
                          "--target",
                          "final",
                          "--no-cache",
                          "--pull",
                          "--emulation",
                          "never",
                          "--timeout",
                          "1h30m",
                          "--max-attempts",
                          "5",
                          "--unschedulable-after",
                          "0",
                          "--arch-tags",
                          "off",
                          "--project",
                          "p"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->DebugString(), FromText<v1::JobSpec>(R"(
      principal: "anonymous" project: "p" tags: "r:5000/a/b:1" tags: "r:5000/a/b:2"
      platforms { platform { os: "linux" arch: "amd64" } }
      platforms { platform { os: "linux" arch: "arm64" } }
      platforms { platform { os: "linux" arch: "arm" variant: "v7" } }
      options { build_args { name: "A" value: "1=2" } build_args { name: "SET" value: "from env" }
                target: "final" labels { name: "l" value: "v" } labels { name: "bare" }
                no_cache: true pull: true }
      emulation: EMULATION_POLICY_NEVER build_timeout { seconds: 5400 } max_attempts: 5
      unschedulable_after {} arch_tag_template: "off")")
                                     .DebugString());
}

TEST(BuildSpec, DefaultsAreTheControllersExceptForThePlatform) {
  const auto spec = Spec({".", "-t", "r/x/y"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->tags(0), "docker.io/r/x/y:latest");
  ASSERT_EQ(spec->platforms_size(), 1);
  EXPECT_EQ(spec->platforms(0).platform().arch(), "arm64");
  EXPECT_FALSE(spec->has_unschedulable_after());
  EXPECT_FALSE(spec->has_build_timeout());
}

TEST(BuildSpec, FormatsOfImagesAndOfResultsShareOneFlag) {
  CLI::App app;
  BuildFlags flags;
  AddBuildFlags(app, flags);
  std::vector<std::string> args = {"json", "--format", "oci", "--format"};
  app.parse(args);
  EXPECT_EQ(flags.attach.output, "json");
  EXPECT_EQ(flags.image_format, "oci");

  const auto spec = Spec({".", "-t", "r/x:1", "--format=oci", "--immutable"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->format(), v1::IMAGE_FORMAT_OCI);
  EXPECT_TRUE(spec->immutable());
  EXPECT_EQ(Spec({".", "-t", "r/x:1", "--format", "docker"})->format(), v1::IMAGE_FORMAT_DOCKER);
  EXPECT_EQ(Spec({".", "-t", "r/x:1"})->format(), v1::IMAGE_FORMAT_UNSPECIFIED);
}

TEST(BuildSpec, ATagTakesOneWordSoThatTheContextIsNotSwallowed) {
  CLI::App app;
  BuildFlags flags;
  AddBuildFlags(app, flags);
  std::vector<std::string> args = {"context", "r/x:1", "-t"};
  app.parse(args);
  EXPECT_EQ(flags.context, "context");
}

TEST(BuildSpec, ConstraintsAreLabelsAndHedgingIsAskedFor) {
  const auto spec = Spec(
      {"-t", "r/a:1", "--constraint", "disk=nvme", "--constraint", "zone=a=b", "--hedge", "."});
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ(spec->constraints_size(), 2);
  EXPECT_EQ(spec->constraints(1).name(), "zone");
  EXPECT_EQ(spec->constraints(1).value(), "a=b");
  EXPECT_TRUE(spec->hedge());
  EXPECT_FALSE(Spec({"-t", "r/a:1", "--constraint", "nvme", "."}).ok());
}

TEST(BuildSpec, ThePriorityOfAJobIsItsOwn) {
  EXPECT_EQ(Spec({"-t", "r/a:1", "--priority", "5", "."})->priority(), 5);
  EXPECT_EQ(Spec({"-t", "r/a:1", "--priority", "-100", "."})->priority(), -100);
  EXPECT_EQ(Spec({"-t", "r/a:1", "--priority=100", "."})->priority(), 100);
  EXPECT_FALSE(Spec({"-t", "r/a:1", "."})->has_priority());
}

TEST(BuildSpec, RefusesInSentences) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {
      {{"."}, "no tag given: name the image with -t"},
      {{"-t", "r/UPPER:1"}, "--tag: "},
      {{"-t", "r/x:1", "--platform", "linux/amd46"}, "did you mean 'linux/amd64'?"},
      {{"-t", "r/x:1", "--platform", "arm64,linux/aarch64"}, "--platform: "},
      {{"-t", "r/x:1", "--build-arg", "=x"}, "--build-arg '=x' has no name"},
      {{"-t", "r/x:1", "--label", "=x"}, "--label '=x' has no name"},
      {{"-t", "r/x:1", "--timeout", "soon"}, "--timeout 'soon' is not a duration"},
      {{"-t", "r/x:1", "--timeout", "0"}, "--timeout must be at least 1s"},
      {{"-t", "r/x:1", "--unschedulable-after", "-1s"}, "is out of range"},
      {{"-t", "r/x:1", "--arch-tags", "{tag}"}, "makes no usable tags"},
      {{"-t", "r/x:1", "--arch-tags", "{tag}/{arch}"}, "makes no usable tags"},
      {{"-t", "r/x:1", "--emulation", "maybe"}, "--emulation"},
      {{"-t", "r/x:1", "--format", "v1"}, "--format"},
      {{"-t", "r/x:1", "--constraint", "a=1", "--constraint", "a=2"},
       "--constraint 'a=2' names a label that another --constraint names"},
      {{"-t", "r/x:1", "--constraint", "=1"}, "--constraint '=1' is no label of a worker"},
      {{"-t", "r/x:1", "--emulation", "never", "--hedge"}, "which --emulation never forbids"},
      {{"-t", "r/x:1", "--project", "p\xff"}, "the job's project 'p\\xff' is not UTF-8"},
      {{"-t", "r/x:1", "--constraint", "p=\xff"},
       "the job's constraint value '\\xff' is not UTF-8"},
      {{"-t", "r/x:1", "--build-arg", "caf\xe9=1"}, "the job's build arg name 'caf\\xe9' is not"},
      {{"-t", "r/x:1", "--target", "\xff"}, "the job's target '\\xff' is not UTF-8"},
      {{"-t", "r/x:1", "--priority", "high"}, "--priority 'high' is not a whole number"},
      {{"-t", "r/x:1", "--priority", "1.5"}, "--priority '1.5' is not a whole number"},
      {{"-t", "r/x:1", "--priority", "101"}, "--priority: the priority 101 is out of range"},
      {{"-t", "r/x:1", "--priority=-101"}, "--priority: the priority -101 is out of range"},
      {{"-t", "r/x:1", "-o", "type=tar"}, "--output is not for manyarch"},
      {{"-t", "r/x:1", "--load"}, "--load is not for manyarch"},
      {{"-t", "r/x:1", "--builder", "b"}, "chosen with --farm"},
      {{"-t", "r/x:1", "--pull=never"}, "--pull=never is not supported"},
      {{"-t", "r/x:1", "--load=true"}, "--load is not for manyarch"},
      {{"-t", "r/x:1", "--push=false"}, "it always pushes"},
      {{"-t", "r/x:1", "--provenance=mode=max"}, "--provenance is not supported"},
      {{"-t", "r/x:1", "--sbom", "."}, "--sbom is not supported"},
      {{"-t", "r/x:1", "--compression-format", "zstd"}, "the only kind that Docker v2s2"},
      {{"-t", "r/x:1", "--layers=false"}, "--layers is always on"},
      {{"-t", "r/x:1", "--rm=false"}, "--rm is always on"},
      {{"-t", "r/x:1", "--jobs", "4"}, "--jobs is not needed"},
      {{"-t", "r/x:1", "--isolation=chroot"}, "--isolation is the worker's to know"},
  };
  for (const auto& [args, sentence] : rows) {
    const auto spec = Spec(args);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr(sentence));
  }
}

TEST(BuildSpec, FlagsOfOthersThatAskForWhatIsDoneAnywayAreTaken) {
  const auto spec = Spec({"-t", "r/x:1", "--push", "--load=false", "--provenance=false",
                          "--sbom=false", "--layers", "--rm", "--force-rm=true", "--cleanup", "."});
  EXPECT_TRUE(spec.ok()) << spec.status();
}

TEST(BuildSpec, PullingIsSaidAsDockerOrAsPodmanSaysIt) {
  for (const char* flag : {"--pull", "--pull=true", "--pull=always"}) {
    EXPECT_TRUE(Spec({"-t", "r/x:1", flag, "."})->options().pull()) << flag;
  }
  for (const char* flag : {"--pull=false", "--pull=newer", "--no-cache"}) {
    EXPECT_FALSE(Spec({"-t", "r/x:1", flag, "."})->options().pull()) << flag;
  }
}

// "linux/amd64 linux/riscv64?"
std::string Platforms(const std::vector<std::string>& args) {
  std::vector<std::string> all = {".", "-t", "r/x:1"};
  all.insert(all.end(), args.begin(), args.end());
  const auto spec = Spec(all);
  if (!spec.ok()) return std::string(spec.status().message());
  std::string text;
  for (const v1::PlatformRequest& request : spec->platforms()) {
    text += (text.empty() ? "" : " ") + request.platform().arch() + request.platform().variant() +
            (request.optional() ? "?" : "");
  }
  return text;
}

TEST(BuildSpec, OptionalPlatformsAreMarkedOrNamedApart) {
  EXPECT_EQ(Platforms({"--platform", "linux/amd64,linux/riscv64?"}), "amd64 riscv64?");
  EXPECT_EQ(Platforms({"--platform", "linux/amd64", "--optional", "linux/riscv64,armhf"}),
            "amd64 riscv64? armv7?");
  EXPECT_EQ(Platforms({"--platform", "amd64,arm64", "--optional", "linux/arm64"}), "amd64 arm64?");
  EXPECT_EQ(Platforms({"--optional", "linux/amd64"}), "arm64 amd64?") << "beside this machine's";
  EXPECT_THAT(Platforms({"--platform", "linux/arm64?"}), HasSubstr("every platform is optional"));
  EXPECT_THAT(Platforms({"--platform", "linux/arm64,linux/arm64?"}), HasSubstr("asked for twice"));
  EXPECT_THAT(Platforms({"--optional", "linux/amd46"}), HasSubstr("--optional: "));
  EXPECT_TRUE(Spec({".", "-t", "r/x:1", "--keep-going"})->keep_going());
}

}  // namespace
}  // namespace manyarch::cli
