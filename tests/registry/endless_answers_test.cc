// A registry that answers without end, over the real transport: what is read of it is bounded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "registry/client.h"
#include "registry/curl_transport.h"
#include "tests/support/http_server.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;
using testing::HttpAnswer;
using testing::HttpRequest;
using testing::HttpServer;

class EndlessAnswers : public ::testing::Test {
 protected:
  absl::Status Read(const HttpServer::Handler& handler) {
    const HttpServer server(handler);
    ClientOptions options;
    options.hosts = Hosts::PlainHttp({server.host()});
    options.budget = {absl::Milliseconds(100)};
    RegistryClient client(std::move(options), &transport_, &waiter_, nullptr);
    return client.GetManifest(*ParseReference(server.host() + "/team/app:1")).status();
  }
  CurlTransport transport_{"manyarch-test"};
  SystemWaiter waiter_;
};

TEST_F(EndlessAnswers, AManifestHasFourMebibytesAtMost) {
  const absl::Status status = Read([](const HttpRequest&) {
    return HttpAnswer{200, {}, std::string((4 << 20) + 1, ' '), std::string(kDockerManifest)};
  });
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("4194304 bytes allowed"));
}

TEST_F(EndlessAnswers, OfAnErrorTheBeginningIsToldAndTheRestIsBounded) {
  const auto absent = [](size_t bytes) {
    return [bytes](const HttpRequest&) {
      return HttpAnswer{404, {}, std::string(bytes, 'x'), "text/plain"};
    };
  };
  const absl::Status large = Read(absent(200 << 10));
  EXPECT_TRUE(absl::IsNotFound(large)) << large;
  EXPECT_LT(large.message().size(), 4096u);
  const absl::Status endless = Read(absent(8 << 20));
  EXPECT_TRUE(absl::IsFailedPrecondition(endless)) << endless;
  EXPECT_THAT(std::string(endless.message()), HasSubstr("larger than the"));
}

TEST_F(EndlessAnswers, HeadersHaveAQuarterOfAMebibyteAtMost) {
  const absl::Status status = Read([](const HttpRequest&) {
    HttpAnswer answer{200, {}, "{}", std::string(kDockerManifest)};
    for (int i = 0; i < 60; ++i) {
      answer.headers.emplace_back(absl::StrCat("X-", i), std::string(6000, 'x'));
    }
    return answer;
  });
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("the headers of the answer of"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("262144 bytes allowed"));
}

TEST_F(EndlessAnswers, ATokenHasSixtyFourKibibytesAtMost) {
  const absl::Status status = Read([](const HttpRequest& request) {
    if (absl::StartsWith(request.path, "/token")) {
      return HttpAnswer{
          200, {}, absl::StrCat(R"({"token":")", std::string(64 << 10, 't'), R"("})")};
    }
    return HttpAnswer{401, {{"WWW-Authenticate", R"(Bearer realm="/token",service="x")"}}, "{}"};
  });
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("asking for a token"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("65536 bytes allowed"));
}

}  // namespace
}  // namespace manyarch::registry
