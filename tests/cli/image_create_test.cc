// `manyarch image create`, the program itself against real registries.
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/cli/image_rig.h"
#include "tests/support/registry_rules.h"
#include "tests/support/strict_registry.h"

namespace manyarch::cli {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ImageCreate : public ImageRig {
 protected:
  std::string At(const std::string& name) const { return host() + "/" + name; }
  static std::string By(const std::string& repository, const testing::TestImage& image) {
    return repository + "@" + image.digest().ToString();
  }
  // "linux/amd64 sha256:…" for each entry.
  std::vector<std::string> Entries(const std::string& repository, const std::string& name) {
    std::vector<std::string> out;
    const json list = json::parse(Bytes(repository, name));
    for (const json& entry : list["manifests"]) {
      const json& platform = entry["platform"];
      out.push_back(
          platform["os"].get<std::string>() + "/" + platform["architecture"].get<std::string>() +
          (platform.contains("variant") ? "/" + platform["variant"].get<std::string>() : "") + " " +
          entry["digest"].get<std::string>());
    }
    return out;
  }
  static std::string Line(const std::string& platform, const testing::TestImage& image) {
    return platform + " " + image.digest().ToString();
  }
};

TEST_F(ImageCreate, MakesAListOfTwoTagsAndSaysItsDigest) {
  const auto arm64 = Push("demo/app", "arm64", "", "", false, "1-arm64");
  const auto amd64 = Push("demo/app", "amd64", "", "", false, "1-amd64");
  const RunResult result = Manyarch(
      {"image", "create", "-t", At("demo/app:1"), At("demo/app:1-arm64"), At("demo/app:1-amd64")});
  ASSERT_EQ(result.exit.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const std::string bytes = Bytes("demo/app", "1");
  EXPECT_EQ(result.out, At("demo/app:1@") + Digest::Of(bytes).ToString() + "\n");
  EXPECT_EQ(json::parse(bytes)["mediaType"], std::string(registry::kDockerList));
  EXPECT_EQ(Entries("demo/app", "1"),
            (std::vector<std::string>{Line("linux/amd64", amd64), Line("linux/arm64/v8", arm64)}));
}

TEST_F(ImageCreate, ADryRunPrintsTheBytesThatWouldBeWrittenAndWritesNothing) {
  Push("demo/app", "arm64", "", "", false, "1-arm64");
  Push("demo/app", "amd64", "", "", false, "1-amd64");
  std::vector<std::string> args = {"image",
                                   "create",
                                   "--tag",
                                   At("demo/app:1"),
                                   "--dry-run",
                                   At("demo/app:1-arm64"),
                                   At("demo/app:1-amd64")};
  const RunResult dry = Manyarch(args);
  ASSERT_EQ(dry.exit.code, 0) << dry.err;
  EXPECT_EQ(Bytes("demo/app", "1"), "");
  EXPECT_EQ(Bytes("demo/app", Digest::Of(dry.out).ToString()), "");
  args.erase(args.begin() + 4);
  EXPECT_EQ(Manyarch(args).exit.code, 0);
  EXPECT_EQ(Bytes("demo/app", "1"), dry.out);
}

TEST_F(ImageCreate, WritesNothingThatIsThere) {
  Push("demo/app", "amd64", "", "", false, "a");
  const std::vector<std::string> args = {"image", "create", "-t", At("demo/app:1"),
                                         At("demo/app:a")};
  ASSERT_EQ(Manyarch(args).exit.code, 0);
  const size_t before = registry_->Log().size();
  const RunResult again = Manyarch(args);
  EXPECT_EQ(again.exit.code, 0);
  EXPECT_THAT(again.out, HasSubstr("demo/app:1@sha256:"));
  const std::string log = registry_->Log().substr(before);
  EXPECT_THAT(log, HasSubstr("HEAD"));
  EXPECT_THAT(log, Not(AnyOf(HasSubstr("PUT"), HasSubstr("POST"), HasSubstr("PATCH"))));
}

TEST_F(ImageCreate, FlattensListsAndChoosesFromThem) {
  const auto amd64 = Push("demo/app", "amd64", "", "", false, "a");
  const auto arm64 = Push("demo/app", "arm64", "", "", false, "b");
  const auto s390x = Push("demo/app", "s390x", "", "", false, "c");
  ASSERT_EQ(
      Manyarch({"image", "create", "-t", At("demo/app:two"), At("demo/app:a"), At("demo/app:b")})
          .exit.code,
      0);
  ASSERT_EQ(Manyarch({"image", "create", "-t", At("demo/app:three"), At("demo/app:two"),
                      At("demo/app:c")})
                .exit.code,
            0);
  EXPECT_EQ(Entries("demo/app", "three"),
            (std::vector<std::string>{Line("linux/amd64", amd64), Line("linux/arm64/v8", arm64),
                                      Line("linux/s390x", s390x)}));
  const RunResult chosen =
      Manyarch({"image", "create", "-t", At("demo/app:one"), "arm64=" + At("demo/app:three")});
  ASSERT_EQ(chosen.exit.code, 0) << chosen.err;
  EXPECT_EQ(Entries("demo/app", "one"), (std::vector<std::string>{Line("linux/arm64/v8", arm64)}));
  const RunResult none =
      Manyarch({"image", "create", "-t", At("demo/app:x"), "riscv64=" + At("demo/app:three")});
  EXPECT_EQ(none.exit.code, 2);
  EXPECT_THAT(none.err, AllOf(HasSubstr("linux/riscv64"),
                              HasSubstr("it has linux/amd64, linux/arm64, linux/s390x")));
}

TEST_F(ImageCreate, TakesAPlatformAsGivenWhereOnlyTheVariantDiffers) {
  const auto image = Push("demo/app", "arm", "", "v7");
  const RunResult result = Manyarch(
      {"image", "create", "-t", At("demo/app:1"), "linux/arm/v6=" + By(At("demo/app"), image)});
  ASSERT_EQ(result.exit.code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("says linux/arm/v7; the list will say linux/arm/v6"));
  EXPECT_EQ(Entries("demo/app", "1"), (std::vector<std::string>{Line("linux/arm/v6", image)}));
}

TEST_F(ImageCreate, RefusesWhatIsNotSo) {
  const auto amd64 = Push("demo/app", "amd64", "", "", false, "a");
  const auto other = Push("demo/app", "amd64", "other", "", false, "b");
  const RunResult wrong =
      Manyarch({"image", "create", "-t", At("demo/app:1"), "arm64=" + At("demo/app:a")});
  EXPECT_EQ(wrong.exit.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("its own config says linux/amd64"));
  const RunResult twice =
      Manyarch({"image", "create", "-t", At("demo/app:1"), At("demo/app:a"), At("demo/app:b")});
  EXPECT_EQ(twice.exit.code, 2);
  EXPECT_THAT(twice.err,
              HasSubstr("two images for linux/amd64: " + By(At("demo/app"), amd64) + " (from " +
                        At("demo/app:a") + ") and " + By(At("demo/app"), other)));
  // One image named twice is one image.
  EXPECT_EQ(Manyarch({"image", "create", "-t", At("demo/app:2"), At("demo/app:a"),
                      By(At("demo/app"), amd64)})
                .exit.code,
            0);
  // A list that lies about its image.
  const auto list = registry::BuildManifestList({EntryOf(amd64, "linux/arm64")});
  Tag("demo/app", "lie", list->bytes, list->media_type);
  EXPECT_THAT(Manyarch({"image", "create", "-t", At("demo/app:1"), At("demo/app:lie")}).err,
              HasSubstr("is not for linux/arm64 as the list " + At("demo/app:lie") + " says"));
  EXPECT_EQ(Bytes("demo/app", "1"), "");
}

TEST_F(ImageCreate, RewritesOciImagesForADockerListAndTheOtherWayRound) {
  const auto oci = Push("demo/app", "amd64", "", "", /*oci=*/true, "oci");
  const auto docker = Push("demo/app", "arm64", "", "", /*oci=*/false, "docker");
  const RunResult result = Manyarch(
      {"image", "create", "-t", At("demo/app:1"), At("demo/app:oci"), At("demo/app:docker")});
  ASSERT_EQ(result.exit.code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("is written anew as " + std::string(registry::kDockerManifest)));
  const json list = json::parse(Bytes("demo/app", "1"));
  EXPECT_EQ(list["manifests"][0]["mediaType"], std::string(registry::kDockerManifest));
  const json child = json::parse(Bytes("demo/app", list["manifests"][0]["digest"]));
  EXPECT_EQ(child["config"]["digest"], Digest::Of(oci.config).ToString());

  ASSERT_EQ(Manyarch({"image", "create", "--format=oci", "-t", At("demo/app:2"), At("demo/app:oci"),
                      At("demo/app:docker")})
                .exit.code,
            0);
  const json index = json::parse(Bytes("demo/app", "2"));
  EXPECT_EQ(index["mediaType"], std::string(registry::kOciIndex));
  EXPECT_EQ(index["manifests"][0]["digest"], oci.digest().ToString());
  EXPECT_EQ(index["manifests"][1]["mediaType"], std::string(registry::kOciManifest));
}

TEST_F(ImageCreate, LeavesAttestationsOutUnlessTheyAreAskedFor) {
  const auto image = Push("demo/att", "amd64", "", "", /*oci=*/true);
  const auto about = Push("demo/att", "unknown", "", "", /*oci=*/true);
  const auto index =
      registry::BuildManifestList({EntryOf(image, "linux/amd64"),
                                   {about.media_type,
                                    about.digest(),
                                    about.size(),
                                    Platform{"unknown", "unknown", ""},
                                    {{"vnd.docker.reference.type", "attestation-manifest"},
                                     {"vnd.docker.reference.digest", image.digest().ToString()}}}},
                                  registry::Format::kOci);
  ASSERT_TRUE(index.ok()) << index.status();
  Tag("demo/att", "buildx", index->bytes, index->media_type);
  const RunResult without =
      Manyarch({"image", "create", "-t", At("demo/att:1"), At("demo/att:buildx")});
  ASSERT_EQ(without.exit.code, 0) << without.err;
  EXPECT_THAT(without.err, HasSubstr("1 entry of " + At("demo/att:buildx") + " is no image"));
  EXPECT_EQ(Entries("demo/att", "1").size(), 1u);
  ASSERT_EQ(Manyarch({"image", "create", "--format=oci", "--keep-attestations", "-t",
                      At("demo/att:2"), At("demo/att:buildx")})
                .exit.code,
            0);
  EXPECT_EQ(Bytes("demo/att", "2"), index->bytes);
  const RunResult docker = Manyarch(
      {"image", "create", "--keep-attestations", "-t", At("demo/att:3"), At("demo/att:buildx")});
  EXPECT_EQ(docker.exit.code, 2);
  EXPECT_THAT(docker.err, HasSubstr("--format oci"));
}

TEST_F(ImageCreate, AnImmutableTagIsNotMovedAndNothingIsWritten) {
  Push("demo/app", "amd64", "", "", false, "a");
  Push("demo/app", "arm64", "", "", false, "b");
  const auto create = [&](std::vector<std::string> sources) {
    sources.insert(sources.begin(), {"image", "create", "--immutable", "-t", At("demo/app:new"),
                                     "-t", At("demo/app:1")});
    return Manyarch(std::move(sources));
  };
  ASSERT_EQ(Manyarch({"image", "create", "-t", At("demo/app:1"), At("demo/app:a")}).exit.code, 0);
  const std::string before = Bytes("demo/app", "1");
  const RunResult refused = create({At("demo/app:b")});
  EXPECT_EQ(refused.exit.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr(At("demo/app:1") + " exists and points to " +
                                           Digest::Of(before).ToString()),
                                 HasSubstr("--immutable")));
  EXPECT_EQ(Bytes("demo/app", "1"), before);
  EXPECT_EQ(Bytes("demo/app", "new"), "");
  // The same list again is no move.
  EXPECT_EQ(create({At("demo/app:a")}).exit.code, 0);
  EXPECT_EQ(Bytes("demo/app", "new"), before);
}

TEST_F(ImageCreate, AppendsAndReplaces) {
  const auto amd64 = Push("demo/app", "amd64", "", "", false, "a");
  const auto arm64 = Push("demo/app", "arm64", "", "", false, "b");
  const auto newer = Push("demo/app", "arm64", "newer", "", false, "c");
  ASSERT_EQ(Manyarch({"image", "create", "-t", At("demo/app:1"), At("demo/app:a")}).exit.code, 0);

  const RunResult dry =
      Manyarch({"image", "append", "--dry-run", At("demo/app:1"), At("demo/app:b")});
  ASSERT_EQ(dry.exit.code, 0) << dry.err;
  const RunResult appended = Manyarch({"image", "append", At("demo/app:1"), At("demo/app:b")});
  ASSERT_EQ(appended.exit.code, 0) << appended.err;
  EXPECT_EQ(Bytes("demo/app", "1"), dry.out);
  EXPECT_EQ(appended.out, At("demo/app:1@") + Digest::Of(dry.out).ToString() + "\n");
  EXPECT_EQ(Entries("demo/app", "1"),
            (std::vector<std::string>{Line("linux/amd64", amd64), Line("linux/arm64/v8", arm64)}));

  const RunResult refused = Manyarch({"image", "append", At("demo/app:1"), At("demo/app:c")});
  EXPECT_EQ(refused.exit.code, 2);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("has an image for linux/arm64 already"), HasSubstr("--replace")));
  EXPECT_EQ(Bytes("demo/app", "1"), dry.out);
  ASSERT_EQ(
      Manyarch({"image", "append", "--replace", At("demo/app:1"), At("demo/app:c")}).exit.code, 0);
  EXPECT_EQ(Entries("demo/app", "1"),
            (std::vector<std::string>{Line("linux/amd64", amd64), Line("linux/arm64/v8", newer)}));

  // Elsewhere, from a digest.
  const std::string list = At("demo/app@") + Digest::Of(dry.out).ToString();
  EXPECT_THAT(Manyarch({"image", "append", list, At("demo/app:c")}).err, HasSubstr("--tag"));
  ASSERT_EQ(
      Manyarch({"image", "append", "--replace", "-t", At("demo/app:2"), list, At("demo/app:c")})
          .exit.code,
      0);
  EXPECT_EQ(Bytes("demo/app", "2"), Bytes("demo/app", "1"));
  EXPECT_THAT(Manyarch({"image", "append", At("demo/app:none"), At("demo/app:c")}).err,
              HasSubstr("`manyarch image create` makes a new list"));
  EXPECT_THAT(Manyarch({"image", "append", At("demo/app:a"), At("demo/app:c")}).err,
              HasSubstr("is a single image and no list"));
}

