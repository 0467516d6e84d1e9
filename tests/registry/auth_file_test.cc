#include "registry/auth_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

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
  EXPECT_EQ(file->Find("quay.io", "team/app"), (Credentials{"app", "3"}));
  EXPECT_EQ(file->Find("quay.io", "team/other"), (Credentials{"team", "2"}));
  EXPECT_EQ(file->Find("quay.io", "teams/app"), (Credentials{"host", "1"}));
  EXPECT_EQ(file->Find("quay.io", ""), (Credentials{"host", "1"}));
  EXPECT_EQ(file->Find("reg.example:5000", "x"), (Credentials{"port", "a:b"}));
  EXPECT_EQ(file->Find("reg.example", "x"), std::nullopt);
  EXPECT_EQ(file->Find("quay.io.evil.example", "team/app"), std::nullopt);
}

TEST(AuthFile, KnowsDockerHubByAllItsNames) {
  for (const char* key : {"https://index.docker.io/v1/", "index.docker.io", "docker.io",
                          "registry-1.docker.io", "https://docker.io/v2/"}) {
    const auto file =
        AuthFile::Parse(absl::StrCat(R"({"auths":{")", key, R"(":)", Auth("me:pw"), "}}"));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->Find("docker.io", "library/alpine"), (Credentials{"me", "pw"})) << key;
  }
}

TEST(AuthFile, AnEmptyOneHoldsNothing) {
  for (const char* text : {"", " \n", "{}", R"({"auths":{}})", R"({"auths":{"a":{}}})"}) {
    const auto file = AuthFile::Parse(text);
    ASSERT_TRUE(file.ok()) << text << file.status();
    EXPECT_EQ(file->Find("a", "b"), std::nullopt);
    EXPECT_EQ(file->Unsupported("a"), "");
  }
}

TEST(AuthFile, SaysWhatItCannotAsk) {
  const auto file = AuthFile::Parse(
      R"({"credHelpers":{"gcr.io":"gcloud"},"auths":{"x.io":{"identitytoken":"t"}}})");
  ASSERT_TRUE(file.ok());
  EXPECT_THAT(file->Unsupported("gcr.io"), HasSubstr("credential helper 'gcloud'"));
  EXPECT_THAT(file->Unsupported("x.io"), HasSubstr("identity token"));
  EXPECT_EQ(file->Unsupported("y.io"), "");
  const auto store = AuthFile::Parse(R"({"credsStore":"desktop"})");
  ASSERT_TRUE(store.ok());
  EXPECT_THAT(store->Unsupported("y.io"), HasSubstr("credential store 'desktop'"));
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
  EXPECT_THAT(std::string(file.status().message()),
              HasSubstr("'/nonexistent/auth.json': No such file or directory"));
}

}  // namespace
}  // namespace manyarch::registry
