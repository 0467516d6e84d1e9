#include "registry/authorizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Scope kPush{"reg.example", "team/app", true};
constexpr char kUrl[] = "https://reg.example/v2/team/app/manifests/1";
const std::string kBasic = "Basic " + absl::Base64Escape("me:secret");

AuthFile Me(const std::string& host = "reg.example") {
  return *AuthFile::Parse(absl::StrCat(R"({"auths":{")", host, R"(":{"auth":")",
                                       absl::Base64Escape("me:secret"), R"("}}})"));
}

Response Demand(const std::string& challenge) {
  return {401, {{"www-authenticate", challenge}}, ""};
}
Response Ok() { return {200, {}, "fine"}; }
Response Redirect(const std::string& to) { return {307, {{"location", to}}, ""}; }

struct Rig {
  explicit Rig(AuthFile auth = Me(), std::vector<std::string> plain = {})
      : authorizer(Hosts::PlainHttp(plain), std::make_shared<Keychain>(std::move(auth), &waiter),
                   &transport, &waiter) {}

  absl::StatusOr<Response> Send(const std::string& url = kUrl, const std::string& method = "GET") {
    Request request;
    request.method = method;
    request.url = url;
    return authorizer.Send(request, kPush, nullptr);
  }
  std::string Shown(size_t request) const {
    return ScriptedTransport::HeaderOf(transport.requests.at(request), "Authorization");
  }

  ScriptedTransport transport;
  FakeWaiter waiter;
  Authorizer authorizer;
};

TEST(Authorizer, ShowsNothingUntilAskedThenBasicFromTheStart) {
  Rig rig;
  rig.transport.Then(Demand("Basic realm=\"x\""));
  rig.transport.Then(Ok());
  rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  ASSERT_TRUE(rig.Send().ok());
  ASSERT_EQ(rig.transport.requests.size(), 3u);
  EXPECT_EQ(rig.Shown(0), "");
  EXPECT_EQ(rig.Shown(1), kBasic);
  EXPECT_EQ(rig.Shown(2), kBasic);
}

TEST(Authorizer, DoesNotRepeatWhatWasRefused) {
  Rig rig;
  rig.transport.Then(Demand("Basic realm=\"x\""));
  rig.transport.Then(Demand("Basic realm=\"x\""));
  EXPECT_EQ(rig.Send()->status, 401);
  rig.transport.Then(Demand("Basic realm=\"x\""));
  EXPECT_EQ(rig.Send()->status, 401);
  EXPECT_EQ(rig.transport.requests.size(), 3u);
}

