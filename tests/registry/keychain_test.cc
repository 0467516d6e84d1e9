#include "registry/keychain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Entry(const std::string& host, const std::string& user) {
  return absl::StrCat("\"", host, R"(":{"auth":")", absl::Base64Escape(user + ":pw"), "\"}");
}

struct Rig {
  explicit Rig(const std::string& file)
      : keychain(*AuthFile::Parse(file), &waiter,
                 [this](const std::string& name, const std::string& verb,
                        const std::string& input) -> absl::StatusOr<std::string> {
                   asked.push_back(absl::StrCat(name, " ", verb, " ", input));
                   if (!fails.ok()) return fails;
                   if (verb == "list") return R"({"https://index.docker.io/v1/":"me","l.io":"me"})";
                   return answer;
                 }) {}
  std::string UserOf(const std::string& registry) {
    const auto found = keychain.Find(registry, "team/app");
    if (!found.ok()) return std::string(found.status().message());
    return *found ? (*found)->user : "nobody";
  }

  FakeWaiter waiter;
  std::vector<std::string> asked;
  std::string answer = R"({"ServerURL":"x","Username":"helped","Secret":"s"})";
  absl::Status fails;
  Keychain keychain;
};

TEST(Keychain, AsksTheHelperOfTheRegistryFirstAndTheStoreLast) {
  Rig rig(absl::StrCat(R"({"credHelpers":{"h.io":"one"},"credsStore":"all","auths":{)",
                       Entry("f.io", "filed"), "}}"));
  EXPECT_EQ(rig.UserOf("h.io"), "helped");
  EXPECT_EQ(rig.UserOf("f.io"), "filed");
  EXPECT_EQ(rig.UserOf("docker.io"), "helped");
  EXPECT_THAT(rig.asked, ElementsAre("one get h.io", "all get https://index.docker.io/v1/"));
}

TEST(Keychain, KeepsAnswersForAWhileAlsoThatThereIsNothing) {
  Rig rig(R"({"credsStore":"all"})");
  rig.fails = absl::NotFoundError("none");
  EXPECT_EQ(rig.UserOf("a.io"), "nobody");
  EXPECT_EQ(rig.UserOf("a.io"), "nobody");
  EXPECT_EQ(rig.asked.size(), 1u);
  rig.fails = absl::OkStatus();
  rig.waiter.now += absl::Minutes(6);
  EXPECT_EQ(rig.UserOf("a.io"), "helped");
  EXPECT_EQ(rig.asked.size(), 2u);
}

TEST(Keychain, GoesOnWithWhatItHadWhereTheHelperFailsButNotForEver) {
  Rig rig(R"({"credsStore":"all"})");
  EXPECT_EQ(rig.UserOf("a.io"), "helped");
  rig.fails = absl::UnavailableError("the vault is sealed");
  rig.waiter.now += absl::Minutes(30);
  EXPECT_EQ(rig.UserOf("a.io"), "helped");
  rig.waiter.now += absl::Hours(1);
  EXPECT_THAT(rig.UserOf("a.io"),
              HasSubstr("asking the credential helper 'all' for a.io: the vault is sealed"));
}

TEST(Keychain, NeverWaitsForWhatIsNotKnown) {
  Rig rig(R"({"credHelpers":{"h.io":"one"},"credsStore":"all"})");
  EXPECT_EQ(rig.keychain.Known("h.io", ""), std::nullopt);
  EXPECT_TRUE(rig.asked.empty());
  EXPECT_TRUE(rig.keychain.Refresh().ok());
  EXPECT_THAT(rig.asked, ElementsAre("all list ", "all get https://index.docker.io/v1/",
                                     "all get l.io", "one get h.io"));
  EXPECT_EQ(rig.keychain.Known("h.io", "")->user, "helped");
  EXPECT_EQ(rig.keychain.Known("docker.io", "")->user, "helped");
}

TEST(Keychain, TakesAUserThatMeansAToken) {
  Rig rig(R"({"credsStore":"all"})");
  rig.answer = R"({"Username":"<token>","Secret":"refresh me"})";
  const auto found = rig.keychain.Find("a.io", "");
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ((*found)->identity_token, "refresh me");
}

TEST(Keychain, ShowsNoSecretInErrors) {
  Rig rig(R"({"credsStore":"all"})");
  for (const char* bad : {R"({"Username":"me","Secret":["hunter2"]})", "hunter2",
                          R"({"Secret":"hunter2","Secret":"hunter2"})"}) {
    rig.answer = bad;
    rig.waiter.now += absl::Hours(2);
    const std::string said = rig.UserOf("a.io");
    EXPECT_THAT(said, HasSubstr("asking the credential helper 'all' for a.io")) << bad;
    EXPECT_THAT(said, Not(HasSubstr("hunter2")));
  }
  Rig odd(R"({"credsStore":"../../bin/sh"})");
  EXPECT_THAT(odd.UserOf("a.io"), HasSubstr("cannot be the name of a program"));
  EXPECT_TRUE(odd.asked.empty());
}

TEST(Keychain, GivesAnAttemptWhatItMayNeedAndNotWhatIsOfOtherRepositories) {
  Rig rig(absl::StrCat(R"({"credHelpers":{"h.io":"one"},"auths":{)", Entry("quay.io", "all"), ",",
                       Entry("quay.io/team", "team"), ",", Entry("quay.io/team/app", "app"), ",",
                       Entry("quay.io/team/application", "other"), ",",
                       Entry("quay.io/secret", "other"), ",", Entry("docker.io", "hub"), ",",
                       Entry("h.io", "filed"), "}}"));
  ASSERT_TRUE(rig.keychain.Refresh().ok());
  const auto file = AuthFile::Parse(rig.keychain.AuthFileFor("quay.io", "team/app"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<std::string> keys;
  for (const auto& [key, credentials] : file->Entries()) {
    keys.push_back(absl::StrCat(key, " ", credentials.user));
  }
  EXPECT_THAT(keys, ElementsAre("docker.io hub", "h.io helped", "quay.io all", "quay.io/team team",
                                "quay.io/team/app app"));
}

// A program on PATH, as docker-credential-helpers has them.
TEST(SystemHelpers, SpeakOverStdinAndStdout) {
  auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  const std::string program = dir->path() + "/docker-credential-manyarch-test";
  ASSERT_TRUE(WriteFileAtomic(program, R"(#!/bin/sh
read -r server
case "$1 $server" in
  "get good.io") echo '{"ServerURL":"good.io","Username":"me","Secret":"s3cret"}' ;;
  "get none.io") echo 'credentials not found in native keychain'; exit 1 ;;
  *) echo 'the keyring is locked'; exit 1 ;;
esac
)",
                              0755)
                  .ok());
  const char* const path = getenv("PATH");
  setenv("PATH", absl::StrCat(dir->path(), ":", path).c_str(), 1);
  const HelperRunner run = SystemHelpers();
  const auto good = AskHelper(run, "manyarch-test", "good.io");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(*good, (Credentials{"me", "s3cret"}));
  const auto none = AskHelper(run, "manyarch-test", "none.io");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(*none, std::nullopt);
  EXPECT_THAT(std::string(AskHelper(run, "manyarch-test", "x.io").status().message()),
              HasSubstr("'the keyring is locked'"));
  EXPECT_THAT(std::string(AskHelper(run, "manyarch-absent", "x.io").status().message()),
              HasSubstr("docker-credential-manyarch-absent"));
}

}  // namespace
}  // namespace manyarch::registry
