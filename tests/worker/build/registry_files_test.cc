#include "worker/build/registry_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "common/os/files.h"

namespace manyarch::worker {
namespace {

TEST(RegistriesConf, AllowsPlainHttpForTheHostsGivenOnly) {
  v1::RegistryAccess access;
  EXPECT_EQ(RegistriesConf(access), "unqualified-search-registries = [\"docker.io\"]\n");
  access.add_plain_http("127.0.0.1:5000");
  access.add_plain_http("a\"b");
  EXPECT_EQ(RegistriesConf(access),
            "unqualified-search-registries = [\"docker.io\"]\n"
            "\n[[registry]]\nlocation = \"127.0.0.1:5000\"\ninsecure = true\n"
            "\n[[registry]]\nlocation = \"a\\\"b\"\ninsecure = true\n");
}

TEST(RegistriesConf, NamesMirrorsInOrderAndBelievesHostsFirst) {
  v1::RegistryAccess access;
  access.add_plain_http("reg:5000");
  access.add_hosts()->set_host("reg:5000");  // Speaks TLS, after all.
  v1::RegistryHost& hub = *access.add_hosts();
  hub.set_host("docker.io");
  v1::RegistryMirror& first = *hub.add_mirrors();
  first.set_location("mirror:5000/hub");
  first.set_plain_http(true);
  hub.add_mirrors()->set_location("second.example");
  EXPECT_EQ(RegistriesConf(access),
            "unqualified-search-registries = [\"docker.io\"]\n"
            "\n[[registry]]\nlocation = \"docker.io\"\n"
            "[[registry.mirror]]\nlocation = \"mirror:5000/hub\"\ninsecure = true\n"
            "[[registry.mirror]]\nlocation = \"second.example\"\n");
}

TEST(WriteRegistryFiles, PutsEachHostsCertificatesWhereBuildahLooks) {
  auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  v1::RegistryAccess access;
  access.set_authfile(R"({"auths":{}})");
  v1::RegistryHost& host = *access.add_hosts();
  host.set_host("reg.example:5000");
  host.set_ca_pem("CA");
  host.set_client_cert_pem("CERT");
  host.set_client_key_pem("KEY");
  access.add_hosts()->set_host("other.example");
  const WorkPaths work(dir->path());
  ASSERT_TRUE(WriteRegistryFiles(access, work).ok());
  const std::string certificates = dir->path() + "/.config/containers/certs.d/reg.example:5000";
  EXPECT_EQ(*ReadFile(certificates + "/ca.crt"), "CA");
  EXPECT_EQ(*ReadFile(certificates + "/client.cert"), "CERT");
  EXPECT_EQ(*ReadFile(certificates + "/client.key"), "KEY");
  EXPECT_FALSE(PathExists(dir->path() + "/.config/containers/certs.d/other.example"));
  EXPECT_EQ(*ReadFile(work.authfile()), R"({"auths":{}})");
  for (const std::string& path : {work.authfile(), certificates + "/client.key"}) {
    struct stat file = {};
    ASSERT_EQ(stat(path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u) << path;
  }
}

TEST(WriteRegistryFiles, StaysBelowTheAttempt) {
  auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  for (const char* bad : {"../../x", "..", "a/b", ""}) {
    v1::RegistryAccess access;
    access.add_hosts()->set_host(bad);
    access.mutable_hosts(0)->set_ca_pem("CA");
    EXPECT_FALSE(WriteRegistryFiles(access, WorkPaths(dir->path())).ok()) << bad;
  }
}

}  // namespace
}  // namespace manyarch::worker