TEST(Authorizer, FetchesATokenKeepsItAndRenewsItEarly) {
  Rig rig;
  rig.transport.Then(Demand(R"(Bearer realm="https://auth.example/token",service="svc x")"));
  rig.transport.Then({200, {}, R"({"token":"t1","expires_in":100})"});
  for (int i = 0; i < 2; ++i) rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  ASSERT_TRUE(rig.Send().ok());
  EXPECT_EQ(
      rig.transport.requests[1].url,
      "https://auth.example/token?service=svc%20x&scope=repository%3Ateam%2Fapp%3Apull%2Cpush");
  EXPECT_EQ(rig.transport.requests[1].max_response_bytes, 64u << 10);
  EXPECT_EQ(rig.Shown(1), kBasic);
  EXPECT_EQ(rig.Shown(2), "Bearer t1");
  EXPECT_EQ(rig.Shown(3), "Bearer t1");

  rig.waiter.now += absl::Seconds(80);
  rig.transport.Then({200, {}, R"({"access_token":"t2"})"});
  rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  EXPECT_THAT(rig.transport.requests[4].url, HasSubstr("https://auth.example/token"));
  EXPECT_EQ(rig.Shown(5), "Bearer t2") << "the old token is not shown any more";
}

TEST(Authorizer, RenewsARefusedTokenOnce) {
  Rig rig;
  const std::string challenge = R"(Bearer realm="/token")";
  rig.transport.Then(Demand(challenge));
  rig.transport.Then({200, {}, R"({"token":"t1"})"});
  rig.transport.Then(Demand(challenge));
  const auto response = rig.Send();
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 401);
  EXPECT_THAT(rig.transport.Lines(), ElementsAre(absl::StrCat("GET ", kUrl),
                                                 HasSubstr("GET https://reg.example/token?scope="),
                                                 absl::StrCat("GET ", kUrl)));
}

TEST(Authorizer, SendsNoCredentialsToAPlainHttpRealm) {
  Rig rig;
  rig.transport.Then(Demand(R"(Bearer realm="http://auth.example/token")"));
  const auto response = rig.Send();
  ASSERT_FALSE(response.ok());
  EXPECT_THAT(std::string(response.status().message()), HasSubstr("over plain http"));
  EXPECT_EQ(rig.transport.requests.size(), 1u);
}

TEST(Authorizer, RefusesATokenThatWouldBreakTheHeader) {
  Rig rig;
  rig.transport.Then(Demand(R"(Bearer realm="/token")"));
  rig.transport.Then({200, {}, R"({"token":"a\r\nX-Evil: 1"})"});
  const auto response = rig.Send();
  ASSERT_FALSE(response.ok());
  EXPECT_THAT(std::string(response.status().message()), HasSubstr("no usable token"));
}

TEST(Authorizer, ShowsWhatTheTokenServiceSays) {
  Rig rig;
  rig.transport.Then(Demand(R"(Bearer realm="/token")"));
  rig.transport.Then({401, {}, R"({"details":"incorrect username or password"})"});
  const auto response = rig.Send();
  ASSERT_TRUE(absl::IsUnauthenticated(response.status()));
  EXPECT_THAT(std::string(response.status().message()),
              HasSubstr("incorrect username or password"));
  EXPECT_THAT(std::string(response.status().message()),
              HasSubstr("check user name and password of 'me' for reg.example"));
}

TEST(Authorizer, AsksAtTheBaseWhereTheRefusalNamesNoScheme) {
  Rig rig;
  rig.transport.Then({401, {}, ""});
  rig.transport.Then(Demand("Basic realm=x"));
  rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  EXPECT_EQ(rig.transport.requests[1].url, "https://reg.example/v2/");
  EXPECT_EQ(rig.Shown(1), "");
  EXPECT_EQ(rig.Shown(2), kBasic);
}

TEST(Authorizer, DropsCredentialsOnTheWayToAnotherHost) {
  Rig rig;
  rig.transport.Then(Demand("Basic realm=x"));
  rig.transport.Then(Redirect("https://cdn.example/blob?sig=1"));
  rig.transport.Then(Demand("Basic realm=cdn"));  // It may ask as it likes.
  const auto response = rig.Send();
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 401);
  ASSERT_EQ(rig.transport.requests.size(), 3u);
  EXPECT_EQ(rig.transport.requests[2].url, "https://cdn.example/blob?sig=1");
  EXPECT_EQ(rig.Shown(2), "");
}

TEST(Authorizer, KeepsCredentialsOnTheSameHost) {
  Rig rig;
  rig.transport.Then(Demand("Basic realm=x"));
  rig.transport.Then(Redirect("/elsewhere"));
  rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  EXPECT_EQ(rig.transport.requests[2].url, "https://reg.example/elsewhere");
  EXPECT_EQ(rig.Shown(2), kBasic);
}

TEST(Authorizer, AnotherPortIsAnotherHost) {
  Rig rig;
  rig.transport.Then(Demand("Basic realm=x"));
  rig.transport.Then(Redirect("https://reg.example:8443/blob"));
  rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  EXPECT_EQ(rig.Shown(2), "");
}

TEST(Authorizer, FollowsNoRedirectThatIsUnsafe) {
  struct Row {
    std::string method;
    std::string to;
  };
  for (const Row& row : {Row{"GET", "http://reg.example/x"}, Row{"GET", "file:///etc/passwd"},
                         Row{"PUT", "https://other.example/x"}, Row{"GET", ""}}) {
    Rig rig;
    rig.transport.Then(Redirect(row.to));
    EXPECT_FALSE(rig.Send(kUrl, row.method).ok()) << row.method << " " << row.to;
    EXPECT_EQ(rig.transport.requests.size(), 1u);
  }
}

TEST(Authorizer, EndsALoopOfRedirects) {
  Rig rig;
  for (int i = 0; i < 20; ++i) rig.transport.Then(Redirect(kUrl));
  const auto response = rig.Send();
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(rig.transport.requests.size(), 6u);
}

TEST(Authorizer, GoesToNoPlainHttpHostThatIsNotConfigured) {
  Rig rig;
  EXPECT_FALSE(rig.Send("http://elsewhere.example/v2/").ok());
  EXPECT_TRUE(rig.transport.requests.empty());
}

constexpr char kBearer[] = R"(Bearer realm="https://auth.example/token",service="svc")";

AuthFile WithIdentityToken() {
  return *AuthFile::Parse(absl::StrCat(R"({"auths":{"reg.example":{"auth":")",
                                       absl::Base64Escape("me:"), R"(","identitytoken":"i/t"}}})"));
}