TEST_F(ImageCreate, AppendKeepsTheFormatOfTheList) {
  Push("demo/app", "amd64", "", "", /*oci=*/true, "a");
  Push("demo/app", "arm64", "", "", /*oci=*/false, "b");
  ASSERT_EQ(Manyarch({"image", "create", "--format=oci", "-t", At("demo/app:1"), At("demo/app:a")})
                .exit.code,
            0);
  ASSERT_EQ(Manyarch({"image", "append", At("demo/app:1"), At("demo/app:b")}).exit.code, 0);
  const std::string index = Bytes("demo/app", "1");
  EXPECT_EQ(json::parse(index)["mediaType"], std::string(registry::kOciIndex));
  // What it has already, if written otherwise, is no other image.
  EXPECT_EQ(Manyarch({"image", "append", At("demo/app:1"), At("demo/app:b")}).exit.code, 0);
  EXPECT_EQ(Bytes("demo/app", "1"), index);
  ASSERT_EQ(Manyarch({"image", "append", "--format=docker", "-t", At("demo/app:2"),
                      At("demo/app:1"), At("demo/app:b")})
                .exit.code,
            0);
  EXPECT_EQ(json::parse(Bytes("demo/app", "2"))["mediaType"], std::string(registry::kDockerList));
}

TEST_F(ImageCreate, BringsImagesFromOtherRepositoriesAndRegistries) {
  auto other = testing::DockerRegistry::Start();
  ASSERT_TRUE(other.ok()) << other.status();
  testing::RawRegistry far(&transport_, (*other)->host());
  const auto arm64 = testing::MakeTestImage(PlatformJson("arm64"), "far");
  ASSERT_TRUE(far.Push("team/app", arm64).ok());
  const auto amd64 = Push("demo/near", "amd64");
  const RunResult result =
      Manyarch({"image", "create", "-t", At("demo/new:1"), "-t", (*other)->host() + "/team/new:2",
                By(At("demo/near"), amd64), By((*other)->host() + "/team/app", arm64)});
  ASSERT_EQ(result.exit.code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("copying linux/arm64 blob 1 of 2 (sha256:"));
  EXPECT_EQ(Entries("demo/new", "1"),
            (std::vector<std::string>{Line("linux/amd64", amd64), Line("linux/arm64/v8", arm64)}));
  const std::string list = Bytes("demo/new", "1");
  EXPECT_EQ(far.Manifest("team/new", "2")->body, list);
  EXPECT_EQ(result.out, At("demo/new:1@") + Digest::Of(list).ToString() + "\n" + (*other)->host() +
                            "/team/new:2@" + Digest::Of(list).ToString() + "\n");
  const auto layer = raw_->Send("GET", "/v2/demo/new/blobs/" + Digest::Of(arm64.layer).ToString());
  EXPECT_EQ(layer->body, arm64.layer);
}

