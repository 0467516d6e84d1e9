// The client and a real docker-registry that speaks TLS with a certificate of the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "registry/authorizer.h"
#include "registry/client.h"
#include "registry/curl_transport.h"
#include "tests/registry/scripted_transport.h"
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

// Else a registry could name another one's token service as its realm, and be shown the token that
// this gives for our certificate.
TEST_F(TlsTest, AClientCertificateIsShownWhereItsOwnRegistryIsAskedAndNowhereElse) {
  const std::string ours =
      absl::StrCat("{", Ca(), ", ", Setting("client_cert", certificates_->client_cert()), ", ",
                   Setting("client_key", certificates_->client_key()), "}");
  const auto hosts = Hosts::Parse(
      absl::StrCat(R"({"registries": {"reg.example": )", ours, R"(, "other.example": )", ours,
                   R"(, "reg.example:5001": {)", Ca(), "}}}"),
      "the registries file", "/");
  ASSERT_TRUE(hosts.ok()) << hosts.status();
  struct Row {
    std::string registry;
    Response first;
    std::string second;  // Where the first answer leads.
    bool shown;
  };
  const auto redirect = [](const std::string& to) { return Response{307, {{"location", to}}, ""}; };
  const auto realm = [](const std::string& at) {
    return Response{
        401, {{"www-authenticate", absl::StrCat("Bearer realm=\"", at, "\",service=\"x\"")}}, ""};
  };
  for (const Row& row : std::vector<Row>{
           {"reg.example", redirect("/elsewhere"), "https://reg.example/elsewhere", true},
           {"reg.example", redirect("https://reg.example:8443/"), "https://reg.example:8443/",
            true},
           {"reg.example", redirect("https://other.example/"), "https://other.example/", false},
           {"reg.example", redirect("https://reg.example:5001/"), "https://reg.example:5001/",
            false},
           {"other.example", redirect("https://reg.example/"), "https://reg.example/", false},
           {"reg.example", realm("/token"), "https://reg.example/token", true},
           {"reg.example", realm("https://other.example/token"), "https://other.example/token",
            false}}) {
    ScriptedTransport transport;
    Authorizer authorizer(*hosts, std::make_shared<Keychain>(AuthFile(), &waiter_), &transport,
                          &waiter_);
    transport.Then(row.first);
    transport.Then(Response{200, {}, R"({"token": "t"})"});
    transport.Then(Response{200, {}, ""});
    Request request;
    request.url = absl::StrCat("https://", row.registry, "/v2/team/app/manifests/1");
    const Scope scope{row.registry, "team/app", false};
    ASSERT_TRUE(authorizer.Send(request, scope, nullptr).ok()) << row.second;
    ASSERT_GE(transport.requests.size(), 2u) << row.second;
    const Request& asked = transport.requests[0];
    EXPECT_FALSE(asked.tls->client_cert_pem.empty());
    const Request& led = transport.requests[1];
    EXPECT_EQ(led.url.substr(0, row.second.size()), row.second);
    ASSERT_NE(led.tls, nullptr);
    EXPECT_FALSE(led.tls->ca_pem.empty()) << "its authority is known all the same";
    EXPECT_EQ(!led.tls->client_cert_pem.empty(), row.shown) << row.second;
    EXPECT_EQ(!led.tls->client_key_pem.empty(), row.shown) << row.second;
  }
}

TEST_F(TlsTest, AHostWithCertificatesIsNotSpokenToInPlainHttp) {
  auto hosts = Hosts::Parse(absl::StrCat(R"({"registries": {"reg.example": {)", Ca(),
                                         R"(}, "limited.example": {"concurrency": 2}}})"),
                            "the registries file", "/");
  ASSERT_TRUE(hosts.ok()) << hosts.status();
  for (const char* host : {"reg.example", "reg.example:5000", "REG.example"}) {
    const absl::Status refused = hosts->AllowPlainHttp(host);
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << host;
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr(absl::StrCat(host,
                                       " is to be spoken to over plain HTTP, but the "
                                       "registries file has certificates for it")));
    EXPECT_FALSE(hosts->AllowsPlainHttp(host));
  }
  EXPECT_EQ(hosts->AllowPlainHttp("limited.example:5000"), absl::OkStatus());
  EXPECT_TRUE(hosts->AllowsPlainHttp("limited.example:5000"));
  EXPECT_EQ(hosts->Find("limited.example:5000")->concurrency, 2) << "what else is known stays";
  EXPECT_FALSE(hosts->AllowsPlainHttp("limited.example"));
}

}  // namespace
}  // namespace manyarch::registry
