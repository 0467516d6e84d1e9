// What the client makes of networks and registries that misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "registry/client.h"
#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kBytes[] = R"({"schemaVersion":2})";
const std::string kTagUrl = "https://reg.example/v2/app/manifests/1";

Reference App() { return *ParseReference("reg.example/app:1"); }
Response Status(int status) { return {status, {}, ""}; }
Response HeadOf(const std::string& bytes) {
  return {200, {{"docker-content-digest", Digest::Of(bytes).ToString()}}, ""};
}

struct Rig {
  Rig() : client({}, &transport, &waiter, &stop) {}
  absl::Status Put() { return client.PutManifest(App(), kBytes, std::string(kDockerManifest)); }

  ScriptedTransport transport;
  FakeWaiter waiter;
  absl::Notification stop;
  RegistryClient client;
};

TEST(RegistryClient, RepeatsWhatMayPass) {
  Rig rig;
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) rig.transport.Then(Status(status));
  rig.transport.ThenFail(absl::UnavailableError("connection reset"));
  rig.transport.Then(Status(200));
  EXPECT_TRUE(rig.client.Ping("reg.example").ok());
  EXPECT_EQ(rig.transport.requests.size(), 9u);
}

TEST(RegistryClient, DoesNotRepeatWhatWillNot) {
  for (const int status : {400, 403, 404, 405, 415, 501}) {
    Rig rig;
    rig.transport.Then(Status(status));
    EXPECT_FALSE(rig.Put().ok());
    EXPECT_EQ(rig.transport.requests.size(), 1u) << status;
    EXPECT_TRUE(rig.waiter.pauses.empty());
  }
}

TEST(RegistryClient, GivesUpWhenTheBudgetIsSpentAndSaysHowHardItTried) {
  Rig rig;
  for (int i = 0; i < 1000; ++i) rig.transport.Then({503, {}, "busy"});
  const absl::Status status = rig.client.Ping("reg.example");
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("reaching registry reg.example: the registry answered 503 Service "
                        "Unavailable: 'busy'; gave up after "));
  EXPECT_LT(rig.transport.requests.size(), 50u);
}

TEST(RegistryClient, HonoursRetryAfter) {
  Rig rig;
  rig.transport.Then({429, {{"retry-after", "17"}}, ""});
  rig.transport.Then(Status(200));
  EXPECT_TRUE(rig.client.Ping("reg.example").ok());
  EXPECT_THAT(rig.waiter.pauses, ElementsAre(absl::Seconds(17)));
}

TEST(RegistryClient, LooksBeforeItRepeatsAPut) {
  Rig rig;
  rig.transport.ThenFail(absl::UnavailableError("timed out"));
  rig.transport.Then(HeadOf(kBytes));  // It landed after all.
  EXPECT_TRUE(rig.Put().ok());
  EXPECT_THAT(rig.transport.Lines(), ElementsAre("PUT " + kTagUrl, "HEAD " + kTagUrl));
}

TEST(RegistryClient, LooksOnceMoreWhenTheBudgetIsSpent) {
  for (const bool landed : {true, false}) {
    Rig rig;
    rig.transport.ThenFail(absl::UnavailableError("timed out"));
    const absl::Time soon = rig.waiter.now + absl::Milliseconds(1);
    rig.transport.Then(landed ? HeadOf(kBytes) : Status(404));
    const absl::Status status =
        rig.client.PutManifest(App(), kBytes, std::string(kDockerManifest), {soon});
    EXPECT_EQ(status.ok(), landed) << status;
    EXPECT_THAT(rig.transport.Lines(), ElementsAre("PUT " + kTagUrl, "HEAD " + kTagUrl));
  }
}

TEST(RegistryClient, RepeatsAPutThatDidNotLandWithItsBody) {
  Rig rig;
  rig.transport.Then(Status(500));
  rig.transport.Then(HeadOf("something else"));
  rig.transport.Then(Status(201));
  EXPECT_TRUE(rig.Put().ok());
  EXPECT_THAT(rig.transport.Lines(),
              ElementsAre("PUT " + kTagUrl, "HEAD " + kTagUrl, "PUT " + kTagUrl));
  EXPECT_EQ(rig.transport.requests[2].body, kBytes);
  EXPECT_EQ(ScriptedTransport::HeaderOf(rig.transport.requests[2], "Content-Type"),
            kDockerManifest);
}

TEST(RegistryClient, RepeatsAManifestCalledInvalidOnceAndThenBelievesIt) {
  const Response invalid{400, {}, R"({"errors":[{"code":"MANIFEST_INVALID","message":"no"}]})"};
  Rig rig;
  rig.transport.Then(invalid);
  rig.transport.Then(Status(404));
  rig.transport.Then(invalid);
  const absl::Status status = rig.Put();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("writing the manifest reg.example/app:1: the registry answered 400 Bad "
                        "Request: MANIFEST_INVALID: no"));
  EXPECT_EQ(rig.transport.requests.size(), 3u);
}

TEST(RegistryClient, NoticesARegistryThatStoresSomethingElse) {
  Rig rig;
  rig.transport.Then({201, {{"docker-content-digest", Digest::Of("other").ToString()}}, ""});
  EXPECT_THAT(std::string(rig.Put().message()), HasSubstr("stored something else"));
}

TEST(RegistryClient, StopsBetweenTries) {
  Rig rig;
  for (int i = 0; i < 10; ++i) rig.transport.Then(Status(503));
  rig.waiter.on_sleep = [&] { rig.stop.Notify(); };
  EXPECT_TRUE(absl::IsCancelled(rig.client.Ping("reg.example")));
  EXPECT_EQ(rig.transport.requests.size(), 1u);
}

