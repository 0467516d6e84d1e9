#include "registry/auth_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "tests/registry/first_credentials.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Auth(absl::string_view text) {
  return absl::StrCat(R"({"auth":")", absl::Base64Escape(text), R"("})");
}

TEST(AuthFile, PrefersTheLongestPath) {
  const auto file = AuthFile::Parse(absl::StrCat(
      R"({"auths":{"quay.io":)", Auth("host:1"), R"(,"quay.io/team":)", Auth("team:2"),
      R"(,"quay.io/team/app":)", Auth("app:3"), R"(,"reg.example:5000":)", Auth("port:a:b"), "}}"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(FirstCredentials(*file, "quay.io", "team/app"), (Credentials{"app", "3"}));
  EXPECT_EQ(FirstCredentials(*file, "quay.io", "team/other"), (Credentials{"team", "2"}));
  EXPECT_EQ(FirstCredentials(*file, "quay.io", "teams/app"), (Credentials{"host", "1"}));
  EXPECT_EQ(FirstCredentials(*file, "quay.io", ""), (Credentials{"host", "1"}));
  EXPECT_EQ(FirstCredentials(*file, "reg.example:5000", "x"), (Credentials{"port", "a:b"}));
  EXPECT_EQ(FirstCredentials(*file, "reg.example", "x"), std::nullopt);
  EXPECT_EQ(FirstCredentials(*file, "quay.io.evil.example", "team/app"), std::nullopt);
}

TEST(AuthFile, KnowsDockerHubByAllItsNames) {
  for (const char* key : {"https://index.docker.io/v1/", "index.docker.io", "docker.io",
                          "registry-1.docker.io", "https://docker.io/v2/"}) {
    const auto file =
        AuthFile::Parse(absl::StrCat(R"({"auths":{")", key, R"(":)", Auth("me:pw"), "}}"));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(FirstCredentials(*file, "docker.io", "library/alpine"), (Credentials{"me", "pw"}))
        << key;
  }
}

TEST(AuthFile, AnEmptyOneHoldsNothing) {
  for (const char* text : {"", " \n", "{}", R"({"auths":{}})", R"({"auths":{"a":{}}})"}) {
    const auto file = AuthFile::Parse(text);
    ASSERT_TRUE(file.ok()) << text << file.status();
    EXPECT_EQ(FirstCredentials(*file, "a", "b"), std::nullopt);
    EXPECT_TRUE(file->SourcesFor("a", "").empty());
  }
}

TEST(AuthFile, SaysWhereToLookInOrder) {
  auto file = AuthFile::Parse(absl::StrCat(
      R"({"credHelpers":{"https://gcr.io":"gcloud"},"credsStore":"desktop","auths":{"gcr.io":)",
      Auth("me:pw"), R"(,"x.io":{"identitytoken":"t"},"empty.io":{}}})"));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto gcr = file->SourcesFor("gcr.io", "team/app");
  ASSERT_EQ(gcr.size(), 1u) << "with a helper the file's own entries do not count";
  EXPECT_EQ(gcr[0].helper, "gcloud");
  const auto x = file->SourcesFor("x.io", "");
  ASSERT_EQ(x.size(), 2u);
  EXPECT_EQ(x[0].credentials, (Credentials{"", "", "t"}));
  EXPECT_EQ(x[1].helper, "desktop");
  const auto empty = file->SourcesFor("empty.io", "");
  ASSERT_EQ(empty.size(), 1u) << "docker leaves empty entries for what its store has";
  EXPECT_EQ(empty[0].helper, "desktop");

  const auto second = AuthFile::Parse(
      absl::StrCat(R"({"auths":{"gcr.io":)", Auth("you:pw"), R"(,"y.io":)", Auth("you:pw"), "}}"));
  file->Append(*second);
  ASSERT_EQ(file->SourcesFor("gcr.io", "").size(), 2u) << "where its helper has nothing";
  EXPECT_EQ(file->SourcesFor("gcr.io", "")[0].helper, "gcloud") << "the first file comes first";
  EXPECT_EQ(file->SourcesFor("gcr.io", "")[1].credentials, (Credentials{"you", "pw"}));
  EXPECT_EQ(FirstCredentials(*file, "y.io", ""), (Credentials{"you", "pw"}));
}

TEST(AuthFile, WritesWhatItReads) {
  const std::map<std::string, Credentials> entries = {{"docker.io", {"hub", "1"}},
                                                      {"quay.io/team", {"bot", "a:b", "token"}}};
  const auto file = AuthFile::Parse(WriteAuthFile(entries));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Entries(), entries);
}

TEST(AuthFile, WritesAUserBesideATokenForBuildahsSake) {
  const auto file = AuthFile::Parse(R"({"auths":{"x.io":{"identitytoken":"t"}}})");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(WriteAuthFile(file->Entries()),
            absl::StrCat(R"({"auths":{"x.io":{"auth":")", absl::Base64Escape("<token>:"),
                         R"(","identitytoken":"t"}}})"));
}

