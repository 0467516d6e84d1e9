#include "registry/convert.h"

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
constexpr absl::string_view kForeign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

std::string Image(absl::string_view type, absl::string_view config, absl::string_view layer) {
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", type, R"(","config":{"mediaType":")",
                      config, R"(","size":7,"digest":")", kA, R"("},"layers":[{"mediaType":")",
                      layer, R"(","size":9,"digest":")", kB, R"("}]})");
}

std::string OciImage() { return Image(kOciManifest, kOciConfig, kOciLayer); }
std::string DockerImage() { return Image(kDockerManifest, kDockerConfig, kDockerLayer); }

TEST(ConvertImage, WritesTheseVeryBytes) {
  const auto got = ConvertImage(OciImage(), kOciManifest, Format::kDocker);
  ASSERT_TRUE(got.ok()) << got.status();
  const std::string want = absl::StrCat(R"({
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
   "config": {
      "mediaType": "application/vnd.docker.container.image.v1+json",
      "size": 7,
      "digest": ")",
                                        kA, R"("
   },
   "layers": [
      {
         "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "size": 9,
         "digest": ")",
                                        kB, R"("
      }
   ]
})");
  EXPECT_EQ(got->bytes, want);
  EXPECT_EQ(got->digest, Digest::Of(want));
  EXPECT_EQ(got->media_type, kDockerManifest);
}

TEST(ConvertImage, LeavesAnImageOfThatFormatAsItIs) {
  for (const auto& [bytes, type, format] :
       {std::make_tuple(OciImage(), kOciManifest, Format::kOci),
        std::make_tuple(DockerImage(), kDockerManifest, Format::kDocker)}) {
    const auto got = ConvertImage(bytes, type, format);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->bytes, bytes);
    EXPECT_EQ(got->digest, Digest::Of(bytes));
  }
}

TEST(ConvertImage, ThereAndBackKeepsEveryBlob) {
  const auto oci = ConvertImage(DockerImage(), kDockerManifest, Format::kOci);
  ASSERT_TRUE(oci.ok()) << oci.status();
  const auto parsed = ParseManifest(oci->bytes, kOciManifest);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto& image = std::get<ImageManifest>(*parsed);
  EXPECT_EQ(image.config.media_type, kOciConfig);
  EXPECT_EQ(image.config.digest.ToString(), kA);
  EXPECT_EQ(image.layers[0].media_type, kOciLayer);
  EXPECT_TRUE(CheckMediaTypes(image).ok());
  const auto docker = ConvertImage(oci->bytes, kOciManifest, Format::kDocker);
  const auto from_oci = ConvertImage(OciImage(), kOciManifest, Format::kDocker);
  ASSERT_TRUE(docker.ok() && from_oci.ok());
  EXPECT_EQ(docker->bytes, from_oci->bytes);
}

TEST(ConvertImage, TakesOtherLayersIntoOciOnly) {
  for (const auto& [docker, oci] :
       {std::make_pair("application/vnd.docker.image.rootfs.diff.tar",
                       "application/vnd.oci.image.layer.v1.tar"),
        std::make_pair("application/vnd.docker.image.rootfs.diff.tar.zstd",
                       "application/vnd.oci.image.layer.v1.tar+zstd")}) {
    const auto got = ConvertImage(Image(kDockerManifest, kDockerConfig, docker), "", Format::kOci);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_THAT(got->bytes, HasSubstr(absl::StrCat("\"", oci, "\"")));
    EXPECT_FALSE(ConvertImage(got->bytes, "", Format::kDocker).ok());
  }
}

TEST(ConvertImage, LeavesOutWhatBuildahWritesUnasked) {
  const std::string noted = absl::StrReplaceAll(
      OciImage(), {{R"("schemaVersion":2)",
                    R"("schemaVersion":2,"annotations":{"org.opencontainers.image.base.name":"x",)"
                    R"("org.opencontainers.image.base.digest":"y"})"}});
  const auto got = ConvertImage(noted, kOciManifest, Format::kDocker);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->bytes, ConvertImage(OciImage(), kOciManifest, Format::kDocker)->bytes);
}

