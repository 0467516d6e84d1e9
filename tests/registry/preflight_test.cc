// What is found out before anything is built, from a real docker-registry; and from answers that
// others give.
#include "registry/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "registry/curl_transport.h"
#include "tests/support/docker_registry.h"
#include "tests/support/test_image.h"

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Result = DestinationCheck::Result;

// Hands on what it does not answer itself.
class SometimesOther : public HttpTransport {
 public:
  using Answer = std::function<std::optional<Response>(const Request&)>;
  absl::StatusOr<Response> Send(const Request& request, const absl::Notification* stop) override {
    {
      absl::MutexLock lock(&mutex_);
      lines_.push_back(request.method + " " + request.url);
    }
    if (const auto other = answer ? answer(request) : std::nullopt) return *other;
    return curl_.Send(request, stop);
  }
  int Count(absl::string_view method) {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) {
      return absl::StartsWith(line, absl::StrCat(method, " "));
    }));
  }

  Answer answer;

 private:
  CurlTransport curl_{"manyarch-test"};
  absl::Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

class PreflightTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = testing::DockerRegistry::Start();
    ASSERT_TRUE(started.ok()) << started.status();
    registry() = *std::move(started);
  }
  static void TearDownTestSuite() { registry().reset(); }
  static std::unique_ptr<testing::DockerRegistry>& registry() {
    static std::unique_ptr<testing::DockerRegistry> registry;
    return registry;
  }
  static ClientOptions Options() {
    ClientOptions options;
    options.hosts = Hosts::PlainHttp({"127.0.0.1"});
    options.budget = {absl::Seconds(1)};
    options.backoff.initial = absl::Milliseconds(10);
    return options;
  }
  static std::string Tag(absl::string_view name) {
    return absl::StrCat(registry()->host(), "/preflight/", name);
  }
  // "what: result", one a check.
  static std::vector<std::string> Results(const std::vector<DestinationCheck>& checks) {
    static const char* const kWords[] = {"ok", "warning", "failed", "skipped"};
    std::vector<std::string> out;
    for (const DestinationCheck& check : checks) {
      out.push_back(absl::StrCat(check.what, ": ", kWords[static_cast<int>(check.result)]));
    }
    return out;
  }

  SometimesOther transport_;
  SystemWaiter waiter_;
  RegistryClient client_{Options(), &transport_, &waiter_, nullptr};
};

TEST_F(PreflightTest, PassesWhereEverythingWorksAndLeavesNothing) {
  for (const Format format : {Format::kDocker, Format::kOci}) {
    const auto checks = CheckDestination(&client_, Tag("app:1.0"), {format, false, "", nullptr});
    EXPECT_THAT(Results(checks), ElementsAre("reference: ok", "reachable: ok", "credentials: ok",
                                             "push: ok", "list type: ok"));
    EXPECT_TRUE(FirstFailure(checks).ok());
    EXPECT_EQ(checks[0].reference, Tag("app:1.0"));
  }
  CurlTransport plain("t");
  const auto catalog = testing::RawRegistry(&plain, registry()->host()).Send("GET", "/v2/_catalog");
  ASSERT_TRUE(catalog.ok());
  EXPECT_THAT(catalog->body, Not(HasSubstr("preflight/app")));
}

TEST_F(PreflightTest, NamesABadReferenceAndLooksNoFurther) {
  const auto checks = CheckDestination(&client_, "reg.example.com/App:1");
  EXPECT_THAT(Results(checks),
              ElementsAre("reference: failed", "reachable: skipped", "credentials: skipped",
                          "push: skipped", "list type: skipped"));
  EXPECT_THAT(checks[0].message, HasSubstr("upper-case"));
  EXPECT_TRUE(absl::IsInvalidArgument(FirstFailure(checks)));
  EXPECT_EQ(transport_.Count("POST"), 0);
}

TEST_F(PreflightTest, SaysThatNoRegistryIsThere) {
  const auto checks = CheckDestination(&client_, "127.0.0.1:1/demo/app:1");
  EXPECT_THAT(Results(checks),
              ElementsAre("reference: ok", "reachable: failed", "credentials: skipped",
                          "push: skipped", "list type: skipped"));
  EXPECT_TRUE(absl::IsUnavailable(FirstFailure(checks)));
  EXPECT_THAT(checks[1].message, HasSubstr("Connection refused"));
}

TEST_F(PreflightTest, TellsBadCredentialsFromMissingRights) {
  transport_.answer = [](const Request&) {
    return Response{401, {{"www-authenticate", "Basic realm=\"x\""}}, ""};
  };
  const auto who = CheckDestination(&client_, Tag("app:1"));
  EXPECT_THAT(Results(who), ElementsAre("reference: ok", "reachable: ok", "credentials: failed",
                                        "push: skipped", "list type: skipped"));
  EXPECT_TRUE(absl::IsUnauthenticated(FirstFailure(who)));

  transport_.answer = [](const Request&) {
    return Response{403, {}, R"({"errors":[{"code":"DENIED","message":"read only"}]})"};
  };
  const auto what = CheckDestination(&client_, Tag("app:1"));
  EXPECT_THAT(Results(what), ElementsAre("reference: ok", "reachable: ok", "credentials: ok",
                                         "push: failed", "list type: skipped"));
  EXPECT_THAT(what[3].message, HasSubstr("DENIED: read only"));
}

