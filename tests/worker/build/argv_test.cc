#include "worker/build/argv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manyarch::worker {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

BuildRequest Request() {
  BuildRequest request;
  request.buildah.path = "/usr/bin/buildah";
  request.buildah.version = {1, 28, 2};
  request.buildah.isolation = Isolation::kOci;
  request.store = {"/s/root", "/s/runroot"};
  request.work = WorkPaths("/w");
  request.cgroup_parent = "/manyarch-1/a";
  request.platform.set_os("linux");
  request.platform.set_arch("arm");
  request.platform.set_variant("v7");
  request.containerfile = "/w/context/Containerfile";
  return request;
}

void Add(google::protobuf::RepeatedPtrField<v1::NameValue>* list, const std::string& name,
         const std::string& value) {
  v1::NameValue* item = list->Add();
  item->set_name(name);
  item->set_value(value);
}

TEST(BuildArgv, IsAllThereInItsOrder) {
  EXPECT_THAT(
      BuildArgv(Request()),
      ElementsAre("/usr/bin/buildah", "--root=/s/root", "--runroot=/s/runroot",
                  "--cgroup-manager=cgroupfs", "build", "--platform=linux/arm/v7",
                  "--format=docker", "--layers", "--force-rm", "--isolation=oci", "--runtime=runc",
                  "--runtime-flag=root=/w/runtime", "--cgroup-parent=/manyarch-1/a",
                  "--network=host", "--authfile=/w/auth.json", "--pull=true",
                  "--ignorefile=/w/no-ignore", "--iidfile=/w/image-id",
                  "--file=/w/context/Containerfile", "--", "/w/context"));
}

TEST(BuildArgv, PassesTheJobsOptionsInTheirOrder) {
  BuildRequest request = Request();
  request.options.set_target("final");
  request.options.set_no_cache(true);
  request.options.set_pull(true);
  Add(request.options.mutable_build_args(), "B", "2=3, 4");
  Add(request.options.mutable_build_args(), "A", "");
  Add(request.options.mutable_labels(), "l", "x y");
  const std::vector<std::string> argv = BuildArgv(request);
  const std::vector<std::string> options(argv.begin() + 15, argv.end() - 5);
  EXPECT_THAT(options, ElementsAre("--pull=always", "--no-cache", "--target=final",
                                   "--build-arg=B=2=3, 4", "--build-arg=A=", "--label=l=x y"));
}

TEST(BuildArgv, NamedContextsAreDirectoriesOrImages) {
  BuildRequest request = Request();
  v1::NamedContext& first = *request.options.add_contexts();
  first.set_name("lib");
  first.set_root("sha256:…");
  v1::NamedContext& second = *request.options.add_contexts();
  second.set_name("docker.io/library/base:1");
  second.set_image("r.example/base:2");
  const std::vector<std::string> argv = BuildArgv(request);
  EXPECT_THAT(argv, Contains("--build-context=lib=/w/context-0"));
  EXPECT_THAT(argv, Contains("--build-context=docker.io/library/base:1=docker://r.example/base:2"));
}

TEST(BuildArgv, NoValueCanBecomeAFlag) {
  const std::string evil = "--isolation=rootless";
  BuildRequest request = Request();
  request.options.set_target(evil);
  Add(request.options.mutable_build_args(), evil, evil);
  Add(request.options.mutable_labels(), evil, evil);
  const std::vector<std::string> argv = BuildArgv(request);
  EXPECT_THAT(argv, Not(Contains(evil)));
  EXPECT_THAT(argv, Contains("--build-arg=" + evil + "=" + evil));
  EXPECT_THAT(argv, Contains("--target=" + evil));
}

TEST(BuildArgv, FollowsTheBuildahItIsFor) {
  BuildRequest request = Request();
  request.buildah.version = {1, 39, 3};
  request.buildah.isolation = Isolation::kChroot;
  request.buildah.ulimits = {"nofile=20000:20000"};
  const std::vector<std::string> argv = BuildArgv(request);
  EXPECT_THAT(argv, Contains("--pull=newer"));
  EXPECT_THAT(argv, Contains("--isolation=chroot"));
  EXPECT_THAT(argv, Contains("--ulimit=nofile=20000:20000"));
  EXPECT_THAT(argv, Not(Contains(HasSubstr("runtime-flag"))));
}

TEST(PushArgv, UsesTheStagingTagWhereItMustAndNoTagWhereItCan) {
  BuildRequest request = Request();
  EXPECT_THAT(
      PushArgv(request.buildah, request.store, request.work, "abc", "r:5000/a/b", "j1-arm-1"),
      ElementsAre("/usr/bin/buildah", "--root=/s/root", "--runroot=/s/runroot",
                  "--cgroup-manager=cgroupfs", "push", "--format=v2s2", "--authfile=/w/auth.json",
                  "--digestfile=/w/digest", "--", "abc", "docker://r:5000/a/b:manyarch-j1-arm-1"));
  request.buildah.version = {1, 30, 0};
  EXPECT_EQ(
      PushArgv(request.buildah, request.store, request.work, "abc", "r:5000/a/b", "j1").back(),
      "docker://r:5000/a/b@@unknown-digest@@");
}

TEST(BuildahEnvironment, HasNoneOfTheWorkersOwnButPathProxiesAndCertificates) {
  EXPECT_THAT(BuildahEnvironment(WorkPaths("/w"), {{"PATH", "/bin"},
                                                   {"HOME", "/root"},
                                                   {"REGISTRY_AUTH_FILE", "/root/auth.json"},
                                                   {"AWS_SECRET_ACCESS_KEY", "x"},
                                                   {"https_proxy", "http://p:1"},
                                                   {"SSL_CERT_DIR", "/certs"}}),
              ElementsAre("HOME=/w", "XDG_RUNTIME_DIR=/w", "TMPDIR=/w/tmp",
                          "CONTAINERS_REGISTRIES_CONF=/w/registries.conf", "PATH=/bin",
                          "https_proxy=http://p:1", "SSL_CERT_DIR=/certs"));
}

TEST(RegistriesConf, AllowsPlainHttpForTheHostsGivenOnly) {
  EXPECT_EQ(RegistriesConf({}), "unqualified-search-registries = [\"docker.io\"]\n");
  EXPECT_EQ(RegistriesConf({"127.0.0.1:5000", "a\"b"}),
            "unqualified-search-registries = [\"docker.io\"]\n"
            "\n[[registry]]\nlocation = \"127.0.0.1:5000\"\ninsecure = true\n"
            "\n[[registry]]\nlocation = \"a\\\"b\"\ninsecure = true\n");
}

}  // namespace
}  // namespace manyarch::worker
