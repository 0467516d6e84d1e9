#include "cli/commands/build_options.h"

#include "cli/commands/build_flags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Parses as the program does.
absl::StatusOr<v1::JobSpec> Spec(std::vector<std::string> args, const char* epoch = nullptr) {
  CLI::App app;
  BuildFlags flags;
  AddBuildFlags(app, flags);
  args.insert(args.begin(), {"-t", "r.example/x:1"});
  std::reverse(args.begin(), args.end());
  try {
    app.parse(args);
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  const auto getenv = [epoch](const char* name) {
    return std::string(name) == "SOURCE_DATE_EPOCH" ? epoch : nullptr;
  };
  return SpecFromFlags(flags, getenv, "x86_64");
}

v1::BuildOptions Options(const std::vector<std::string>& args) {
  const auto spec = Spec(args);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? spec->options() : v1::BuildOptions();
}

TEST(BuildOptions, CachesAreRepositoriesInEitherSpelling) {
  const v1::BuildOptions options =
      Options({"--cache-from", "r.example/c", "--cache-from=type=registry,ref=library/c",
               "--cache-to", "type=registry,ref=r.example/c,mode=max"});
  EXPECT_THAT(options.cache_from(), ElementsAre("r.example/c", "docker.io/library/c"));
  EXPECT_THAT(options.cache_to(), ElementsAre("r.example/c"));
}

TEST(BuildOptions, TimestampIsTheFlagsElseTheEnvironments) {
  EXPECT_EQ(Options({"--timestamp", "0"}).timestamp(), 0);
  EXPECT_TRUE(Options({"--timestamp", "0"}).has_timestamp());
  EXPECT_FALSE(Options({}).has_timestamp());
  EXPECT_EQ(Spec({}, "1700000000")->options().timestamp(), 1700000000);
  EXPECT_EQ(Spec({"--timestamp=5"}, "1700000000")->options().timestamp(), 5);
  EXPECT_FALSE(Spec({}, "")->options().has_timestamp());
  EXPECT_THAT(std::string(Spec({}, "today").status().message()),
              HasSubstr("SOURCE_DATE_EPOCH in the environment: 'today' is not a number"));
}

TEST(BuildOptions, SizesAndNumbersAreReadAsDockerReadsThem) {
  EXPECT_EQ(Options({"--memory", "512m"}).memory_bytes(), int64_t{512} << 20);
  EXPECT_EQ(Options({"-m", "1.5G"}).memory_bytes(), int64_t{3} << 29);
  EXPECT_EQ(Options({"-m", "8388608"}).memory_bytes(), int64_t{8} << 20);
  EXPECT_EQ(Options({"-m", "64MiB"}).memory_bytes(), int64_t{64} << 20);
  EXPECT_EQ(Options({"--cpus", "1.5"}).cpu_millis(), 1500);
}

TEST(BuildOptions, NetworkHostsSquashAndFormat) {
  const auto spec =
      Spec({"--network", "host", "--add-host", "a:10.0.0.1", "--add-host=b=::1", "--squash",
            "--format", "oci", "--format", "json", "--annotation", "manifest:org.example=x=y"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->options().network(), "host");
  EXPECT_THAT(spec->options().add_hosts(), ElementsAre("a:10.0.0.1", "b:::1"));
  EXPECT_TRUE(spec->options().squash());
  EXPECT_EQ(spec->format(), v1::IMAGE_FORMAT_OCI);
  EXPECT_EQ(spec->options().annotations(0).name(), "org.example");
  EXPECT_EQ(spec->options().annotations(0).value(), "x=y");
  EXPECT_EQ(Options({"--network", "default"}).network(), "");
}

TEST(BuildOptions, SecretsAreNamedInTheSpecNeverTold) {
  const auto spec = Spec({"--secret", "id=a,src=/etc/passwd", "--ssh", "k=/etc/hosts"});
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->options().secret_ids(), ElementsAre("a"));
  EXPECT_THAT(spec->options().ssh_ids(), ElementsAre("k"));
}

TEST(BuildOptions, RefusalsNameTheFlag) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {
      {{"--annotation", "a=b"}, "--annotation: Docker v2s2 images and lists cannot carry"},
      {{"--format", "oci", "--annotation", "index:a=b"}, "only images can be annotated"},
      {{"--format", "oci", "--annotation", "=b"}, "--annotation '=b' has no name"},
      {{"--cache-from", "r.example/c:tag"}, "--cache-from 'r.example/c:tag'"},
      {{"--cache-to", "type=gha"}, "--cache-to: 'type=gha' is not supported"},
      {{"--cache-to", "type=registry"}, "--cache-to 'type=registry'"},
      {{"--cache-to", "type=registry,ref=r/c,mode=min"}, "'mode=min' is not supported"},
      {{"--squash", "--cache-to", "r.example/c"}, "--squash: a squashed build"},
      {{"--squash-all"}, "--squash-all is not supported"},
      {{"--timestamp", "now"}, "--timestamp 'now' is not a number"},
      {{"--timestamp", "-1"}, "--timestamp"},
      {{"--network", "bridge"}, "--network: the network 'bridge'"},
      {{"--add-host", "db"}, "--add-host: the added host 'db'"},
      {{"--add-host", "db:host-gateway"}, "host-gateway"},
      {{"--network", "none", "--add-host", "a:10.0.0.1"}, "--add-host: without a network"},
      {{"-m", "lots"}, "--memory: 'lots' is not a size"},
      {{"-m", "1k"}, "--memory: a memory limit of 1024 bytes"},
      {{"--cpus", "two"}, "--cpus 'two' is not a number"},
      {{"--cpus", "0.001"}, "--cpus: a limit of 0.001 CPUs"},
      {{"--cpus", "nan"}, "--cpus"},
      {{"--format", "xml"}, "--format"},
      {{"--secret", "src=a"}, "has no id"},
      {{"--ssh", "default"}, "agent of this machine"},
  };
  for (const auto& [args, sentence] : rows) {
    const auto spec = Spec(args);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << sentence;
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr(sentence));
  }
}

}  // namespace
}  // namespace manyarch::cli
