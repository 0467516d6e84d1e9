// One row for each thing that a registry does in its own way, and the client against it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "registry/client.h"
#include "tests/registry/strict_rig.h"
#include "tests/support/reroute.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ListOf;
using testing::MakeTestImage;
using ::testing::Not;
using testing::StrictRegistry;
using testing::TestImage;
using testing::TokenServer;

// Time passes when somebody waits, for the registry as for the client.
class SharedClock : public Waiter {
 public:
  absl::Time Now() override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  void Sleep(absl::Duration pause, const absl::Notification*) override {
    if (really) absl::SleepFor(pause);
    absl::MutexLock lock(&mutex_);
    now_ += pause;
  }
  double Jitter() override { return 0.5; }

  bool really = false;  // The test's own time passes, too.

 private:
  absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::Now();
};

struct Setup {
  std::string registry = "registry.example.com";
  std::string api_host;  // Where it is not the registry's name.
  testing::RegistryRules rules = testing::Spec();
  testing::TokenServerOptions tokens;  // Used with a realm only.
  std::string realm;                   // "https://…" or "/token".
  std::string auth_key;                // Under which the credentials are; empty: none.
  std::string password = "right";
};

struct Rig {
  explicit Rig(const Setup& setup) {
    const auto clock = [this] { return waiter.Now(); };
    testing::StrictRegistryOptions options;
    options.rules = setup.rules;
    options.clock = clock;
    if (!setup.realm.empty()) {
      testing::TokenServerOptions token_options = setup.tokens;
      token_options.clock = clock;
      if (token_options.users.empty()) {
        token_options.users["me"] = {"right", "", {{"*", {"pull", "push"}}}};
      }
      tokens = std::make_unique<TokenServer>(token_options);
      options.tokens = tokens.get();
      options.realm = setup.realm;
    }
    strict = std::make_unique<StrictRegistry>(options);
    const std::string host = setup.api_host.empty() ? setup.registry : setup.api_host;
    transport.Add(host, strict->host());
    transport.Add("storage.example.com", strict->storage_host());
    if (tokens != nullptr) {
      const std::string realm = tokens->realm();
      transport.Add("auth.example.com", realm.substr(7, realm.rfind('/') - 7));
    }
    ClientOptions client_options;
    if (!setup.auth_key.empty()) {
      client_options.auth =
          *AuthFile::Parse(absl::StrCat(R"({"auths":{")", setup.auth_key, R"(":{"auth":")",
                                        absl::Base64Escape("me:" + setup.password), R"("}}})"));
    }
    client = std::make_unique<RegistryClient>(client_options, &transport, &waiter, nullptr);
    app = *ParseReference(setup.registry + "/team/app:1");
    strict->Hold("team/app", image);
  }
  Reference ByDigest() const { return app.WithDigest(image.digest()); }
  Descriptor Config() const {
    return {std::string(kDockerConfig), Digest::Of(image.config),
            static_cast<int64_t>(image.config.size()), std::nullopt};
  }
  absl::Status PutImage(const std::string& tag) {
    return client->PutManifest(app.WithTag(tag), image.manifest, image.media_type);
  }

  SharedClock waiter;
  testing::Reroute transport;
  std::unique_ptr<TokenServer> tokens;
  std::unique_ptr<StrictRegistry> strict;
  std::unique_ptr<RegistryClient> client;
  Reference app;
  const TestImage image = MakeTestImage(testing::kAmd64);
};

struct Quirk {
  const char* name;
  Setup setup;
  std::function<void(Rig&)> check;
};
void PrintTo(const Quirk& quirk, std::ostream* out) { *out << quirk.name; }

Setup Of(const std::string& registry, testing::RegistryRules rules) {
  Setup setup;
  setup.registry = registry;
  setup.rules = std::move(rules);
  return setup;
}
Setup WithTokens(Setup setup, const std::string& realm = "https://auth.example.com/token") {
  setup.realm = realm;
  setup.auth_key = setup.registry;
  return setup;
}
Setup HubWithTokens() {
  Setup setup = WithTokens(Of("docker.io", testing::DockerHub()));
  setup.api_host = "registry-1.docker.io";
  setup.auth_key = "https://index.docker.io/v1/";
  return setup;
}

