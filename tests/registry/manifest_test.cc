#include "registry/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

std::string ImageText(absl::string_view type) {
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", type, R"(","config":{"mediaType":")",
                      kDockerConfig, R"(","size":7,"digest":")", kA,
                      R"("},"layers":[{"mediaType":")", kDockerLayer, R"(","size":9,"digest":")",
                      kB, R"("}]})");
}

std::string ListText(absl::string_view type) {
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", type,
                      R"(","manifests":[{"mediaType":")", kDockerManifest,
                      R"(","size":7,"digest":")", kA,
                      R"(","platform":{"architecture":"arm64","os":"linux","variant":"v8"}}]})");
}

TEST(ParseManifest, ReadsImages) {
  for (const absl::string_view type : {kDockerManifest, kOciManifest}) {
    const auto got = ParseManifest(ImageText(type), type);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(MediaType(*got), type);
    const auto& image = std::get<ImageManifest>(*got);
    EXPECT_EQ(image.config.digest.ToString(), kA);
    EXPECT_EQ(image.config.size, 7);
    ASSERT_EQ(image.layers.size(), 1u);
    EXPECT_EQ(image.layers[0].digest.ToString(), kB);
    EXPECT_EQ(image.layers[0].media_type, kDockerLayer);
  }
}

TEST(ParseManifest, ReadsListsWithPlatformsInNormalForm) {
  for (const absl::string_view type : {kDockerList, kOciIndex}) {
    const auto got = ParseManifest(ListText(type), absl::StrCat(type, "; charset=utf-8"));
    ASSERT_TRUE(got.ok()) << got.status();
    const auto& list = std::get<ManifestList>(*got);
    ASSERT_EQ(list.manifests.size(), 1u);
    EXPECT_EQ(ToString(*list.manifests[0].platform), "linux/arm64");
  }
}

TEST(ParseManifest, TellsAttestationsFromImages) {
  const std::string text = absl::StrCat(
      R"({"schemaVersion":2,"mediaType":")", kOciIndex, R"(","manifests":[)", R"({"mediaType":")",
      kOciManifest, R"(","size":7,"digest":")", kA,
      R"(","platform":{"architecture":"amd64","os":"windows","os.version":"10.0.1"}},)",
      R"({"mediaType":")", kOciManifest, R"(","size":7,"digest":")", kB,
      R"(","platform":{"architecture":"unknown","os":"unknown"},"annotations":{)",
      R"("vnd.docker.reference.type":"attestation-manifest","odd":1,)",
      R"("vnd.docker.reference.digest":")", kA, R"("}},)", R"({"mediaType":")", kOciManifest,
      R"(","size":7,"digest":")", kB, R"(","artifactType":"application/x"}]})");
  const auto got = ParseManifest(text, kOciIndex);
  ASSERT_TRUE(got.ok()) << got.status();
  const auto& entries = std::get<ManifestList>(*got).manifests;
  EXPECT_FALSE(IsAttestation(entries[0]));
  EXPECT_EQ(entries[0].os_version, "10.0.1");
  EXPECT_EQ(AttestedImage(entries[0]), std::nullopt);
  EXPECT_TRUE(IsAttestation(entries[1]));
  EXPECT_EQ(AttestedImage(entries[1])->ToString(), kA);
  EXPECT_FALSE(IsAttestation(entries[2]));
  EXPECT_EQ(entries[2].artifact_type, "application/x");
}

TEST(ParseManifest, TakesTheTypeFromWhereverItStands) {
  const std::string without = absl::StrReplaceAll(
      ImageText(kOciManifest), {{absl::StrCat(R"("mediaType":")", kOciManifest, R"(",)"), ""}});
  for (const std::string& type :
       {std::string(kOciManifest), std::string("application/json"), std::string()}) {
    const auto got = ParseManifest(without, type);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(MediaType(*got), kOciManifest);
  }
  const auto generic = ParseManifest(ListText(kDockerList), "application/octet-stream");
  ASSERT_TRUE(generic.ok()) << generic.status();
  EXPECT_EQ(MediaType(*generic), kDockerList);
}