TEST(Authorizer, PostsAnIdentityToken) {
  Rig rig(WithIdentityToken());
  rig.transport.Then(Demand(kBearer));
  rig.transport.Then({200, {}, R"({"access_token":"t1"})"});
  rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  const Request& post = rig.transport.requests[1];
  EXPECT_EQ(post.method + " " + post.url, "POST https://auth.example/token");
  EXPECT_EQ(post.body,
            "grant_type=refresh_token&client_id=manyarch&service=svc&scope=repository%3Ateam%2F"
            "app%3Apull%2Cpush&refresh_token=i%2Ft");
  EXPECT_EQ(rig.Shown(1), "");
  EXPECT_EQ(rig.Shown(2), "Bearer t1");
}

TEST(Authorizer, GetsWhereTheRealmKnowsNoPost) {
  Rig rig(WithIdentityToken());
  rig.transport.Then(Demand(kBearer));
  rig.transport.Then({404, {}, ""});
  rig.transport.Then({200, {}, R"({"token":"t1"})"});
  rig.transport.Then(Ok());
  ASSERT_TRUE(rig.Send().ok());
  EXPECT_EQ(rig.transport.requests[2].method, "GET");
  EXPECT_EQ(rig.Shown(2), "Basic " + absl::Base64Escape("me:i/t"));
}

TEST(Authorizer, AsksAHelperAgainWhenWhatItGaveIsRefused) {
  ScriptedTransport transport;
  FakeWaiter waiter;
  int asked = 0;
  const auto run = [&](const std::string&, const std::string&, const std::string&) {
    return absl::StatusOr<std::string>(
        absl::StrCat(R"({"Username":"me","Secret":"s)", ++asked, R"("})"));
  };
  Authorizer authorizer(
      {}, std::make_shared<Keychain>(*AuthFile::Parse(R"({"credsStore":"x"})"), &waiter, run),
      &transport, &waiter);
  Request request;
  request.url = kUrl;
  const auto shown = [&](size_t i) {
    return ScriptedTransport::HeaderOf(transport.requests.at(i), "Authorization");
  };
  transport.Then(Demand("Basic realm=x"));
  transport.Then(Ok());
  ASSERT_TRUE(authorizer.Send(request, kPush, nullptr).ok());
  EXPECT_EQ(shown(1), "Basic " + absl::Base64Escape("me:s1"));
  transport.Then(Demand("Basic realm=x"));
  transport.Then(Ok());
  EXPECT_EQ(authorizer.Send(request, kPush, nullptr)->status, 200);
  EXPECT_EQ(shown(2), "Basic " + absl::Base64Escape("me:s1"));
  EXPECT_EQ(shown(3), "Basic " + absl::Base64Escape("me:s2"));
}

}  // namespace
}  // namespace manyarch::registry
