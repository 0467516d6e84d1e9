#include "common/base/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace manyarch {
namespace {

TEST(Digest, IsTheSha256OfTheBytes) {
  EXPECT_EQ(Digest::Of("").ToString(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Digest::Of("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, ParsesWhatItPrintsAndNothingElse) {
  const Digest digest = Digest::Of("x");
  const auto parsed = Digest::Parse(digest.ToString());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, digest);

  const std::string hex(digest.hex());
  std::string upper = "sha256:" + hex;
  for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
  for (const std::string& bad :
       {std::string(), std::string("sha256:"), hex, "sha256:" + hex + "0",
        "sha256:" + hex.substr(1), "sha512:" + hex, upper, "sha256:" + hex.substr(1) + "g",
        "sha256:" + hex.substr(1) + "\n"}) {
    EXPECT_FALSE(Digest::Parse(bad).ok()) << bad;
  }
}

TEST(Sha256, DoesNotDependOnThePieces) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.Finish(), Digest::Of("abc"));
}

}  // namespace
}  // namespace manyarch
