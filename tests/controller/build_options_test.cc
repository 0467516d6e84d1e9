#include "controller/rpc/build_options.h"

#include <functional>

#include "common/base/build_values.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::controller::rpc {
namespace {

using ::testing::HasSubstr;

std::string Refusal(const std::function<void(v1::JobSpec&)>& set) {
  v1::JobSpec spec;
  set(spec);
  const absl::Status status = CheckBuildOptions(spec);
  EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(CheckBuildOptions, EachRefusalSaysWhatIsWrong) {
  struct Row {
    std::function<void(v1::BuildOptions&)> set;
    const char* says;
  };
  const Row rows[] = {
      {[](v1::BuildOptions& o) { o.add_build_args()->set_name("a=b"); }, "build argument 'a=b'"},
      {[](v1::BuildOptions& o) { o.add_labels(); }, "label ''"},
      {[](v1::BuildOptions& o) { o.add_cache_from("r/c:tag"); }, "--cache-from"},
      {[](v1::BuildOptions& o) { o.add_cache_to("--evil"); }, "--cache-to"},
      {[](v1::BuildOptions& o) { o.set_timestamp(-1); }, "timestamp -1"},
      {[](v1::BuildOptions& o) { o.add_add_hosts("a"); }, "added host 'a'"},
      {[](v1::BuildOptions& o) { o.set_network("bridge"); }, "network 'bridge'"},
      {[](v1::BuildOptions& o) { o.set_memory_bytes(5); }, "5 bytes"},
      {[](v1::BuildOptions& o) { o.set_cpu_millis(-1); }, "CPUs"},
      {[](v1::BuildOptions& o) { o.add_secret_ids("a/b"); }, "secret id 'a/b'"},
      {[](v1::BuildOptions& o) {
         o.add_ssh_ids("a");
         o.add_ssh_ids("a");
       },
       "ssh key 'a' is given twice"},
      {[](v1::BuildOptions& o) { o.add_annotations()->set_name("a"); }, "--format oci"},
      {[](v1::BuildOptions& o) {
         o.set_squash(true);
         o.add_cache_to("r.example/c");
       },
       "squashed"},
      {[](v1::BuildOptions& o) {
         o.set_network("none");
         o.add_add_hosts("a:1.2.3.4");
       },
       "/etc/hosts"},
  };
  for (const Row& row : rows) {
    EXPECT_THAT(Refusal([&](v1::JobSpec& s) { row.set(*s.mutable_options()); }),
                HasSubstr(row.says));
  }
}

TEST(CheckBuildOptions, BringsThemIntoNormalForm) {
  v1::JobSpec spec;
  spec.set_format(v1::IMAGE_FORMAT_OCI);
  spec.mutable_options()->add_cache_from("library/cache");
  spec.mutable_options()->set_network("default");
  spec.mutable_options()->add_annotations()->set_name("a");
  ASSERT_TRUE(CheckBuildOptions(spec).ok()) << CheckBuildOptions(spec);
  EXPECT_EQ(spec.options().cache_from(0), "docker.io/library/cache");
  EXPECT_EQ(spec.options().network(), "");
}

v1::Secret Secret(const std::string& id, size_t size = 5) {
  v1::Secret secret;
  secret.set_id(id);
  secret.set_value(std::string(size, 'x'));
  return secret;
}

TEST(CheckSecrets, JustThoseThatAreNamedMustHaveCome) {
  v1::BuildOptions options;
  options.add_secret_ids("npm");
  options.add_ssh_ids("git");
  EXPECT_TRUE(CheckSecrets(options, {{Secret("npm")}, {Secret("git")}, ""}).ok());
  EXPECT_THAT(std::string(CheckSecrets(options, {{}, {Secret("git")}, ""}).message()),
              HasSubstr("the secret 'npm' did not come"));
  EXPECT_THAT(std::string(CheckSecrets(options, {{Secret("npm")}, {}, ""}).message()),
              HasSubstr("the ssh key 'git' did not come"));
  EXPECT_FALSE(CheckSecrets(options, {{Secret("npm"), Secret("pip")}, {Secret("git")}, ""}).ok());
  EXPECT_FALSE(CheckSecrets(options, {{Secret("npm"), Secret("npm")}, {Secret("git")}, ""}).ok());
}

TEST(CheckSecrets, TheirSizesAreLimitedAloneAndTogether) {
  v1::BuildOptions options;
  JobSecrets secrets;
  for (int i = 0; i < 6; ++i) {
    options.add_secret_ids(std::to_string(i));
    secrets.secrets.push_back(Secret(std::to_string(i), kLargestSecret));
  }
  EXPECT_TRUE(CheckSecrets(options, secrets).ok());
  secrets.authfile = "{}";
  EXPECT_THAT(std::string(CheckSecrets(options, secrets).message()), HasSubstr("together"));
  secrets.authfile.clear();
  secrets.secrets[0] = Secret("0", kLargestSecret + 1);
  EXPECT_THAT(std::string(CheckSecrets(options, secrets).message()), HasSubstr("at most 524288"));
}

}  // namespace
}  // namespace manyarch::controller::rpc
