// The strict registry's uploads, rights, rates and faults.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "absl/strings/escaping.h"
#include "tests/registry/strict_rig.h"

namespace manyarch::testing {
namespace {

using registry::kDockerManifest;
using ::testing::HasSubstr;

const std::string kUploads = "/v2/team/app/blobs/uploads/";

StrictRegistryOptions With(RegistryRules rules) {
  StrictRegistryOptions options;
  options.rules = std::move(rules);
  return options;
}

// Moves only when it is told to.
struct Clock {
  absl::Time now = absl::Now();
  std::function<absl::Time()> Reader() {
    return [this] { return now; };
  }
};

TEST(StrictUploads, GoOnWhereTheyWereAndNowhereElse) {
  RegistryRules rules = Ecr();
  rules.redirects_blobs = false;
  StrictRegistry strict(With(rules));
  strict.CreateRepository("team/app");
  Asker ask(strict.host());
  const auto opened = ask("POST", kUploads);
  ASSERT_EQ(opened.status, 202);
  const std::string first = opened.Header("location");
  const auto patched = ask("PATCH", first, {{"Content-Range", "0-4"}}, "01234");
  EXPECT_EQ(patched.status, 201) << "ECR's own status";
  EXPECT_EQ(patched.Header("range"), "0-4");
  EXPECT_EQ(ask("PATCH", first, {{"Content-Range", "5-6"}}, "56").status, 400) << "a used Location";
  const std::string second = patched.Header("location");
  EXPECT_EQ(ask("PATCH", second, {{"Content-Range", "9-9"}}, "9").status, 416);
  EXPECT_EQ(ask("GET", second).status, 204);
  EXPECT_EQ(ask("GET", second).Header("range"), "0-4");
  const std::string digest = Digest::Of("0123456").ToString();
  EXPECT_EQ(ask("PUT", second + "&digest=" + digest, {}, "56").status, 201);
  EXPECT_EQ(ask("GET", "/v2/team/app/blobs/" + digest).body, "0123456");
  EXPECT_EQ(strict.Uploads("team/app"), 0u);
}

TEST(StrictUploads, AreRefusedWithAnotherDigestAndForgotten) {
  StrictRegistry strict;
  Asker ask(strict.host());
  const std::string location = ask("POST", kUploads).Header("location");
  const auto wrong = ask("PUT", location + "&digest=" + Digest::Of("other").ToString(), {}, "blob");
  EXPECT_EQ(CodeIn(wrong), "DIGEST_INVALID");
  EXPECT_EQ(CodeIn(ask("GET", location)), "BLOB_UPLOAD_UNKNOWN");
}

TEST(StrictUploads, AreGivenUpWhereThatIsKnown) {
  StrictRegistry spec;
  Asker ask(spec.host());
  const std::string location = ask("POST", kUploads).Header("location");
  EXPECT_EQ(ask("DELETE", location).status, 204);
  EXPECT_EQ(spec.Uploads("team/app"), 0u);
  StrictRegistry ecr(With(Ecr()));
  ecr.CreateRepository("team/app");
  Asker ask_ecr(ecr.host());
  EXPECT_EQ(ask_ecr("DELETE", ask_ecr("POST", kUploads).Header("location")).status, 405);
}

TEST(StrictUploads, MountNeedsASourceThatHasTheBlob) {
  StrictRegistry strict(With(Quay()));
  const TestImage image = MakeTestImage(kAmd64);
  strict.Hold("other/app", image);
  Asker ask(strict.host());
  const std::string mount = kUploads + "?mount=" + Digest::Of(image.layer).ToString();
  EXPECT_EQ(ask("POST", mount).status, 400);
  EXPECT_EQ(ask("POST", mount + "&from=absent").status, 202);
  EXPECT_EQ(ask("POST", mount + "&from=other/app").status, 201);
}

TEST(StrictUploads, OneRequestStoresOnlyWhereThatIsKnown) {
  const std::string path = kUploads + "?digest=" + Digest::Of("blob").ToString();
  StrictRegistry spec;
  EXPECT_EQ(Asker(spec.host())("POST", path, {}, "blob").status, 201);
  StrictRegistry distribution(With(DockerDistribution()));
  EXPECT_EQ(Asker(distribution.host())("POST", path, {}, "blob").status, 202);
}

TEST(StrictUploads, ACutOneKeepsHalfAndCanGoOn) {
  StrictRegistryOptions options;
  options.faults.probability = 0.5;
  options.faults.seed = 5;
  StrictRegistry strict(options);
  Asker ask(strict.host());
  const std::string blob(100'000, 'x');
  // Until an upload is cut: some other fault may be the first.
  for (int i = 0; i < 1000; ++i) {
    const auto opened = ask("POST", kUploads);
    if (opened.status != 202) continue;
    ask("PATCH", opened.Header("location"), {{"Content-Range", "0-99999"}}, blob);
    const auto requests = strict.Requests();
    if (requests.back().fault != Fault::kUploadCut) continue;
    auto state = ask("GET", opened.Header("location"));
    while (state.status != 204) state = ask("GET", opened.Header("location"));
    EXPECT_EQ(state.Header("range"), "0-49999");
    return;
  }
  FAIL() << "no upload was cut";
}

TEST(StrictBlobs, AreReadInPartsAndRedirectedWithoutCredentials) {
  const TestImage image = MakeTestImage(kAmd64);
  const std::string path = "/v2/team/app/blobs/" + Digest::Of(image.layer).ToString();
  StrictRegistry spec;
  spec.Hold("team/app", image);
  const auto part = Asker(spec.host())("GET", path, {{"Range", "bytes=4-9"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, image.layer.substr(4, 6));
  const auto head = Asker(spec.host())("HEAD", path);
  EXPECT_EQ(head.Header("content-length"), absl::StrCat(image.layer.size()));

  StrictRegistry quay(With(Quay()));
  quay.Hold("team/app", image);
  Asker ask(quay.host());
  const auto moved = ask("GET", path);
  ASSERT_EQ(moved.status, 307);
  EXPECT_EQ(ask("GET", moved.Header("location")).body, image.layer);
  EXPECT_EQ(ask("GET", moved.Header("location"), {{"Authorization", "Basic eA=="}}).status, 400);
}

TEST(StrictTags, AreListedInPages) {
  StrictRegistry strict;
  const TestImage image = MakeTestImage(kAmd64);
  strict.Hold("team/app", image);
  Asker ask(strict.host());
  for (const char* tag : {"a", "b", "c"}) {
    ask("PUT", absl::StrCat("/v2/team/app/manifests/", tag), Type(kDockerManifest), image.manifest);
  }
  const auto first = ask("GET", "/v2/team/app/tags/list?n=2");
  EXPECT_EQ(nlohmann::json::parse(first.body)["tags"], nlohmann::json({"a", "b"}));
  EXPECT_THAT(first.Header("link"), HasSubstr("last=b"));
  const auto second = ask("GET", "/v2/team/app/tags/list?n=2&last=b");
  EXPECT_EQ(nlohmann::json::parse(second.body)["tags"], nlohmann::json({"c"}));
  EXPECT_EQ(second.Header("link"), "");
  StrictRegistry artifactory(With(Artifactory()));
  artifactory.CreateRepository("team/app");
  EXPECT_EQ(Asker(artifactory.host())("GET", "/v2/team/app/tags/list").body,
            R"({"name":"team/app","tags":null})");
}

TEST(StrictManifestsInTime, UntaggedOnesExpireAndTaggedOnesStay) {
  Clock clock;
  StrictRegistryOptions options = With(Quay());
  options.clock = clock.Reader();
  StrictRegistry strict(options);
  const TestImage amd64 = MakeTestImage(kAmd64);
  const TestImage arm64 = MakeTestImage(kArm64);
  const TestImage alone = MakeTestImage(kAmd64, "alone");
  for (const TestImage& image : {amd64, arm64, alone}) strict.Hold("team/app", image);
  Asker ask(strict.host());
  ASSERT_EQ(ask("PUT", "/v2/team/app/manifests/1", Type(registry::kDockerList),
                ListOf(amd64, arm64).dump())
                .status,
            201);
  clock.now += absl::Hours(2);
  const auto see = [&](const TestImage& image) {
    return ask("HEAD", "/v2/team/app/manifests/" + image.digest().ToString(),
               Accept(kDockerManifest))
        .status;
  };
  EXPECT_EQ(see(amd64), 200) << "a tagged list's child";
  EXPECT_EQ(see(alone), 404);
}

TEST(StrictManifestsInTime, OneManifestUnderTwoNamesAtOnceIsRefused) {
  StrictRegistry strict(With(Quay()));
  const TestImage image = MakeTestImage(kAmd64);
  strict.Hold("team/app", image);
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Asker ask(strict.host());
      for (int i = 0; i < 20; ++i) {
        const auto answer = ask("PUT", absl::StrCat("/v2/team/app/manifests/", t, "-", i),
                                Type(kDockerManifest), image.manifest);
        refused += CodeIn(answer) == "MANIFEST_INVALID";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(refused, 0);
}

TEST(StrictRates, AreCountedByTheSecond) {
  Clock clock;
  StrictRegistryOptions options = With(Ecr());
  options.clock = clock.Reader();
  StrictRegistry strict(options);
  const TestImage image = MakeTestImage(kAmd64);
  strict.Hold("team/app", image);
  Asker ask(strict.host());
  const auto put = [&] {
    return ask("PUT", "/v2/team/app/manifests/1", Type(kDockerManifest), image.manifest);
  };
  for (int i = 0; i < 10; ++i) EXPECT_EQ(put().status, 201);
  EXPECT_EQ(put().status, 429);
  EXPECT_EQ(CodeIn(put()), "TOOMANYREQUESTS");
  clock.now += absl::Milliseconds(1001);
  EXPECT_EQ(put().status, 201);
}

TEST(StrictRates, DockerHubCountsGetsAndNotHeads) {
  RegistryRules rules = DockerHub();
  rules.manifest_gets = 2;
  StrictRegistry strict(With(rules));
  const TestImage image = MakeTestImage(kAmd64);
  strict.Hold("team/app", image);
  Asker ask(strict.host());
  const std::string path = "/v2/team/app/manifests/" + image.digest().ToString();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("HEAD", path, Accept(kDockerManifest)).status, 200);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask("GET", path, Accept(kDockerManifest)).status, 200);
  const auto refused = ask("GET", path, Accept(kDockerManifest));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Header("ratelimit-remaining"), "0;w=21600");
  EXPECT_EQ(ask("GET", "/v2/alpine/tags/list").status, 404) << "it is called library/alpine";
}

TEST(StrictRights, BasicIsCheckedEverywhere) {
  StrictRegistryOptions options;
  options.basic = registry::Credentials{"me", "right"};
  StrictRegistry strict(options);
  Asker ask(strict.host());
  EXPECT_EQ(ask("GET", "/v2/").status, 401);
  EXPECT_THAT(ask("GET", "/v2/").Header("www-authenticate"), HasSubstr("Basic realm="));
  const auto as = [](const std::string& who) {
    return Headers{{"Authorization", "Basic " + absl::Base64Escape(who)}};
  };
  EXPECT_EQ(ask("GET", "/v2/", as("me:wrong")).status, 401);
  EXPECT_EQ(ask("GET", "/v2/", as("me:right")).status, 200);
}

TEST(StrictRights, TokensAreCheckedForSignatureTimeAndScope) {
  Clock clock;
  TokenServerOptions token_options;
  token_options.users["me"] = {"right", "refresh-me", {{"team/app", {"pull", "push"}}}};
  token_options.anonymous = {{"team/app", {"pull"}}};
  token_options.clock = clock.Reader();
  TokenServer tokens(token_options);
  StrictRegistryOptions options = With(Ghcr());
  options.tokens = &tokens;
  StrictRegistry strict(options);
  strict.CreateRepository("team/app");
  Asker ask(strict.host());
  const std::string path = "/v2/team/app/blobs/uploads/";
  EXPECT_EQ(ask("POST", path).Header("www-authenticate"),
            absl::StrCat("Bearer realm=\"", tokens.realm(), "\",service=\"strict-registry\"",
                         ",scope=\"repository:team/app:pull,push\""));
  const std::string query = "?service=strict-registry&scope=repository:team/app:pull,push";
  const Headers me = {{"Authorization", "Basic " + absl::Base64Escape("me:right")}};
  const auto token = [&](const registry::Response& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    return Headers{
        {"Authorization", "Bearer " + nlohmann::json::parse(answer.body).value("token", "")}};
  };
  EXPECT_EQ(ask("GET", tokens.realm() + query,
                {{"Authorization", "Basic " + absl::Base64Escape("me:wrong")}})
                .status,
            401);
  const Headers anonymous = token(ask("GET", tokens.realm() + query));
  EXPECT_EQ(ask("POST", path, anonymous).status, 403) << "may only pull";
  EXPECT_EQ(ask("GET", "/v2/team/app/tags/list", anonymous).status, 200);
  const Headers mine = token(ask("GET", tokens.realm() + query, me));
  EXPECT_EQ(ask("POST", path, mine).status, 202);
  EXPECT_EQ(ask("POST", "/v2/other/app/blobs/uploads/", mine).status, 403);
  Headers forged = mine;
  forged[0].second[forged[0].second.size() - 5] ^= 1;
  EXPECT_EQ(ask("POST", path, forged).status, 401);
  clock.now += absl::Seconds(61);
  EXPECT_EQ(ask("POST", path, mine).status, 401) << "expired";

  const Headers form = Type("application/x-www-form-urlencoded");
  const std::string rest = "&service=strict-registry&scope=repository:team/app:push";
  EXPECT_EQ(ask("POST", tokens.realm(), form, "grant_type=refresh_token&refresh_token=wrong" + rest)
                .status,
            401);
  const Headers refreshed = token(ask("POST", tokens.realm(), form,
                                      "grant_type=refresh_token&refresh_token=refresh-me" + rest));
  EXPECT_EQ(ask("POST", path, refreshed).status, 202);
}

TEST(StrictFaults, EveryKindHappensAndTheSameSeedGivesTheSame) {
  const auto run = [](uint64_t seed) {
    StrictRegistryOptions options;
    options.faults.seed = seed;
    options.faults.probability = 1;
    options.faults.slow = absl::Milliseconds(1);
    StrictRegistry strict(options);
    const TestImage image = MakeTestImage(kAmd64);
    strict.Hold("team/app", image);
    std::vector<int> statuses;
    for (int i = 0; i < 150; ++i) {
      Asker ask(strict.host());  // curl itself repeats what fails on a connection it had before.
      const auto answer = ask("PUT", absl::StrCat("/v2/team/app/manifests/", i),
                              Type(kDockerManifest), image.manifest);
      statuses.push_back(answer.status);
      const Fault fault = strict.Requests().back().fault;
      const bool landed = strict.Tags("team/app").count(absl::StrCat(i)) > 0;
      switch (fault) {
        case Fault::kAnswerLost:
        case Fault::kNotHttp:
        case Fault::kTruncated:
        case Fault::kWrongLength:
          EXPECT_TRUE(landed) << NameOf(fault);
          EXPECT_EQ(answer.status, 0) << NameOf(fault);
          break;
        case Fault::kResetBefore:
        case Fault::kUploadCut:
          EXPECT_FALSE(landed) << NameOf(fault);
          EXPECT_EQ(answer.status, 0) << NameOf(fault);
          break;
        case Fault::kTooManySeconds:
        case Fault::kTooManyDate:
          EXPECT_EQ(answer.status, 429);
          EXPECT_NE(answer.Header("retry-after"), "");
          break;
        default:
          EXPECT_NE(answer.status, 0) << NameOf(fault) << answer.body;
      }
    }
    EXPECT_EQ(strict.Faults().size(), static_cast<size_t>(Fault::kCount) - 1);
    return statuses;
  };
  EXPECT_EQ(run(7), run(7));
}

TEST(StrictFaults, SpoiltBodiesAreNotWhatTheyWere) {
  StrictRegistryOptions options;
  options.faults.probability = 1;
  options.faults.slow = absl::Milliseconds(1);
  StrictRegistry strict(options);
  const TestImage image = MakeTestImage(kAmd64);
  strict.Hold("team/app", image);
  Asker ask(strict.host());
  const std::string path = "/v2/team/app/manifests/" + image.digest().ToString();
  for (int i = 0; i < 150; ++i) {
    const auto answer = ask("GET", path, Accept(kDockerManifest));
    const Fault fault = strict.Requests().back().fault;
    if (fault == Fault::kTruncated) {
      EXPECT_EQ(answer.status, 0) << "the end came too early";
    }
    if (fault == Fault::kWrongLength) {
      EXPECT_EQ(answer.body, image.manifest.substr(0, image.manifest.size() / 2));
    }
    if (fault == Fault::kGarbageBody) {
      EXPECT_THAT(answer.body, HasSubstr("<html>"));
    }
    if (fault == Fault::kSlow) {
      EXPECT_EQ(answer.body, image.manifest);
    }
  }
}

}  // namespace
}  // namespace manyarch::testing
