// What an attempt is told of registries, and what the controller refuses to start with.
#include "controller/registries.h"

#include <map>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "registry/auth_file.h"
#include "tests/support/test_certificates.h"

namespace manyarch::controller {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RegistriesFileTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto made = testing::TestCertificates::Make();
    ASSERT_TRUE(made.ok()) << made.status();
    certificates_ = std::make_unique<testing::TestCertificates>(*std::move(made));
  }
  static void TearDownTestSuite() { certificates_.reset(); }

  void Write(const std::string& registries, const std::string& auths) {
    options_.registries = dir_.path() + "/registries.json";
    options_.registry_authfile = dir_.path() + "/auth.json";
    ASSERT_TRUE(
        WriteFileAtomic(options_.registries, absl::StrCat(R"({"registries": {)", registries, "}}"))
            .ok());
    ASSERT_TRUE(
        WriteFileAtomic(options_.registry_authfile, absl::StrCat(R"({"auths": {)", auths, "}}"))
            .ok());
  }
  static std::string Entry(const std::string& key, const std::string& user) {
    return absl::StrCat("\"", key, R"(": {"auth": ")", absl::Base64Escape(user + ":pw"), "\"}");
  }
  static std::string Certificates() {
    return absl::StrCat(R"("ca": ")", certificates_->ca(), R"(", "client_cert": ")",
                        certificates_->client_cert(), R"(", "client_key": ")",
                        certificates_->client_key(), "\"");
  }
  static std::map<std::string, v1::RegistryHost> HostsOf(const v1::RegistryAccess& access) {
    std::map<std::string, v1::RegistryHost> out;
    for (const v1::RegistryHost& host : access.hosts()) out[host.host()] = host;
    return out;
  }

  static std::unique_ptr<testing::TestCertificates> certificates_;
  TempDir dir_ = *TempDir::Make();
  registry::SystemWaiter waiter_;
  Options options_;
};
std::unique_ptr<testing::TestCertificates> RegistriesFileTest::certificates_;

TEST_F(RegistriesFileTest, AnAttemptIsToldHowEveryRegistryIsSpokenTo) {
  Write(absl::StrCat(R"("reg.example": {)", Certificates(), R"(}, "docker.io": {"mirrors": [
          {"location": "mirror.example/hub"}, {"location": "10.0.0.7:5000", "plain_http": true}]})"),
        "");
  options_.plain_http = {"lab.example:5000"};
  const auto registries = Registries::Read(options_, &waiter_);
  ASSERT_TRUE(registries.ok()) << registries.status();
  // buildah knows no hosts on every port: the one that is pushed to is spelled out.
  const v1::RegistryAccess access = (*registries)->AccessFor("reg.example:8443/team/app");
  const auto hosts = HostsOf(access);
  ASSERT_EQ(hosts.size(), 4u);
  for (const char* name : {"reg.example", "reg.example:8443"}) {
    const v1::RegistryHost& host = hosts.at(name);
    EXPECT_FALSE(host.plain_http());
    EXPECT_EQ(host.ca_pem(), *ReadFile(certificates_->ca()));
    EXPECT_EQ(host.client_cert_pem(), *ReadFile(certificates_->client_cert()));
    EXPECT_EQ(host.client_key_pem(), *ReadFile(certificates_->client_key()));
  }
  const v1::RegistryHost& hub = hosts.at("docker.io");
  ASSERT_EQ(hub.mirrors_size(), 2);
  EXPECT_EQ(hub.mirrors(0).location(), "mirror.example/hub");
  EXPECT_FALSE(hub.mirrors(0).plain_http());
  EXPECT_EQ(hub.mirrors(1).location(), "10.0.0.7:5000");
  EXPECT_TRUE(hub.mirrors(1).plain_http());
  EXPECT_TRUE(hosts.at("lab.example:5000").plain_http());
  EXPECT_THAT(access.plain_http(), ElementsAre("lab.example:5000"));
  // Nothing of it is there twice.
  EXPECT_EQ((*registries)->AccessFor("reg.example/team/app").hosts_size(), 3);
}

TEST_F(RegistriesFileTest, APlainDestinationOnAPortOfItsOwnIsSpelledOut) {
  options_.plain_http = {"lab.example"};
  const auto registries = Registries::Read(options_, &waiter_);
  ASSERT_TRUE(registries.ok()) << registries.status();
  EXPECT_THAT((*registries)->AccessFor("lab.example:5000/app").plain_http(),
              ElementsAre("lab.example", "lab.example:5000"));
  EXPECT_THAT((*registries)->AccessFor("elsewhere.example/app").plain_http(),
              ElementsAre("lab.example"));
}

TEST_F(RegistriesFileTest, AnAttemptGetsNoCredentialsOfOtherRepositoriesOfItsRegistry) {
  Write("",
        absl::StrCat(Entry("reg.example/team/app", "app"), ",", Entry("reg.example", "all"), ",",
                     Entry("reg.example/secret", "secret"), ",", Entry("docker.io", "hub")));
  const auto registries = Registries::Read(options_, &waiter_);
  ASSERT_TRUE(registries.ok()) << registries.status();
  const auto users = [&](const std::string& repository) {
    const auto file = registry::AuthFile::Parse((*registries)->AccessFor(repository).authfile());
    std::string out;
    for (const auto& [key, credentials] : file->Entries()) {
      absl::StrAppend(&out, credentials.user, " ");
    }
    return out;
  };
  EXPECT_EQ(users("reg.example/team/app"), "hub all app ");
  EXPECT_EQ(users("reg.example/other"), "hub all ");
  EXPECT_EQ(users("docker.io/library/x"), "hub all secret app ");
}

TEST_F(RegistriesFileTest, WithoutFilesThereIsNothingToTell) {
  const auto registries = Registries::Read(options_, &waiter_);
  ASSERT_TRUE(registries.ok()) << registries.status();
  const v1::RegistryAccess access = (*registries)->AccessFor("reg.example/app");
  EXPECT_THAT(access.hosts(), IsEmpty());
  EXPECT_TRUE(registry::AuthFile::Parse(access.authfile())->Entries().empty());
}

TEST_F(RegistriesFileTest, PlainHttpBesideCertificatesIsRefused) {
  Write(absl::StrCat(R"("reg.example": {)", Certificates(), "}"), "");
  options_.plain_http = {"reg.example"};
  const auto registries = Registries::Read(options_, &waiter_);
  EXPECT_TRUE(absl::IsInvalidArgument(registries.status())) << registries.status();
  EXPECT_THAT(std::string(registries.status().message()),
              AllOf(HasSubstr("--plain-http: reg.example"), HasSubstr("has certificates for it")));
}

}  // namespace
}  // namespace manyarch::controller
