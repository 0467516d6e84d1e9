// `manyarch image inspect`, the program itself against a real registry.
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/cli/image_rig.h"
#include "tests/support/test_certificates.h"

namespace manyarch::cli {
namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ImageInspect : public ImageRig {
 protected:
  void PushList(const std::string& repository, const std::string& tag) {
    amd64_ = Push(repository, "amd64");
    arm64_ = Push(repository, "arm64");
    const auto list = registry::BuildManifestList(
        {EntryOf(arm64_, "linux/arm64"), EntryOf(amd64_, "linux/amd64")});
    ASSERT_TRUE(list.ok()) << list.status();
    Tag(repository, tag, list->bytes, list->media_type);
    list_ = *list;
  }

  testing::TestImage amd64_, arm64_;
  registry::WrittenManifest list_{"", Digest::Of(""), ""};
};

TEST_F(ImageInspect, ShowsAListAsATable) {
  PushList("demo/app", "1.0");
  const RunResult result = Manyarch({"image", "inspect", host() + "/demo/app:1.0"});
  ASSERT_EQ(result.exit.code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_THAT(result.out, StartsWith("name        " + host() + "/demo/app:1.0\n"));
  EXPECT_THAT(result.out, HasSubstr("digest      " + list_.digest.ToString()));
  EXPECT_THAT(result.out, HasSubstr("\nlinux/amd64     " + amd64_.digest().ToString() + "  "));
  EXPECT_THAT(result.out, HasSubstr("\nlinux/arm64/v8  " + arm64_.digest().ToString() + "  "));
  EXPECT_THAT(result.out, HasSubstr(absl::StrCat(amd64_.size(), " B     ",
                                                 amd64_.config.size() + amd64_.layer.size(),
                                                 " B  application/")));
}

TEST_F(ImageInspect, GivesTheExactBytes) {
  PushList("demo/app", "1.0");
  EXPECT_EQ(Manyarch({"image", "inspect", "--raw", host() + "/demo/app:1.0"}).out, list_.bytes);
  EXPECT_EQ(
      Manyarch({"image", "inspect", "--raw", host() + "/demo/app@" + amd64_.digest().ToString()})
          .out,
      amd64_.manifest);
}

TEST_F(ImageInspect, GivesAListAsJson) {
  PushList("demo/app", "1.0");
  const json got =
      json::parse(Manyarch({"image", "inspect", "--format", "json", host() + "/demo/app:1.0"}).out);
  EXPECT_EQ(got["reference"], host() + "/demo/app:1.0");
  EXPECT_EQ(got["kind"], "list");
  EXPECT_EQ(got["digest"], list_.digest.ToString());
  EXPECT_EQ(got["media_type"], list_.media_type);
  EXPECT_EQ(got["size"], list_.bytes.size());
  ASSERT_EQ(got["manifests"].size(), 2u);
  EXPECT_EQ(got["manifests"][1], json({{"platform", "linux/arm64/v8"},
                                       {"digest", arm64_.digest().ToString()},
                                       {"media_type", arm64_.media_type},
                                       {"size", arm64_.size()},
                                       {"image_size", arm64_.config.size() + arm64_.layer.size()},
                                       {"attestation", false}}));
}

TEST_F(ImageInspect, ShowsAnImageWithItsConfigAndLayers) {
  testing::TestImage image = testing::MakeTestImage(
      PlatformJson("arm", "v6") + R"(,"created":"2024-01-02T03:04:05Z")", "x");
  ASSERT_TRUE(raw_->Push("demo/one", image).ok());
  Tag("demo/one", "latest", image.manifest, image.media_type);
  const RunResult text = Manyarch({"image", "inspect", host() + "/demo/one"});
  ASSERT_EQ(text.exit.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("platform  linux/arm/v6\n"));
  EXPECT_THAT(text.out, HasSubstr("created   2024-01-02T03:04:05Z\n"));
  EXPECT_THAT(text.out, HasSubstr("layer     " + Digest::Of(image.layer).ToString()));
  const json got =
      json::parse(Manyarch({"image", "inspect", "--format=json", host() + "/demo/one"}).out);
  EXPECT_EQ(got["kind"], "image");
  EXPECT_EQ(got["image"]["platform"], "linux/arm/v6");
  EXPECT_EQ(got["image"]["layers"][0]["size"], image.layer.size());
}

TEST_F(ImageInspect, MarksAttestations) {
  const auto image = Push("demo/att", "amd64", "", "", /*oci=*/true);
  const auto about = Push("demo/att", "unknown", "", "", /*oci=*/true);
  const auto entry = [](const testing::TestImage& of, const std::string& more) {
    return absl::StrCat(R"({"mediaType":")", of.media_type, R"(","size":)", of.size(),
                        R"(,"digest":")", of.digest().ToString(), "\",", more, "}");
  };
  Tag("demo/att", "1",
      absl::StrCat(
          R"({"schemaVersion":2,"mediaType":")", registry::kOciIndex, R"(","manifests":[)",
          entry(image, R"("platform":{"os":"linux","architecture":"amd64"})"), ",",
          entry(about, R"("platform":{"os":"unknown","architecture":"unknown"},"annotations":{)"
                       R"("vnd.docker.reference.type":"attestation-manifest",)"
                       R"("vnd.docker.reference.digest":")" +
                           image.digest().ToString() + "\"}"),
          "]}"),
      std::string(registry::kOciIndex));
  EXPECT_THAT(Manyarch({"image", "inspect", host() + "/demo/att:1"}).out,
              HasSubstr("\nattestation of linux/amd64  " + about.digest().ToString()));
  const json got =
      json::parse(Manyarch({"image", "inspect", "--format=json", host() + "/demo/att:1"}).out);
  EXPECT_EQ(got["manifests"][1]["attestation"], true);
  EXPECT_EQ(got["manifests"][1]["attests"], image.digest().ToString());
}