// Whatever it is that a later repository refuses, and however late.
TEST_F(ImageCreate, NoTagMovesBeforeEveryRepositoryHasAllItNeeds) {
  Push("demo/app", "amd64", "", "", false, "old");
  Push("demo/app", "arm64", "", "", false, "new");
  struct Row {
    testing::RegistryRules rules;
    std::string refusal;
  };
  const Row rows[] = {{testing::Ecr(), "NAME_UNKNOWN"},  // The repository is not there.
                      {testing::OldHarbor(), "415"}};    // It takes images, but no list.
  for (const Row& row : rows) {
    ASSERT_EQ(Manyarch({"image", "create", "-t", At("demo/app:1"), At("demo/app:old")}).exit.code,
              0);
    const std::string before = Bytes("demo/app", "1");
    testing::StrictRegistryOptions options;
    options.rules = row.rules;
    const testing::StrictRegistry other(std::move(options));
    const RunResult result =
        Manyarch({"image", "create", "-t", At("demo/app:1"), "-t", At("demo/app:2"), "-t",
                  other.host() + "/team/app:1", At("demo/app:old"), At("demo/app:new")});
    EXPECT_NE(result.exit.code, 0);
    EXPECT_THAT(result.err, HasSubstr(row.refusal));
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(Bytes("demo/app", "1"), before) << row.refusal;
    EXPECT_EQ(Bytes("demo/app", "2"), "") << row.refusal;
    EXPECT_TRUE(other.Tags("team/app").empty());
  }
}