const Quirk kQuirks[] = {
    {"QuayNeverHasToConvert", Of("quay.io", testing::Quay()),
     [](Rig& rig) {
       const auto fetched = rig.client->GetManifest(rig.ByDigest());
       ASSERT_TRUE(fetched.ok()) << fetched.status();
       EXPECT_EQ(fetched->bytes, rig.image.manifest);
     }},
    {"QuayIsToldTheContentType", Of("quay.io", testing::Quay()),
     [](Rig& rig) {
       EXPECT_TRUE(rig.PutImage("1").ok());
       const std::string list = ListOf(rig.image, MakeTestImage(testing::kArm64)).dump();
       const absl::Status refused =
           rig.client->PutManifest(rig.app, list, std::string(kDockerList));
       EXPECT_THAT(std::string(refused.message()), HasSubstr("MANIFEST_BLOB_UNKNOWN"))
           << "not taken for schema 1";
     }},
    {"QuayRedirectsBlobsToAStorageThatWantsNoCredentials",
     WithTokens(Of("quay.io", testing::Quay())),
     [](Rig& rig) {
       const auto config = rig.client->GetBlob(rig.app, rig.Config());
       ASSERT_TRUE(config.ok()) << config.status();
       EXPECT_EQ(*config, rig.image.config);
     }},
    {"QuayMountsFromSomewhere", Of("quay.io", testing::Quay()),
     [](Rig& rig) {
       const Reference other = *ParseReference("quay.io/team/other:1");
       const auto mounted = rig.client->MountBlob(other, rig.app, Digest::Of(rig.image.layer));
       ASSERT_TRUE(mounted.ok()) << mounted.status();
       EXPECT_TRUE(*mounted);
     }},
    {"QuayIsNotAskedMoreOftenThanItLikes",
     [] {
       Setup setup = Of("quay.io", testing::Quay());
       setup.rules.requests_per_second = 5;
       return setup;
     }(),
     [](Rig& rig) {
       for (int i = 0; i < 20; ++i) {
         const auto seen = rig.client->HeadManifest(rig.ByDigest());
         ASSERT_TRUE(seen.ok()) << seen.status();
       }
     }},
    {"QuayCallsAManifestInvalidThatIsWrittenTwiceAtOnce", Of("quay.io", testing::Quay()),
     [](Rig& rig) {
       rig.waiter.really = true;  // The other one must be through when it is tried again.
       std::vector<std::thread> threads;
       for (int i = 0; i < 2; ++i) {
         threads.emplace_back([&rig, i] {
           const absl::Status status = rig.PutImage(absl::StrCat("t", i));
           EXPECT_TRUE(status.ok()) << status;
         });
       }
       for (std::thread& thread : threads) thread.join();
     }},
    {"QuayForgetsUntaggedManifests", Of("quay.io", testing::Quay()),
     [](Rig& rig) {
       rig.waiter.Sleep(absl::Hours(2), nullptr);
       EXPECT_EQ(*rig.client->HeadManifest(rig.ByDigest()), std::nullopt);
     }},
    {"DockerHubIsElsewhereAndHasItsOwnCredentialsKey", HubWithTokens(),
     [](Rig& rig) {
       EXPECT_TRUE(rig.client->CheckPush(rig.app).ok());
       EXPECT_TRUE(rig.PutImage("1").ok());
     }},
    {"DockerHubKeepsOnePartNamesUnderLibrary", HubWithTokens(),
     [](Rig& rig) {
       const Reference alpine = *ParseReference("alpine:3");
       rig.strict->Hold("library/alpine", rig.image);
       EXPECT_TRUE(rig.client->GetManifest(alpine.WithDigest(rig.image.digest())).ok());
     }},
    {"DockerHubDoesNotCountHeads",
     [] {
       Setup setup = HubWithTokens();
       setup.rules.manifest_gets = 1;
       return setup;
     }(),
     [](Rig& rig) {
       for (int i = 0; i < 10; ++i) {
         EXPECT_EQ(*rig.client->HeadManifest(rig.ByDigest()), rig.image.digest());
       }
       EXPECT_EQ(rig.strict->Count("GET", "/manifests/"), 0);
       EXPECT_TRUE(rig.client->GetManifest(rig.ByDigest()).ok());
       const auto limited = rig.client->GetManifest(rig.ByDigest());
       EXPECT_TRUE(absl::IsUnavailable(limited.status()));
       EXPECT_THAT(std::string(limited.status().message()),
                   HasSubstr("You have reached your pull rate limit."));
     }},
    {"EcrWantsTheRepositoryFirst", Of("1.dkr.ecr.eu-west-1.amazonaws.com", testing::Ecr()),
     [](Rig& rig) {
       const absl::Status status =
           rig.client->CheckPush(*ParseReference(rig.app.registry + "/absent:1"));
       EXPECT_TRUE(absl::IsNotFound(status)) << status;
       EXPECT_THAT(std::string(status.message()), HasSubstr("'absent' does not exist"));
       EXPECT_THAT(std::string(status.message()), HasSubstr("repository to be created first"));
     }},
    {"EcrTakesTenManifestsASecond", Of("1.dkr.ecr.eu-west-1.amazonaws.com", testing::Ecr()),
     [](Rig& rig) {
       for (int i = 0; i < 25; ++i) {
         const absl::Status status = rig.PutImage(absl::StrCat("t", i));
         ASSERT_TRUE(status.ok()) << status;
       }
       EXPECT_EQ(rig.strict->Tags("team/app").size(), 25u);
     }},
    {"EcrCannotCancelAnUpload", Of("1.dkr.ecr.eu-west-1.amazonaws.com", testing::Ecr()),
     [](Rig& rig) { EXPECT_TRUE(rig.client->CheckPush(rig.app).ok()); }},
    {"EcrAnswers201ToPieces", Of("1.dkr.ecr.eu-west-1.amazonaws.com", testing::Ecr()),
     [](Rig& rig) { EXPECT_TRUE(rig.client->PutBlob(rig.app, "some other blob").ok()); }},
    {"GcrNamesItsRealmAtItsBaseAlone", WithTokens(Of("gcr.io", testing::Gcr())),
     [](Rig& rig) {
       EXPECT_TRUE(rig.client->CheckPush(rig.app).ok());
       EXPECT_TRUE(rig.PutImage("1").ok());
     }},
    {"OldHarborTakesNoLists", Of("harbor.example.com", testing::OldHarbor()),
     [](Rig& rig) {
       const TestImage arm64 = MakeTestImage(testing::kArm64);
       rig.strict->Hold("team/app", arm64);
       const absl::Status status = rig.client->PutManifest(rig.app, ListOf(rig.image, arm64).dump(),
                                                           std::string(kDockerList));
       EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
       EXPECT_THAT(std::string(status.message()), HasSubstr("415 Unsupported Media Type"));
       EXPECT_THAT(std::string(status.message()), HasSubstr("update it"));
       EXPECT_EQ(rig.strict->Count("PUT"), 1) << "not tried again";
     }},
    {"ArtifactoryLeavesTheDigestHeaderOut", Of("artifactory.example.com", testing::Artifactory()),
     [](Rig& rig) {
       EXPECT_TRUE(rig.PutImage("1").ok());
       EXPECT_EQ(*rig.client->HeadManifest(rig.app), rig.image.digest());
       EXPECT_EQ(*rig.client->HeadManifest(rig.app.WithTag("absent")), std::nullopt);
     }},
    {"ArtifactoryListsDigestsAndNulls", Of("artifactory.example.com", testing::Artifactory()),
     [](Rig& rig) {
       EXPECT_TRUE(rig.PutImage("1").ok());
       EXPECT_THAT(*rig.client->ListTags(rig.app), ::testing::ElementsAre("1"));
       rig.strict->CreateRepository("team/empty");
       EXPECT_THAT(*rig.client->ListTags(*ParseReference(rig.app.registry + "/team/empty:1")),
                   IsEmpty());
     }},
    {"DockerRegistryAnswers202ToAPostedBlobAndStoresNothing",
     Of("registry.example.com", testing::DockerDistribution()),
     [](Rig& rig) {
       ASSERT_TRUE(rig.client->PutBlob(rig.app, "a blob").ok());
       EXPECT_TRUE(*rig.client->HeadBlob(rig.app, {"", Digest::Of("a blob"), 6, {}}));
     }},
    {"GhcrDeniesWith403", WithTokens(Of("ghcr.io", testing::Ghcr())),
     [](Rig& rig) {
       Setup setup = WithTokens(Of("ghcr.io", testing::Ghcr()));
       setup.tokens.users["me"] = {"right", "", {{"*", {"pull"}}}};
       Rig reader(setup);
       const absl::Status status = reader.client->CheckPush(reader.app);
       EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
       EXPECT_THAT(std::string(status.message()), HasSubstr("DENIED"));
       EXPECT_THAT(std::string(status.message()), HasSubstr("asked as 'me'"));
       EXPECT_EQ(reader.strict->Count("POST"), 2) << "without and with a token, no more";
       EXPECT_TRUE(rig.client->CheckPush(rig.app).ok());
     }},
    {"GhcrDeletesNothing", WithTokens(Of("ghcr.io", testing::Ghcr())),
     [](Rig& rig) {
       const absl::Status status = rig.client->DeleteManifest(rig.ByDigest());
       EXPECT_THAT(std::string(status.message()), HasSubstr("405 Method Not Allowed"));
     }},
    {"GitLabsUploadsAreAtAbsoluteAddresses",
     WithTokens(Of("gitlab.example.com", testing::GitLab())),
     [](Rig& rig) { EXPECT_TRUE(rig.client->PutBlob(rig.app, "a blob").ok()); }},
    {"ARealmMayBeRelative", WithTokens(Of("registry.example.com", testing::Spec()), "/token"),
     [](Rig& rig) {
       EXPECT_TRUE(rig.client->CheckPush(rig.app).ok());
       EXPECT_GT(rig.strict->Count("GET", "/token"), 0);
     }},
    {"ATokenMayBeCalledAccessToken",
     [] {
       Setup setup = WithTokens(Of("registry.example.com", testing::Spec()));
       setup.tokens.key = "access_token";
       return setup;
     }(),
     [](Rig& rig) { EXPECT_TRUE(rig.client->CheckPush(rig.app).ok()); }},
    {"ATokenIsRenewedBeforeItExpires", WithTokens(Of("registry.example.com", testing::Spec())),
     [](Rig& rig) {
       // It does not say how long it lives: a minute is what the specification says.
       for (int i = 0; i < 20; ++i) {
         ASSERT_TRUE(rig.client->HeadManifest(rig.ByDigest()).ok());
         rig.waiter.Sleep(absl::Seconds(13), nullptr);
       }
       int refused = 0;
       for (const auto& recorded : rig.strict->Requests()) refused += recorded.status == 401;
       EXPECT_LE(refused, 1) << "only the first request, which does not know yet";
     }},
    {"ATokenThatExpiresEarlyIsRenewedOnce",
     [] {
       Setup setup = WithTokens(Of("registry.example.com", testing::Spec()));
       setup.tokens.lifetime = absl::Seconds(10);
       setup.tokens.says_expires_in = 300;
       return setup;
     }(),
     [](Rig& rig) {
       ASSERT_TRUE(rig.PutImage("1").ok());
       rig.waiter.Sleep(absl::Seconds(20), nullptr);
       EXPECT_TRUE(rig.PutImage("2").ok());
     }},
    {"AWrongPasswordIsTriedOnceAndNotShown",
     [] {
       Setup setup = WithTokens(Of("registry.example.com", testing::Spec()));
       setup.password = "wr0ng";
       return setup;
     }(),
     [](Rig& rig) {
       const absl::Status status = rig.client->CheckPush(rig.app);
       EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
       EXPECT_THAT(std::string(status.message()), HasSubstr("incorrect username or password"));
       EXPECT_THAT(std::string(status.message()), Not(HasSubstr("wr0ng")));
       EXPECT_EQ(rig.tokens->Requests().size(), 1u);
     }},
    {"CredentialsGoToTheRealmAndTokensToTheRegistry",
     WithTokens(Of("registry.example.com", testing::Quay())),
     [](Rig& rig) {
       ASSERT_TRUE(rig.client->GetBlob(rig.app, rig.Config()).ok());
       for (const auto& request : rig.tokens->Requests()) {
         EXPECT_THAT(request.Header("authorization"), HasSubstr("Basic "));
       }
       for (const auto& recorded : rig.strict->Requests()) {
         EXPECT_THAT(recorded.request.Header("authorization"), Not(HasSubstr("Basic ")));
       }
     }},
};

class QuirkTest : public ::testing::TestWithParam<Quirk> {};

TEST_P(QuirkTest, IsMet) {
  Rig rig(GetParam().setup);
  GetParam().check(rig);
}

INSTANTIATE_TEST_SUITE_P(Registries, QuirkTest, ::testing::ValuesIn(kQuirks),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace manyarch::registry
