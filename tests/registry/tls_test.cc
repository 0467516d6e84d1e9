// The client and a real docker-registry that speaks TLS with a certificate of the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "registry/client.h"
#include "registry/curl_transport.h"
#include "tests/support/docker_registry.h"
#include "tests/support/test_certificates.h"

namespace manyarch::registry {
namespace {

using testing::DockerRegistry;
using ::testing::HasSubstr;
using testing::TestCertificates;

class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto made = TestCertificates::Make();
    ASSERT_TRUE(made.ok()) << made.status();
    certificates_.emplace(*std::move(made));
  }
  static void TearDownTestSuite() { certificates_.reset(); }

  void Start(bool wants_client_certificate) {
    testing::DockerRegistryOptions options;
    options.user = "me";
    options.password = "right";
    options.tls = &*certificates_;
    options.wants_client_certificate = wants_client_certificate;
    auto started = DockerRegistry::Start(std::move(options));
    ASSERT_TRUE(started.ok()) << started.status();
    registry_ = *std::move(started);
  }

  // With these settings of the registries file.
  absl::Status Ping(const std::string& settings) {
    auto hosts = Hosts::Parse(
        absl::StrCat(R"({"registries": {")", registry_->host(), R"(": {)", settings, "}}}"),
        "the registries file", "/");
    if (!hosts.ok()) return hosts.status();
    ClientOptions options;
    options.hosts = *std::move(hosts);
    options.auth =
        *AuthFile::Parse(absl::StrCat(R"({"auths":{")", registry_->host(), R"(":{"auth":")",
                                      absl::Base64Escape("me:right"), R"("}}})"));
    options.budget = {absl::Seconds(1)};
    return RegistryClient(std::move(options), &transport_, &waiter_, nullptr)
        .Ping(registry_->host());
  }
  static std::string Setting(const std::string& key, const std::string& value) {
    return absl::StrCat("\"", key, "\": \"", value, "\"");
  }
  static std::string Ca() { return Setting("ca", certificates_->ca()); }

  static std::optional<TestCertificates> certificates_;
  std::unique_ptr<DockerRegistry> registry_;
  CurlTransport transport_{"manyarch-test"};
  SystemWaiter waiter_;
};
std::optional<TestCertificates> TlsTest::certificates_;

TEST_F(TlsTest, TrustsAnAuthorityThatIsConfiguredAndForgetsItAfterwards) {
  Start(false);
  EXPECT_EQ(Ping(Ca()), absl::OkStatus());
  // Over the same transport, whose connections are kept.
  const absl::Status status = Ping("");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not trusted"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("add its CA under \"ca\" for ", registry_->host())));
}

TEST_F(TlsTest, TakesSeveralAuthoritiesForAHost) {
  Start(false);
  EXPECT_EQ(Ping(absl::StrCat(R"("ca": [")", certificates_->server_cert(), R"(", ")",
                              certificates_->ca(), R"("])")),
            absl::OkStatus());
}

TEST_F(TlsTest, ShowsItsClientCertificate) {
  Start(true);
  const std::string key = Setting("client_key", certificates_->client_key());
  EXPECT_EQ(Ping(absl::StrCat(Ca(), ", ", Setting("client_cert", certificates_->client_cert()),
                              ", ", key)),
            absl::OkStatus());
  const absl::Status without = Ping(Ca());
  EXPECT_TRUE(absl::IsFailedPrecondition(without)) << without;
  EXPECT_THAT(std::string(without.message()), HasSubstr("wants a client certificate"));
  EXPECT_THAT(std::string(without.message()), HasSubstr("none is configured"));
  const absl::Status wrong = Ping(
      absl::StrCat(Ca(), ", ", Setting("client_cert", certificates_->server_cert()), ", ", key));
  EXPECT_THAT(std::string(wrong.message()),
              HasSubstr("\"client_cert\" does not belong to the key in \"client_key\""));
}

}  // namespace
}  // namespace manyarch::registry
