#include "registry/keychain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/os/files.h"
#include "tests/registry/first_credentials.h"
#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Entry(const std::string& host, const std::string& user) {
  return absl::StrCat("\"", host, R"(":{"auth":")", absl::Base64Escape(user + ":pw"), "\"}");
}

AuthFile Merged(const std::vector<std::string>& files) {
  AuthFile all;
  for (const std::string& file : files) all.Append(*AuthFile::Parse(file));
  return all;
}

struct Rig {
  explicit Rig(const std::string& file) : Rig(std::vector<std::string>{file}) {}
  explicit Rig(const std::vector<std::string>& files)
      : keychain(Merged(files), &waiter,
                 [this](const std::string& name, const std::string& verb,
                        const std::string& input) -> absl::StatusOr<std::string> {
                   asked.push_back(absl::StrCat(name, " ", verb, " ", input));
                   if (!fails.ok()) return fails;
                   if (name == "none") return absl::NotFoundError("it has nothing");
                   if (name == "broken") return absl::UnavailableError("it is locked");
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

// By containers-auth.json(5), and by docker's manual where that knows more (credsStore). What a
// worker is given must lead its buildah to the same credentials.
TEST(Keychain, ThePrecedenceIsThatOfOtherToolsAlsoForWhatWorkersGet) {
  const std::string host = Entry("quay.io", "host");
  const std::string team = Entry("quay.io/team", "team");
  const std::string app = Entry("quay.io/team/app", "app");
  const auto auths = [](const std::vector<std::string>& entries) {
    return absl::StrCat("\"auths\":{", absl::StrJoin(entries, ","), "}");
  };
  const auto helper = [](const std::string& name) {
    return absl::StrCat(R"("credHelpers":{"quay.io":")", name, "\"}");
  };
  const std::string store = R"("credsStore":"all")";
  struct Row {
    const char* what;
    std::vector<std::string> files;  // The insides of their objects.
    std::string repository;
    std::string user;
  };
  for (const Row& row : std::vector<Row>{
           {"the longest path", {auths({host, team, app})}, "team/app", "app"},
           {"a part of the path", {auths({host, team, app})}, "team/other", "team"},
           {"whole parts only", {auths({host, team})}, "teams/app", "host"},
           {"a helper hides entries, however long",
            {helper("one") + "," + auths({host, app})},
            "team/app",
            "helped"},
           {"also where it has nothing",
            {helper("none") + "," + auths({host, app})},
            "team/app",
            "nobody"},
           {"then the next file",
            {helper("none") + "," + auths({host}), auths({team})},
            "team/app",
            "team"},
           {"a helper comes before the store", {helper("one") + "," + store}, "team/app", "helped"},
           {"which is not asked in its place",
            {helper("none") + "," + store},
            "team/app",
            "nobody"},
           {"an entry comes before the store", {store + "," + auths({team})}, "team/app", "team"},
           {"which has the rest", {store + "," + auths({team})}, "other/app", "helped"},
           {"the first file wins, however short",
            {auths({host}), auths({app})},
            "team/app",
            "host"},
           {"where it has anything", {auths({team}), auths({host})}, "other/app", "host"},
           {"a helper of the first file", {helper("one"), auths({app})}, "team/app", "helped"},
           {"the first file's entry", {auths({host}), helper("one")}, "team/app", "host"},
           {"nothing is used in the place of one that fails",
            {helper("broken"), auths({app})},
            "team/app",
            "asking the credential helper 'broken' for quay.io: it is locked"}}) {
    std::vector<std::string> files;
    for (const std::string& inside : row.files) files.push_back("{" + inside + "}");
    Rig rig(files);
    const auto found = rig.keychain.Find("quay.io", row.repository);
    const std::string user =
        found.ok() ? (*found ? (*found)->user : "nobody") : std::string(found.status().message());
    EXPECT_EQ(user, row.user) << row.what;
    const auto given = AuthFile::Parse(rig.keychain.AuthFileFor("quay.io", row.repository));
    ASSERT_TRUE(given.ok()) << given.status();
    const auto theirs = FirstCredentials(*given, "quay.io", row.repository);
    EXPECT_EQ(theirs ? theirs->user : "nobody", found.ok() ? row.user : "nobody") << row.what;
  }
}

// A worker that shows it once more may have the account locked; and what a later file has was never
// meant.
TEST(Keychain, WorkersDoNotGetWhatTheRegistryHasRefused) {
  Rig rig(std::vector<std::string>{R"({"credHelpers":{"h.io":"one"}})",
                                   absl::StrCat(R"({"auths":{)", Entry("h.io", "filed"), "}}")});
  const auto given = [&] {
    const auto file = AuthFile::Parse(rig.keychain.AuthFileFor("h.io", "team/app"));
    const auto found = FirstCredentials(*file, "h.io", "team/app");
    return found ? found->user : "nobody";
  };
  EXPECT_EQ(given(), "nobody") << "it was not asked yet";
  EXPECT_EQ(rig.UserOf("h.io"), "helped");
  EXPECT_EQ(given(), "helped");
  rig.keychain.Distrust("h.io");
  EXPECT_EQ(given(), "nobody");
  rig.fails = absl::UnavailableError("the vault is sealed");
  EXPECT_FALSE(rig.keychain.Refresh().ok());
  EXPECT_EQ(given(), "nobody");
  rig.fails = absl::OkStatus();
  EXPECT_TRUE(rig.keychain.Refresh().ok());
  EXPECT_EQ(given(), "helped");
  rig.waiter.now += absl::Hours(2);
  EXPECT_EQ(given(), "nobody") << "and nothing that is long out of date";
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