TEST(RegistryClient, KeepsToADeadline) {
  Rig rig;
  for (int i = 0; i < 100; ++i) rig.transport.Then(Status(503));
  const absl::Time start = rig.waiter.now;
  EXPECT_TRUE(absl::IsUnavailable(rig.client.Ping("reg.example", {start + absl::Seconds(2)})));
  EXPECT_LE(rig.waiter.now, start + absl::Seconds(2));
  EXPECT_LE(rig.transport.requests.back().timeout, absl::Seconds(2));
}

TEST(RegistryClient, RecomputesDigests) {
  const std::string list = BuildManifestList({{std::string(kDockerManifest), Digest::Of("x"), 1,
                                               Platform{"linux", "amd64", ""}}})
                               ->bytes;
  Rig rig;
  rig.transport.Then({200,
                      {{"docker-content-digest", Digest::Of("lie").ToString()},
                       {"content-type", std::string(kDockerList)}},
                      list});
  const auto by_tag = rig.client.GetManifest(App());
  ASSERT_TRUE(by_tag.ok()) << by_tag.status();
  EXPECT_EQ(by_tag->digest, Digest::Of(list));
  EXPECT_THAT(ScriptedTransport::HeaderOf(rig.transport.requests[0], "Accept"),
              HasSubstr(std::string(kDockerList)));

  for (int i = 0; i < 4; ++i) {  // Once may be somebody in between.
    rig.transport.Then({200, {{"content-type", std::string(kDockerList)}}, list});
  }
  const auto by_digest = rig.client.GetManifest(App().WithDigest(Digest::Of("lie")));
  ASSERT_FALSE(by_digest.ok());
  EXPECT_THAT(std::string(by_digest.status().message()), HasSubstr("other bytes"));
}

TEST(RegistryClient, ReadsAndComputesWhereHeadTellsNoDigest) {
  const std::string list = BuildManifestList({{std::string(kDockerManifest), Digest::Of("x"), 1,
                                               Platform{"linux", "amd64", ""}}})
                               ->bytes;
  Rig rig;
  rig.transport.Then(Status(200));
  rig.transport.Then({200, {{"content-type", std::string(kDockerList)}}, list});
  const auto digest = rig.client.HeadManifest(App());
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(*digest, Digest::Of(list));
}

TEST(RegistryClient, ReadsAManifestAgainThatWasSpoiltOnTheWay) {
  const std::string list = BuildManifestList({{std::string(kDockerManifest), Digest::Of("x"), 1,
                                               Platform{"linux", "amd64", ""}}})
                               ->bytes;
  const std::string digest = Digest::Of(list).ToString();
  const auto answer = [&](const std::string& body, const std::string& type) {
    return Response{200, {{"docker-content-digest", digest}, {"content-type", type}}, body};
  };
  Rig rig;
  rig.transport.Then(answer(list.substr(0, 20), std::string(kDockerList)));
  rig.transport.Then({200, {{"content-type", "text/html"}}, "<html>hotel</html>"});
  rig.transport.Then(answer(list, std::string(kDockerList)));
  const auto fetched = rig.client.GetManifest(App());
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(fetched->bytes, list);
}

TEST(RegistryClient, ATagThatIsAbsentIsSoWithoutTheDigestHeaderToo) {
  Rig rig;
  rig.transport.Then(Status(200));
  rig.transport.Then(Status(404));
  const auto seen = rig.client.HeadManifest(App());
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(*seen, std::nullopt);
}

TEST(RegistryClient, ChecksBlobsAndRefusesLargeOnesUnread) {
  Rig rig;
  const std::string config = "{}";
  const Descriptor good{"", Digest::Of(config), 2, std::nullopt};
  rig.transport.Then({200, {}, config});
  EXPECT_EQ(*rig.client.GetBlob(App(), good), config);
  rig.transport.Then({200, {}, "<html>hotel</html>"});
  rig.transport.Then({200, {}, config});
  EXPECT_EQ(*rig.client.GetBlob(App(), good), config) << "spoilt on the way";
  for (int i = 0; i < 4; ++i) rig.transport.Then({200, {}, "{ }"});
  EXPECT_FALSE(rig.client.GetBlob(App(), good).ok()) << "it is really something else";
  Descriptor large = good;
  large.size = kMaxConfigSize + 1;
  EXPECT_FALSE(rig.client.GetBlob(App(), large).ok());
  EXPECT_EQ(rig.transport.requests.size(), 7u);
}

TEST(RegistryClient, GivesUpTheUploadItOpenedAndMindsNothingElse) {
  Rig rig;
  rig.transport.Then({202, {{"location", "/v2/app/blobs/uploads/7?_state=abc"}}, ""});
  rig.transport.Then(Status(405));
  EXPECT_TRUE(rig.client.CheckPush(App()).ok());
  EXPECT_THAT(rig.transport.Lines(),
              ElementsAre("POST https://reg.example/v2/app/blobs/uploads/",
                          "DELETE https://reg.example/v2/app/blobs/uploads/7?_state=abc"));
}

TEST(RegistryClient, SaysWhoMayNotPush) {
  Rig rig;
  rig.transport.Then({403, {}, R"({"errors":[{"code":"DENIED","message":"no way"}]})"});
  const absl::Status status = rig.client.CheckPush(App());
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("checking that pushing to reg.example/app is allowed: the registry answered "
                "403 Forbidden: DENIED: no way; asked as nobody: writing to "
                "reg.example/app needs that right"));
}

TEST(RegistryClient, DeletingWhatIsAbsentIsFine) {
  Rig rig;
  rig.transport.Then(Status(404));
  EXPECT_TRUE(rig.client.DeleteManifest(App()).ok());
  rig.transport.Then(Status(405));
  EXPECT_FALSE(rig.client.DeleteManifest(App()).ok());
}

}  // namespace
}  // namespace manyarch::registry
