#include "registry/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(ParseReference, BringsReferencesIntoNormalForm) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"alpine", "docker.io/library/alpine:latest"},
      {"alpine:3.18", "docker.io/library/alpine:3.18"},
      {"docker.io/alpine", "docker.io/library/alpine:latest"},
      {"index.docker.io/team/app", "docker.io/team/app:latest"},
      {"registry-1.docker.io/alpine:1", "docker.io/library/alpine:1"},
      {"team/app:1", "docker.io/team/app:1"},
      {"localhost/app", "localhost/app:latest"},
      {"localhost:5000/demo/hello:1.0", "localhost:5000/demo/hello:1.0"},
      {"127.0.0.1:5000/demo/hello", "127.0.0.1:5000/demo/hello:latest"},
      {"[::1]:5000/x", "[::1]:5000/x:latest"},
      {"Quay.IO/Team/app", ""},
      {"Quay.IO/team/app", "quay.io/team/app:latest"},
      {"quay.io/a/b/c/d:V1_x.y-z", "quay.io/a/b/c/d:V1_x.y-z"},
      {"quay.io/a.b/c_d/e__f/g---h", "quay.io/a.b/c_d/e__f/g---h:latest"},
      {"quay.io/app@" + kDigest, "quay.io/app@" + kDigest},
      {"quay.io/app:1@" + kDigest, "quay.io/app:1@" + kDigest},
  };
  for (const auto& [text, want] : table) {
    const auto got = ParseReference(text);
    if (want.empty()) {
      EXPECT_FALSE(got.ok()) << text;
      continue;
    }
    ASSERT_TRUE(got.ok()) << text << ": " << got.status();
    EXPECT_EQ(got->ToString(), want) << text;
    const auto again = ParseReference(got->ToString());
    ASSERT_TRUE(again.ok()) << want;
    EXPECT_EQ(*again, *got);
  }
}

TEST(ParseReference, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "the reference is empty"},
      {"quay.io/Demo/app:1",
       "the repository may not have upper-case letters: write 'demo/app' ('D' at position 9)"},
      {"Demo/app:1", "the repository may not have upper-case letters: write 'demo/app'"},
      {"quay.io/demo/app:", "the tag after ':' is empty (at its end)"},
      {"quay.io/demo/app:-x", "may not begin with '.' or '-' ('-' at position 18)"},
      {"quay.io/demo/app:a b", "blanks, control characters"},
      {"quay.io/demo/app:ab$", "'$' at position 20"},
      {"quay.io/demo/app:a/b", "':' at position 17"},
      {"quay.io//app", "'/' at position 9"},
      {"quay.io/app/", "'/' at position 12"},
      {"quay.io/", "the repository is missing (at its end)"},
      {"/app", "the registry's host name is missing ('/' at position 1)"},
      {"quay.io/a..b", "'.' at position 11"},
      {"quay.io/a___b", "'_' at position 12"},
      {"quay.io/a.-b", "'-' at position 11"},
      {"quay.io/.a", "'.' at position 9"},
      {"quay.io/a-", "'-' at position 10"},
      {"quay.io/a%b", "'%' at position 10"},
      {"localhost:70000/app", "port must be a number from 1 to 65535 ('7' at position 11)"},
      {"localhost:/app", "port must be a number"},
      {"localhost:5x/app", "port must be a number"},
      {"-host.io/app", "host name may have"},
      {"host..io/app", "'.' at position 6"},
      {"[::g]/app", "not an IPv6 address"},
      {"https://quay.io/app", "written without"},
      {"docker://quay.io/app", "write it without 'docker://'"},
      {"quay.io/app@sha256:abc", "is not a digest"},
      {"quay.io/app:" + std::string(129, 'x'), "the tag has 129 characters: at most 128"},
      {"quay.io/" + std::string(300, 'x'), "at most 255"},
  };
  for (const auto& [text, want] : table) {
    const auto got = ParseReference(text);
    ASSERT_FALSE(got.ok()) << text;
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
    if (want != "written without") {
      EXPECT_THAT(std::string(got.status().message()), HasSubstr(want)) << text;
    }
  }
}

TEST(ParseTagReference, RefusesDigestsAndFillsInLatest) {
  const auto got = ParseTagReference("quay.io/demo/app");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->tag, "latest");
  EXPECT_EQ(got->Repository(), "quay.io/demo/app");
  const auto refused = ParseTagReference("quay.io/demo/app:1@" + kDigest);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("'@' at position 19"));
}

TEST(ParseRepository, TakesNeitherTagNorDigest) {
  EXPECT_TRUE(ParseRepository("127.0.0.1:5000/demo/app").ok());
  EXPECT_FALSE(ParseRepository("127.0.0.1:5000/demo/app:1").ok());
  EXPECT_FALSE(ParseRepository("127.0.0.1:5000/demo/app@" + kDigest).ok());
}

TEST(IsTag, FollowsTheGrammar) {
  for (const char* good : {"1", "_x", "1.0-armv7", "A.b-C_d"}) EXPECT_TRUE(IsTag(good)) << good;
  for (const char* bad : {"", ".x", "-x", "a/b", "a:b", "a b"}) EXPECT_FALSE(IsTag(bad)) << bad;
}

TEST(IsLoopback, KnowsEverySpelling) {
  for (const char* yes :
       {"localhost", "localhost:5000", "LOCALHOST:1", "a.localhost", "127.0.0.1", "127.0.0.1:5000",
        "127.9.9.9", "127.1", "[::1]:5000", "[::1]", "[::ffff:127.0.0.1]:80"}) {
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  }
  for (const char* no :
       {"docker.io", "127.example.com", "10.0.0.1:5000", "[::2]", "localhost.io", "mylocalhost"}) {
    EXPECT_FALSE(IsLoopback(no)) << no;
  }
}

TEST(ApiHost, IsAnotherOneForDockerHub) {
  EXPECT_EQ(ApiHost("docker.io"), "registry-1.docker.io");
  EXPECT_EQ(ApiHost("quay.io"), "quay.io");
}

}  // namespace
}  // namespace manyarch::registry