TEST(ParseManifest, RefusesWhatCannotBeTrusted) {
  const std::string image = ImageText(kDockerManifest);
  const auto with = [&](absl::string_view from, absl::string_view to) {
    std::string out = absl::StrReplaceAll(image, {{from, to}});
    EXPECT_NE(out, image) << from;
    return out;
  };
  struct Row {
    std::string bytes;
    std::string type;
    std::string want;
  };
  const std::string docker(kDockerManifest);
  const std::vector<Row> table = {
      {"", docker, "the manifest is not JSON"},
      {"<html>no such page</html>", docker, "it begins with '<html>"},
      {"[]", docker, "not a JSON object but array"},
      {image + "x", docker, "not JSON"},
      {with("9", "-9"), docker, "layer 1: \"size\" is not a whole number"},
      {with("9,", "9.5,"), docker, "\"size\" is not a whole number"},
      {with("9,", "18446744073709551615,"), docker, "\"size\" is not a whole number"},
      {with("9,", "\"9\","), docker, "\"size\" is not a whole number"},
      {with(kB, "sha256:beef"), docker, "layer 1: 'sha256:beef' is not a digest"},
      {with("\"layers\"", "\"lairs\""), docker, "no list \"layers\""},
      {with("\"config\"", "\"conf\""), docker, "no \"config\""},
      {with(R"("schemaVersion":2)", R"("schemaVersion":3)"), docker, "\"schemaVersion\" is not 2"},
      {with(R"("size":9)", R"("size":9,"size":9)"), docker, "has the key \"size\" twice"},
      {with(R"("layers")", R"("manifests":[],"layers")"), docker, "as only a list may"},
      {image, std::string(kDockerList), "but the registry's Content-Type is"},
      {ImageText("application/x-new"), "", "unknown type 'application/x-new'"},
      {absl::StrReplaceAll(ListText(kDockerList), {{"\"platform\"", "\"plate\""}}), "",
       "list entry 1 has no platform"},
      {absl::StrReplaceAll(ListText(kDockerList), {{"\"os\"", "\"so\""}}), "",
       "platform of list entry 1 has no \"os\""},
      {"{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", docker, "levels deep"},
      {std::string(kMaxManifestSize + 1, ' '), docker, "at most 4194304 are allowed"},
  };
  for (const Row& row : table) {
    const auto got = ParseManifest(row.bytes, row.type);
    ASSERT_FALSE(got.ok()) << row.want;
    EXPECT_THAT(std::string(got.status().message()), HasSubstr(row.want));
  }
}

TEST(ParseManifest, RecognisesSchema1AndSaysWhyItIsRefused) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"({"schemaVersion":1,"name":"x","fsLayers":[]})", "application/json"},
      {R"({"schemaVersion":1})", "application/vnd.docker.distribution.manifest.v1+prettyjws"},
      {R"({"name":"x"})", "application/vnd.docker.distribution.manifest.v1+json"},
  };
  for (const auto& [bytes, type] : table) {
    const auto got = ParseManifest(bytes, type);
    ASSERT_FALSE(got.ok());
    EXPECT_THAT(std::string(got.status().message()), HasSubstr("schema 1 manifest"));
  }
}

TEST(ParseManifest, SurvivesHostileNesting) {
  const std::string deep = "{\"a\":" + std::string(2'000'000, '[');
  EXPECT_FALSE(ParseManifest(deep, kDockerManifest).ok());
}

TEST(ParseImageConfig, FindsThePlatform) {
  const auto got =
      ParseImageConfig(R"({"os":"linux","architecture":"arm64","variant":"v8","config":{}})");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(ToString(got->platform), "linux/arm64");
  EXPECT_EQ(got->spelled, "linux/arm64/v8");
  const auto arm = ParseImageConfig(R"({"os":"linux","architecture":"arm"})");
  ASSERT_TRUE(arm.ok());
  EXPECT_EQ(ToString(arm->platform), "linux/arm/v7");
  EXPECT_EQ(arm->spelled, "linux/arm");
}

TEST(ParseImageConfig, RefusesOneWithoutPlatform) {
  const auto got = ParseImageConfig(R"({"os":"linux"})");
  ASSERT_FALSE(got.ok());
  EXPECT_THAT(std::string(got.status().message()),
              HasSubstr("the image's config has no \"architecture\""));
  EXPECT_FALSE(ParseImageConfig(R"({"os":"linux","architecture":7})").ok());
  EXPECT_FALSE(ParseImageConfig(R"({"os":"linux","os":"windows","architecture":"arm"})").ok());
}

}  // namespace
}  // namespace manyarch::registry
