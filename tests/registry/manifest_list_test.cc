#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "registry/manifest.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;

ListEntry Entry(Platform platform, char digit, int64_t size) {
  return {std::string(kDockerManifest),
          *Digest::Parse(absl::StrCat("sha256:", std::string(64, digit))),
          size,
          std::move(platform),
          {}};
}

TEST(BuildManifestList, GivesTheseVeryBytes) {
  const auto got = BuildManifestList({Entry({"linux", "arm64", ""}, 'a', 428),
                                      Entry({"linux", "arm", "v7"}, 'b', 429),
                                      Entry({"linux", "amd64", ""}, 'c', 430)});
  ASSERT_TRUE(got.ok()) << got.status();
  const std::string want = absl::StrCat(R"({
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
   "manifests": [
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 430,
         "digest": "sha256:)",
                                        std::string(64, 'c'), R"(",
         "platform": {
            "architecture": "amd64",
            "os": "linux"
         }
      },
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 428,
         "digest": "sha256:)",
                                        std::string(64, 'a'), R"(",
         "platform": {
            "architecture": "arm64",
            "os": "linux",
            "variant": "v8"
         }
      },
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 429,
         "digest": "sha256:)",
                                        std::string(64, 'b'), R"(",
         "platform": {
            "architecture": "arm",
            "os": "linux",
            "variant": "v7"
         }
      }
   ]
})");
  EXPECT_EQ(got->bytes, want);
  EXPECT_EQ(got->digest, Digest::Of(want));
  EXPECT_EQ(got->media_type, kDockerList);
}

TEST(BuildManifestList, BuildsWhatParseReads) {
  const auto built = BuildManifestList({Entry({"linux", "s390x", ""}, 'a', 1)});
  ASSERT_TRUE(built.ok());
  const auto parsed = ParseManifest(built->bytes, built->media_type);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto& list = std::get<ManifestList>(*parsed);
  ASSERT_EQ(list.manifests.size(), 1u);
  EXPECT_EQ(ToString(*list.manifests[0].platform), "linux/s390x");
}

TEST(BuildManifestList, BuildsAnOciIndexOfOciImages) {
  ListEntry entry = Entry({"linux", "arm64", ""}, 'a', 1);
  EXPECT_FALSE(BuildManifestList({entry}, Format::kOci).ok());
  entry.media_type = std::string(kOciManifest);
  const auto got = BuildManifestList({entry}, Format::kOci);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->media_type, kOciIndex);
  EXPECT_TRUE(ParseManifest(got->bytes, kOciIndex).ok());
  EXPECT_FALSE(BuildManifestList({entry}).ok()) << "no OCI image in a Docker list";
}

TEST(BuildManifestList, PutsAnnotationsIntoAnIndexOnly) {
  ListEntry entry = Entry({"linux", "arm64", ""}, 'a', 1);
  entry.annotations["org.example.note"] = "x";
  const auto refused = BuildManifestList({entry});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("'org.example.note'"));
  EXPECT_FALSE(
      BuildManifestList({Entry({"linux", "arm64", ""}, 'a', 1)}, Format::kDocker, {{"a", "b"}})
          .ok());

  entry.media_type = std::string(kOciManifest);
  const auto got = BuildManifestList({entry}, Format::kOci, {{"org.example.all", "y"}});
  ASSERT_TRUE(got.ok()) << got.status();
  const auto parsed = ParseManifest(got->bytes, kOciIndex);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto& list = std::get<ManifestList>(*parsed);
  EXPECT_EQ(list.annotations, (Annotations{{"org.example.all", "y"}}));
  EXPECT_EQ(list.manifests[0].annotations, entry.annotations);
}

TEST(BuildManifestList, PutsAttestationsLastAndTakesSeveral) {
  std::vector<ListEntry> entries;
  for (const char digit : {'a', 'b'}) {
    entries.push_back(Entry({"unknown", "unknown", ""}, digit, 1));
    entries.back().annotations["vnd.docker.reference.type"] = "attestation-manifest";
  }
  entries.push_back(Entry({"linux", "s390x", ""}, 'c', 1));
  for (ListEntry& entry : entries) entry.media_type = std::string(kOciManifest);
  const auto got = BuildManifestList(entries, Format::kOci);
  ASSERT_TRUE(got.ok()) << got.status();
  const auto list = std::get<ManifestList>(*ParseManifest(got->bytes, kOciIndex));
  ASSERT_EQ(list.manifests.size(), 3u);
  EXPECT_EQ(list.manifests[0].digest, entries[2].digest);
}

TEST(BuildManifestList, RefusesWhatWouldMislead) {
  EXPECT_FALSE(BuildManifestList({}).ok());
  const auto twice = BuildManifestList(
      {Entry({"linux", "arm64", ""}, 'a', 1), Entry({"linux", "arm64", "v8"}, 'b', 1)});
  ASSERT_FALSE(twice.ok());
  EXPECT_THAT(std::string(twice.status().message()), HasSubstr("two images for linux/arm64"));
  EXPECT_FALSE(BuildManifestList({Entry({"linux", "arm64", ""}, 'a', 0)}).ok());
  EXPECT_FALSE(BuildManifestList({Entry({"", "arm64", ""}, 'a', 1)}).ok());
}

}  // namespace
}  // namespace manyarch::registry
