#include "registry/flatten.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;

Descriptor Entry(absl::string_view type, const std::string& name,
                 std::optional<Platform> platform) {
  return {std::string(type), Digest::Of(name), 7, std::move(platform), "", "", {}};
}

Descriptor Attestation(const std::string& name, const std::string& about) {
  Descriptor entry = Entry(kOciManifest, name, Platform{"unknown", "unknown", ""});
  entry.annotations = {{"vnd.docker.reference.type", "attestation-manifest"},
                       {"vnd.docker.reference.digest", Digest::Of(about).ToString()}};
  return entry;
}

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

absl::StatusOr<ManifestList> NothingInside(const Descriptor&) {
  ADD_FAILURE() << "there is no list to read";
  return absl::NotFoundError("none");
}

TEST(Flatten, SortsEntriesByWhatTheyAre) {
  Descriptor chart = Entry(kOciManifest, "chart", std::nullopt);
  chart.artifact_type = "application/vnd.cncf.helm.config.v1+json";
  const ManifestList list{std::string(kOciIndex),
                          {Entry(kOciManifest, "a", kAmd64), Attestation("about-a", "a"),
                           Entry(kOciManifest, "b", std::nullopt), Attestation("about-z", "z"),
                           chart, Entry(kOciManifest, "u", Platform{"unknown", "unknown", ""})},
                          {}};
  const auto flat = Flatten(list, NothingInside);
  ASSERT_TRUE(flat.ok()) << flat.status();
  ASSERT_EQ(flat->images.size(), 2u);
  EXPECT_EQ(flat->images[0].digest, Digest::Of("a"));
  EXPECT_EQ(flat->images[1].platform, std::nullopt);
  ASSERT_EQ(flat->attestations.size(), 1u) << "z is not in the list";
  EXPECT_EQ(flat->attestations[0].digest, Digest::Of("about-a"));
  EXPECT_EQ(flat->others.size(), 3u);
}

TEST(Flatten, PutsWhatIsInListsInTheirPlace) {
  std::map<std::string, ManifestList> inner;
  inner.insert({Digest::Of("one").ToString(),
                {std::string(kDockerList),
                 {Entry(kDockerManifest, "a", kAmd64), Entry(kDockerList, "two", std::nullopt)},
                 {}}});
  inner.insert({Digest::Of("two").ToString(),
                {std::string(kDockerList), {Entry(kDockerManifest, "b", kArm64)}, {}}});
  const ManifestList list{std::string(kOciIndex),
                          {Entry(kDockerList, "one", std::nullopt),
                           Entry(kDockerManifest, "c", Platform{"linux", "s390x", ""}),
                           Entry(kDockerManifest, "a", kAmd64)},
                          {}};
  const auto flat = Flatten(list, [&](const Descriptor& entry) -> absl::StatusOr<ManifestList> {
    return inner.at(entry.digest.ToString());
  });
  ASSERT_TRUE(flat.ok()) << flat.status();
  ASSERT_EQ(flat->images.size(), 3u) << "what stands there twice is taken once";
  EXPECT_EQ(flat->images[0].digest, Digest::Of("a"));
  EXPECT_EQ(flat->images[1].digest, Digest::Of("b"));
  EXPECT_EQ(flat->images[2].digest, Digest::Of("c"));
}

TEST(Flatten, KeepsOneImageThatIsThereForTwoPlatforms) {
  const ManifestList list{std::string(kOciIndex),
                          {Entry(kOciManifest, "any", kAmd64), Entry(kOciManifest, "any", kArm64)},
                          {}};
  const auto flat = Flatten(list, NothingInside);
  ASSERT_TRUE(flat.ok());
  EXPECT_EQ(flat->images.size(), 2u);
}

TEST(Flatten, EndsWithListsThatNeverEnd) {
  const ManifestList list{std::string(kOciIndex), {Entry(kOciIndex, "0", std::nullopt)}, {}};
  int depth = 0;
  const auto deep = Flatten(list, [&](const Descriptor&) -> absl::StatusOr<ManifestList> {
    return ManifestList{
        std::string(kOciIndex), {Entry(kOciIndex, std::to_string(++depth), std::nullopt)}, {}};
  });
  ASSERT_FALSE(deep.ok());
  EXPECT_THAT(std::string(deep.status().message()), HasSubstr("more than 4 deep"));

  ManifestList wide{std::string(kOciIndex), {}, {}};
  for (int i = 0; i <= 1000; ++i) {
    wide.manifests.push_back(Entry(kOciManifest, std::to_string(i), kAmd64));
  }
  const auto many = Flatten(wide, NothingInside);
  ASSERT_FALSE(many.ok());
  EXPECT_THAT(std::string(many.status().message()), HasSubstr("more than 1000 entries"));
}

TEST(Flatten, PassesOnWhatReadingSays) {
  const ManifestList list{std::string(kOciIndex), {Entry(kOciIndex, "x", std::nullopt)}, {}};
  const auto flat = Flatten(list, [](const Descriptor&) -> absl::StatusOr<ManifestList> {
    return absl::UnavailableError("no registry");
  });
  EXPECT_TRUE(absl::IsUnavailable(flat.status()));
}

}  // namespace
}  // namespace manyarch::registry