TEST_F(ImageInspect, ShowsAListWhoseImagesAreGone) {
  PushList("demo/app", "1.0");
  const auto gone = raw_->Send("DELETE", "/v2/demo/app/manifests/" + arm64_.digest().ToString());
  ASSERT_EQ(gone->status, 202);
  const RunResult result = Manyarch({"image", "inspect", host() + "/demo/app:1.0"});
  EXPECT_EQ(result.exit.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("MANIFEST_UNKNOWN"));
  EXPECT_THAT(result.out, HasSubstr("linux/amd64"));
}

TEST_F(ImageInspect, SaysWhatIsWrong) {
  const RunResult absent = Manyarch({"image", "inspect", host() + "/demo/none:1"});
  EXPECT_EQ(absent.exit.code, 2);
  EXPECT_THAT(absent.err, HasSubstr("MANIFEST_UNKNOWN"));
  EXPECT_EQ(absent.out, "");
  EXPECT_THAT(Manyarch({"image", "inspect", "h.example/UPPER"}).err, HasSubstr("manyarch: "));
  EXPECT_THAT(Manyarch({"image", "inspect"}).err, HasSubstr("which REFERENCE?"));
  EXPECT_EQ(Manyarch({"image"}).exit.code, 2);
}

TEST_F(ImageInspect, UsesTheCredentialsThatOthersUse) {
  auto locked = testing::DockerRegistry::Start({.user = "me", .password = "pass-1234"});
  ASSERT_TRUE(locked.ok());
  testing::RawRegistry raw(&transport_, (*locked)->host(),
                           registry::Credentials{"me", "pass-1234"});
  const auto image = testing::MakeTestImage(PlatformJson("amd64"), "x");
  ASSERT_TRUE(raw.Push("demo/x", image).ok());
  const std::string name = (*locked)->host() + "/demo/x@" + image.digest().ToString();
  const std::string auth =
      absl::StrCat(R"({"auths":{")", (*locked)->host(), R"(":{"auth":"bWU6cGFzcy0xMjM0"}}})");
  scratch_.File("auth.json", auth);
  scratch_.File("docker/config.json", auth);

  const RunResult without = Manyarch({"image", "inspect", name});
  EXPECT_EQ(without.exit.code, 4);
  EXPECT_THAT(without.err, HasSubstr("401"));
  EXPECT_EQ(Manyarch({"image", "inspect", name, "--authfile", scratch_.At("auth.json")}).exit.code,
            0);
  EXPECT_EQ(Manyarch({"image", "inspect", name}, {"REGISTRY_AUTH_FILE=" + scratch_.At("auth.json")})
                .exit.code,
            0);
  EXPECT_EQ(
      Manyarch({"image", "inspect", name}, {"DOCKER_CONFIG=" + scratch_.At("docker")}).exit.code,
      0);
}