TEST(AuthFile, IsLookedForWhereOtherToolsKeepIt) {
  auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  const auto write = [&](const std::string& path, const std::string& user) {
    ASSERT_TRUE(MakeDirs((dir->path() + path).substr(0, (dir->path() + path).rfind('/'))).ok());
    ASSERT_TRUE(WriteFileAtomic(dir->path() + path,
                                absl::StrCat(R"({"auths":{"x.io":)", Auth(user + ":1"), R"(,")",
                                             user, R"(.io":)", Auth(user + ":1"), "}}"))
                    .ok());
  };
  std::map<std::string, std::string> variables = {{"HOME", dir->path() + "/home"},
                                                  {"XDG_RUNTIME_DIR", dir->path() + "/run"}};
  const auto user_of = [&](const std::string& registry) -> std::string {
    const auto file = AuthFile::ReadDefault([&](const char* name) { return variables[name]; });
    if (!file.ok()) return file.status().ToString();
    const auto found = FirstCredentials(*file, registry, "");
    return found ? found->user : "nobody";
  };
  EXPECT_EQ(user_of("x.io"), "nobody");
  write("/home/.docker/config.json", "docker");
  EXPECT_EQ(user_of("x.io"), "docker");
  write("/home/.config/containers/auth.json", "config");
  EXPECT_EQ(user_of("x.io"), "config");
  write("/run/containers/auth.json", "run");
  EXPECT_EQ(user_of("x.io"), "run");
  EXPECT_EQ(user_of("docker.io"), "docker") << "later files count for what earlier ones lack";
  write("/elsewhere/config.json", "elsewhere");
  variables["DOCKER_CONFIG"] = dir->path() + "/elsewhere";
  EXPECT_EQ(user_of("docker.io"), "nobody");
  EXPECT_EQ(user_of("elsewhere.io"), "elsewhere");
  variables["REGISTRY_AUTH_FILE"] = dir->path() + "/run/containers/auth.json";
  EXPECT_EQ(user_of("elsewhere.io"), "nobody") << "where it is set it counts alone";
  variables["REGISTRY_AUTH_FILE"] = dir->path() + "/absent.json";
  EXPECT_THAT(user_of("x.io"), HasSubstr("/absent.json"));
}

TEST(AuthFile, RefusesBrokenFilesWithoutQuotingThem) {
  for (const std::string& text :
       {std::string("hunter2"), std::string(R"({"auths":{"a":{"auth":"hunter2!"}}})"),
        absl::StrCat(R"({"auths":{"a":)", Auth("hunter2"), "}}"),
        std::string(R"({"auths":["hunter2"]})"), std::string(R"({"auths":{"a":"hunter2"}})")}) {
    const auto file = AuthFile::Parse(text);
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_THAT(std::string(file.status().message()), HasSubstr("the auth file"));
    EXPECT_THAT(std::string(file.status().message()), Not(HasSubstr("hunter2")));
  }
}

TEST(AuthFile, NamesAFileItCannotRead) {
  const auto file = AuthFile::Read("/nonexistent/auth.json");
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("/nonexistent/auth.json"));
}

}  // namespace
}  // namespace manyarch::registry