TEST_F(PreflightTest, SaysThatARepositoryMustExistFirst) {
  transport_.answer = [](const Request& request) -> std::optional<Response> {
    if (absl::EndsWith(request.url, "/v2/")) return Response{200, {}, "{}"};
    return Response{404, {}, R"({"errors":[{"code":"NAME_UNKNOWN","message":"no repository"}]})"};
  };
  const auto checks = CheckDestination(&client_, Tag("app:1"));
  EXPECT_THAT(checks[3].message, HasSubstr("want the repository to be created first"));
  EXPECT_TRUE(absl::IsNotFound(FirstFailure(checks)));
  // Where nothing answers as a registry does, it is not the repository that is absent.
  transport_.answer = [](const Request&) { return Response{404, {}, "no such page"}; };
  const auto nothing = CheckDestination(&client_, Tag("app:1"));
  EXPECT_THAT(Results(nothing)[1], "reachable: failed");
  EXPECT_THAT(nothing[1].message, HasSubstr("no registry at that address"));
}

TEST_F(PreflightTest, RefusesARegistryThatKnowsNoLists) {
  transport_.answer = [](const Request& request) -> std::optional<Response> {
    if (request.method == "PUT") return Response{415, {}, "unsupported media type"};
    return std::nullopt;
  };
  const auto checks = CheckDestination(&client_, Tag("app:1"));
  EXPECT_THAT(Results(checks)[4], "list type: failed");
  EXPECT_THAT(checks[4].message, HasSubstr("Harbor takes lists from 2.0 on"));
  EXPECT_TRUE(absl::IsUnimplemented(FirstFailure(checks)));
}

TEST_F(PreflightTest, WarnsWhereNothingCanBeKnownOfLists) {
  transport_.answer = [](const Request& request) -> std::optional<Response> {
    if (request.method == "PUT") return Response{405, {}, ""};
    return std::nullopt;
  };
  const auto checks = CheckDestination(&client_, Tag("app:1"));
  EXPECT_THAT(Results(checks)[4], "list type: warning");
  EXPECT_TRUE(FirstFailure(checks).ok());
}

TEST_F(PreflightTest, TakesBackAListThatWasTaken) {
  transport_.answer = [](const Request& request) -> std::optional<Response> {
    if (request.method == "PUT") return Response{201, {}, ""};
    if (request.method == "DELETE" && absl::StrContains(request.url, "/manifests/")) {
      return Response{202, {}, ""};
    }
    return std::nullopt;
  };
  EXPECT_THAT(Results(CheckDestination(&client_, Tag("app:1")))[4], "list type: ok");
  EXPECT_EQ(transport_.Count("DELETE"), 2) << "the upload and the list";
}

TEST_F(PreflightTest, AsksARegistryOnceWhetherItTakesLists) {
  KnownListTypes known;
  const PreflightOptions options{Format::kDocker, false, "", &known};
  EXPECT_TRUE(FirstFailure(CheckDestination(&client_, Tag("app:1"), options)).ok());
  const int asked = transport_.Count("PUT");
  EXPECT_GT(asked, 0);
  EXPECT_TRUE(FirstFailure(CheckDestination(&client_, Tag("other:1"), options)).ok());
  EXPECT_EQ(transport_.Count("PUT"), asked);
}

TEST_F(PreflightTest, AnImmutableTagMustNotExist) {
  CurlTransport plain("t");
  testing::RawRegistry raw(&plain, registry()->host());
  const auto image = testing::MakeTestImage(R"("os":"linux","architecture":"amd64")");
  ASSERT_TRUE(raw.Push("preflight/fixed", image).ok());
  ASSERT_TRUE(
      raw.Send("PUT", "/v2/preflight/fixed/manifests/taken", image.manifest, image.media_type)
          .ok());
  const PreflightOptions immutable{Format::kDocker, true, "", nullptr};
  const auto free = CheckDestination(&client_, Tag("fixed:free"), immutable);
  EXPECT_THAT(Results(free)[5], "tag: ok");
  const auto taken = CheckDestination(&client_, Tag("fixed:taken"), immutable);
  EXPECT_THAT(Results(taken)[5], "tag: failed");
  EXPECT_THAT(taken[5].message, HasSubstr("points to " + image.digest().ToString()));
  EXPECT_TRUE(absl::IsFailedPrecondition(FirstFailure(taken)));
  const auto ours = CheckDestination(&client_, Tag("fixed:taken"),
                                     {Format::kDocker, true, image.digest().ToString(), nullptr});
  EXPECT_THAT(Results(ours)[5], "tag: ok");
}

TEST_F(PreflightTest, ChecksEachRepositoryOnceAndAllAtTheSameTime) {
  absl::Mutex mutex;
  int inside = 0;
  transport_.answer = [&](const Request& request) -> std::optional<Response> {
    if (request.method != "POST") return std::nullopt;
    // None goes on before both have come.
    absl::MutexLock lock(&mutex);
    ++inside;
    const auto both = [&] { return inside >= 2; };
    EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&both), absl::Seconds(60)));
    return std::nullopt;
  };
  const auto checks = CheckDestinations(
      &client_, {Tag("one:1"), Tag("two:1"), Tag("one:2"), "not/OK"}, PreflightOptions());
  EXPECT_EQ(transport_.Count("POST"), 2);
  EXPECT_THAT(
      Results(checks),
      ElementsAre("reference: ok", "reachable: ok", "credentials: ok", "push: ok", "list type: ok",
                  "reference: ok", "reachable: ok", "credentials: ok", "push: ok", "list type: ok",
                  "reference: ok", "reference: failed", "reachable: skipped",
                  "credentials: skipped", "push: skipped", "list type: skipped"));
  EXPECT_THAT(CheckDestinations(&client_, {}), IsEmpty());
}

}  // namespace
}  // namespace manyarch::registry
