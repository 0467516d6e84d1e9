#include "registry/url.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace manyarch::registry {
namespace {

TEST(ParseUrl, NamesTheAuthorityWithItsPort) {
  const auto plain = ParseUrl("http://Example.COM/v2/");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->authority, "example.com:80");
  const auto tls = ParseUrl("https://[::1]:5000/x?y=z#frag");
  ASSERT_TRUE(tls.ok()) << tls.status();
  EXPECT_EQ(tls->authority, "[::1]:5000");
  EXPECT_EQ(tls->host, "[::1]");
  EXPECT_EQ(tls->text, "https://[::1]:5000/x?y=z");
}

TEST(ParseUrl, RefusesOtherSchemesAndUserNames) {
  for (const char* bad : {"", "file:///etc/passwd", "ftp://x/", "https://", "/v2/",
                          "https://user:pw@host/", "http://user@host/"}) {
    const auto got = ParseUrl(bad);
    EXPECT_FALSE(got.ok()) << bad;
    EXPECT_EQ(std::string(got.status().message()).find("pw"), std::string::npos) << got.status();
  }
}

TEST(ResolveUrl, FollowsTheRules) {
  const auto base = ParseUrl("http://reg:5000/v2/a/blobs/uploads/");
  ASSERT_TRUE(base.ok());
  const std::vector<std::pair<std::string, std::string>> table = {
      {"/v2/a/blobs/uploads/1?_state=x%3D", "http://reg:5000/v2/a/blobs/uploads/1?_state=x%3D"},
      {"https://other/x", "https://other/x"},
      {"//other/x", "http://other/x"},
      {"1", "http://reg:5000/v2/a/blobs/uploads/1"},
      {"../x", "http://reg:5000/v2/a/blobs/x"},
  };
  for (const auto& [reference, want] : table) {
    const auto got = ResolveUrl(*base, reference);
    ASSERT_TRUE(got.ok()) << reference << got.status();
    EXPECT_EQ(got->text, want);
  }
  EXPECT_FALSE(ResolveUrl(*base, "file:///etc/passwd").ok());
}

TEST(QueryEscape, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(QueryEscape("repository:a/b:pull,push &=~"),
            "repository%3Aa%2Fb%3Apull%2Cpush%20%26%3D~");
}

}  // namespace
}  // namespace manyarch::registry