TEST(ConvertImage, RefusesWhatWouldBeLostOrCannotBe) {
  const std::string oci = OciImage();
  const auto with = [&](absl::string_view from, absl::string_view to) {
    std::string out = absl::StrReplaceAll(oci, {{from, to}});
    EXPECT_NE(out, oci) << from;
    return out;
  };
  const std::string version = R"("schemaVersion":2)";
  struct Row {
    std::string bytes;
    std::vector<std::string> wants;
  };
  const std::vector<Row> table = {
      {with(kOciLayer, "application/vnd.oci.image.layer.v1.tar+zstd"),
       {"layer 1 (" + kB, "compressed with zstd", "--format oci"}},
      {with(kOciLayer, "application/vnd.oci.image.layer.v1.tar"),
       {"layer 1 (" + kB, "not compressed"}},
      {with(kOciLayer, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
       {"layer 1 (" + kB, "foreign layer"}},
      {with(kOciLayer, kForeign), {"foreign layer"}},
      {with(kOciLayer, "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
       {"no type of an image's layer"}},
      {with(kOciConfig, "application/vnd.cncf.helm.config.v1+json"), {"no image but an artifact"}},
      {with(version, version + R"(,"annotations":{"org.example.x":"y"})"),
       {"the manifest has the annotation 'org.example.x', which would be lost"}},
      {with(version, version + R"(,"subject":{"digest":"x"})"), {"the manifest has 'subject'"}},
      {with(version, version + R"(,"artifactType":"x/y")"), {"'artifactType'"}},
      {with(R"("size":9)", R"("size":9,"annotations":{"stargz":"1"})"),
       {"layer 1 (", "the annotation 'stargz'"}},
      {with(R"("size":9)", R"("size":9,"urls":["https://example.com/x"])"), {"'urls'"}},
      {with(R"("size":7)", R"("size":7,"data":"e30=")"), {"the config has 'data'"}},
      {R"({"schemaVersion":1,"fsLayers":[]})", {"schema 1 manifest", "does not say which blobs"}},
      {absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kOciIndex, R"(","manifests":[]})"),
       {"list of images where one image is wanted"}},
  };
  for (const Row& row : table) {
    const auto got = ConvertImage(row.bytes, "", Format::kDocker);
    ASSERT_FALSE(got.ok()) << row.bytes;
    EXPECT_TRUE(absl::IsInvalidArgument(got.status()));
    for (const std::string& want : row.wants) {
      EXPECT_THAT(std::string(got.status().message()), HasSubstr(want));
    }
  }
}

TEST(ConvertImage, TakesEmptyMembersForAbsent) {
  const std::string empty = absl::StrReplaceAll(
      OciImage(), {{R"("schemaVersion":2)",
                    R"("schemaVersion":2,"annotations":{},"artifactType":"","subject":null)"},
                   {R"("size":9)", R"("size":9,"urls":[])"}});
  EXPECT_TRUE(ConvertImage(empty, "", Format::kDocker).ok());
}

TEST(CheckMediaTypes, FindsWhatRegistriesMayHaveTaken) {
  struct Row {
    std::string bytes;
    std::string want;  // Empty: sound.
  };
  const std::string zstd = "application/vnd.docker.image.rootfs.diff.tar.zstd";
  const std::vector<Row> table = {
      {DockerImage(), ""},
      {OciImage(), ""},
      {Image(kDockerManifest, kDockerConfig, kForeign), ""},
      {Image(kOciManifest, kOciConfig, kDockerLayer), ""},
      {Image(kDockerManifest, kDockerConfig, zstd), "compressed with zstd"},
      {Image(kDockerManifest, kDockerConfig, kOciLayer), "the other format's type"},
      {Image(kDockerManifest, kDockerConfig, "text/plain"), "no type of an image's layer"},
      {Image(kOciManifest, "application/vnd.oci.empty.v1+json", kOciLayer), "an artifact"},
  };
  for (const Row& row : table) {
    const auto manifest = ParseManifest(row.bytes, "");
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    const absl::Status got = CheckMediaTypes(std::get<ImageManifest>(*manifest));
    EXPECT_EQ(got.ok(), row.want.empty()) << got;
    EXPECT_THAT(std::string(got.message()), HasSubstr(row.want));
  }
}

}  // namespace
}  // namespace manyarch::registry