// What can only be found when the tag is written: the earlier ones are named.
TEST_F(ImageCreate, SaysWhichTagsWereWrittenWhereALaterOneIsRefused) {
  Push("demo/app", "amd64", "", "", false, "old");
  const auto arm64 = Push("demo/app", "arm64", "", "", false, "new");
  testing::StrictRegistryOptions options;
  options.rules.immutable_tags = true;
  const testing::StrictRegistry other(std::move(options));
  const std::string taken = other.host() + "/team/app:1";
  ASSERT_EQ(Manyarch({"image", "create", "-t", taken, At("demo/app:old")}).exit.code, 0);
  const RunResult result =
      Manyarch({"image", "create", "-t", At("demo/app:1"), "-t", taken, At("demo/app:new")});
  EXPECT_NE(result.exit.code, 0);
  EXPECT_THAT(result.err, HasSubstr("already written: " + At("demo/app:1")));
  EXPECT_EQ(Entries("demo/app", "1"), std::vector<std::string>{Line("linux/arm64/v8", arm64)});
}

TEST_F(ImageCreate, SaysWhichArgumentIsWrong) {
  const std::pair<std::vector<std::string>, std::string> rows[] = {
      {{"image", "create", At("x/y:1")}, "no tag given"},
      {{"image", "create", "-t", At("x/y:1")}, "of which SOURCE images?"},
      {{"image", "create", "-t", At("x/y@sha256:" + std::string(64, 'a')), At("x/y:1")}, "digest"},
      {{"image", "create", "-t", At("x/y:1"), "linux/amd46=" + At("x/y:1")},
       "did you mean 'linux/amd64'?"},
      {{"image", "create", "-t", At("x/y:1"), "--format", "tar", At("x/y:1")}, "--format"},
      {{"image", "append"}, "to which LIST?"},
      {{"image", "append", At("x/y:1")}, "which SOURCE images"},
      {{"image", "create", "--immutabel", "-t", At("x/y:1"), At("x/y:1")},
       "did you mean '--immutable'?"},
  };
  for (const auto& [args, sentence] : rows) {
    const RunResult result = Manyarch(args);
    EXPECT_EQ(result.exit.code, 2) << sentence;
    EXPECT_THAT(result.err, HasSubstr(sentence));
    EXPECT_EQ(result.out, "");
  }
}

}  // namespace
}  // namespace manyarch::cli
