#include "worker/build/argv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

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

TEST(BuildArgv, NoValueCanBecomeAFlag) {
  const std::string evil = "--isolation=rootless";
  BuildRequest request = Request();
  request.options.set_target(evil);
  Add(request.options.mutable_build_args(), evil, evil);
  Add(request.options.mutable_labels(), evil, evil);
  Add(request.options.mutable_annotations(), evil, evil);
  request.options.add_cache_from(evil);
  request.options.add_cache_to(evil);
  request.options.add_add_hosts(evil);
  request.options.add_secret_ids(evil);
  request.options.add_ssh_ids(evil);
  request.options.add_contexts()->set_name(evil);
  request.options.mutable_contexts(0)->set_image(evil);
  request.options.set_network(evil);
  const std::vector<std::string> argv = BuildArgv(request);
  EXPECT_THAT(argv, Not(Contains(::testing::StartsWith(evil))));
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

// What the options add to a plain command line, in order.
std::vector<std::string> Added(const std::function<void(v1::BuildOptions&)>& set) {
  BuildRequest request = Request();
  const std::vector<std::string> plain = BuildArgv(request);
  set(request.options);
  std::vector<std::string> added;
  for (const std::string& argument : BuildArgv(request)) {
    if (std::find(plain.begin(), plain.end(), argument) == plain.end()) added.push_back(argument);
  }
  return added;
}

TEST(BuildArgv, EachOptionIsPassedOn) {
  using Options = v1::BuildOptions;
  struct Row {
    const char* what;
    std::function<void(Options&)> set;
    std::vector<std::string> added;
  };
  const Row rows[] = {
      {"cache-from",
       [](Options& o) { o.add_cache_from("r:5000/a/cache"); },
       {"--cache-from=r:5000/a/cache-armv7"}},
      {"cache-to",
       [](Options& o) {
         o.add_cache_to("r/c");
         o.add_cache_to("s/c");
       },
       {"--cache-to=r/c-armv7", "--cache-to=s/c-armv7"}},
      {"squash", [](Options& o) { o.set_squash(true); }, {"--layers=false"}},
      {"timestamp of zero", [](Options& o) { o.set_timestamp(0); }, {"--timestamp=0"}},
      {"timestamp", [](Options& o) { o.set_timestamp(1700000000); }, {"--timestamp=1700000000"}},
      {"add-host", [](Options& o) { o.add_add_hosts("db:::1"); }, {"--add-host=db:::1"}},
      {"network none", [](Options& o) { o.set_network("none"); }, {"--network=none"}},
      {"network host", [](Options& o) { o.set_network("host"); }, {}},
      {"memory",
       [](Options& o) { o.set_memory_bytes(int64_t{6} << 30); },
       {"--memory=6442450944b"}},
      {"cpus",
       [](Options& o) { o.set_cpu_millis(1500); },
       {"--cpu-period=100000", "--cpu-quota=150000"}},
      {"annotation",
       [](Options& o) { Add(o.mutable_annotations(), "a", "b=c d"); },
       {"--annotation=a=b=c d"}},
      {"secrets",
       [](Options& o) {
         o.add_secret_ids("npm");
         o.add_secret_ids("pip");
       },
       {"--secret=id=npm,src=/w/secrets/0", "--secret=id=pip,src=/w/secrets/1"}},
      {"ssh", [](Options& o) { o.add_ssh_ids("default"); }, {"--ssh=default=/w/secrets/ssh-0"}},
      {"contexts",
       [](Options& o) {
         v1::NamedContext* context = o.add_contexts();
         context->set_name("base");
         context->set_image("docker.io/library/alpine:3");
         context = o.add_contexts();
         context->set_name("src");
         context->set_root("sha256:1");
       },
       {"--build-context=base=docker://docker.io/library/alpine:3",
        "--build-context=src=/w/context-1"}},
  };
  for (const Row& row : rows) EXPECT_EQ(Added(row.set), row.added) << row.what;
}

TEST(BuildArgv, AnOciImageIsBuiltAsOneAndPushedAsOne) {
  BuildRequest request = Request();
  request.format = v1::IMAGE_FORMAT_OCI;
  EXPECT_THAT(BuildArgv(request), Contains("--format=oci"));
  EXPECT_THAT(BuildArgv(request), Not(Contains("--format=docker")));
  PushRequest push;
  push.format = v1::IMAGE_FORMAT_OCI;
  EXPECT_THAT(PushArgv(push), Contains("--format=oci"));
}

TEST(CacheRepository, HasThePlatformsSuffix) {
  v1::Platform platform;
  platform.set_os("linux");
  platform.set_arch("amd64");
  EXPECT_EQ(CacheRepository("r/c", platform), "r/c-amd64");
  platform.set_arch("arm");
  platform.set_variant("v6");
  EXPECT_EQ(CacheRepository("r/c", platform), "r/c-armv6");
}

TEST(RemoveImagesArgv, TakesIdsWhateverNamesTheImagesHave) {
  EXPECT_THAT(RemoveImagesArgv(Request().buildah, Request().store, {"abc", "def"}),
              ElementsAre("/usr/bin/buildah", "--root=/s/root", "--runroot=/s/runroot",
                          "--cgroup-manager=cgroupfs", "rmi", "--force", "--", "abc", "def"));
}

TEST(PushArgv, UsesTheStagingTagWhereItMustAndNoTagWhereItCan) {
  PushRequest request;
  request.buildah = Request().buildah;
  request.store = Request().store;
  request.work = WorkPaths("/w");
  request.image_id = "abc";
  request.repository = "r:5000/a/b";
  request.attempt_id = "j1-arm-1";
  EXPECT_THAT(
      PushArgv(request),
      ElementsAre("/usr/bin/buildah", "--root=/s/root", "--runroot=/s/runroot",
                  "--cgroup-manager=cgroupfs", "push", "--format=v2s2", "--authfile=/w/auth.json",
                  "--digestfile=/w/digest", "--", "abc", "docker://r:5000/a/b:manyarch-j1-arm-1"));
  request.buildah.version = {1, 30, 0};
  EXPECT_EQ(PushArgv(request).back(), "docker://r:5000/a/b@@unknown-digest@@");
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

}  // namespace
}  // namespace manyarch::worker