// As the controller's registries file has it.
TEST_F(ImageInspect, ReadsHowARegistryIsSpokenTo) {
  const auto certificates = testing::TestCertificates::Make();
  ASSERT_TRUE(certificates.ok()) << certificates.status();
  testing::DockerRegistryOptions options;
  options.tls = &*certificates;
  options.wants_client_certificate = true;
  const auto secure = testing::DockerRegistry::Start(options);
  ASSERT_TRUE(secure.ok()) << secure.status();
  const std::string there = (*secure)->host();
  const json settings = {{"ca", certificates->ca()},
                         {"client_cert", certificates->client_cert()},
                         {"client_key", certificates->client_key()}};
  scratch_.File("registries.json", json{{"registries", {{there, settings}}}}.dump());
  const std::string file = scratch_.At("registries.json");
  Push("demo/app", "amd64", "", "", false, "1");
  EXPECT_NE(Manyarch({"image", "inspect", there + "/demo/app:1"}).exit.code, 0);
  const RunResult created = Manyarch({"image", "create", "--registries", file, "-t",
                                      there + "/demo/app:1", host() + "/demo/app:1"});
  EXPECT_EQ(created.exit.code, 0) << created.err;
  const RunResult found =
      Manyarch({"image", "inspect", there + "/demo/app:1"}, {"MANYARCH_REGISTRIES=" + file});
  EXPECT_EQ(found.exit.code, 0) << found.err;
  EXPECT_THAT(found.out, HasSubstr("linux/amd64"));
  const RunResult doctor = Manyarch({"doctor", there + "/demo/app:2", "--registries", file});
  EXPECT_THAT(doctor.out, ContainsRegex("\nok +client +" + there + "/demo/app:2 +push"));

  const RunResult both = Manyarch(
      {"image", "inspect", there + "/demo/app:1", "--registries", file, "--plain-http", there});
  EXPECT_EQ(both.exit.code, 2);
  EXPECT_THAT(both.err,
              HasSubstr("--plain-http: " + there + " is to be spoken to over plain HTTP"));
  EXPECT_EQ(
      Manyarch({"image", "inspect", there + "/demo/app:1", "--registries", "/nowhere"}).exit.code,
      2);
}

TEST_F(ImageInspect, KeepsTheLimitsOfARegistry) {
  const auto image = Push("demo/app", "amd64", "", "", false, "a");
  ASSERT_EQ(
      Manyarch({"image", "create", "-t", host() + "/demo/app:1", host() + "/demo/app:a"}).exit.code,
      0);
  // The list, and then its image: the second request would have to wait for minutes.
  const json settings = {{"plain_http", true}, {"requests_per_second", 0.01}};
  scratch_.File("registries.json", json{{"registries", {{host(), settings}}}}.dump());
  const RunResult slow = Manyarch(
      {"image", "inspect", host() + "/demo/app:1", "--registries", scratch_.At("registries.json")});
  EXPECT_THAT(slow.out + slow.err, HasSubstr("\"requests_per_second\" are used up"));
}

}  // namespace
}  // namespace manyarch::cli
