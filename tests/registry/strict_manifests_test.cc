// What the strict registry takes and refuses of manifests, rule by rule, and that with
// docker-registry's rules it says what docker-registry says.
#include <functional>

#include "tests/registry/strict_rig.h"
#include "tests/support/docker_registry.h"

namespace manyarch::testing {
namespace {

using nlohmann::json;
using registry::kDockerList;
using registry::kDockerManifest;
using registry::kOciIndex;

constexpr char kSchema1[] = "application/vnd.docker.distribution.manifest.v1+prettyjws";

struct ListRow {
  const char* name;
  std::function<void(json&)> spoil;
  std::string content_type;
  int quay;
  int distribution;
};

const ListRow kLists[] = {
    {"as it should be", [](json&) {}, std::string(kDockerList), 201, 201},
    {"content type with parameter", [](json&) {}, absl::StrCat(kDockerList, "; charset=utf-8"), 201,
     201},
    {"no content type", [](json&) {}, "", 400, 400},
    {"application/json", [](json&) {}, "application/json", 400, 400},
    {"another content type than its own", [](json&) {}, std::string(kOciIndex), 400, 400},
    {"unknown content type", [](json&) {}, "application/x-unknown", 400, 400},
    {"no mediaType", [](json& list) { list.erase("mediaType"); }, std::string(kDockerList), 400,
     400},
    {"no schema version", [](json& list) { list["schemaVersion"] = 3; }, std::string(kDockerList),
     400, 400},
    {"entry without mediaType", [](json& list) { list["manifests"][0].erase("mediaType"); },
     std::string(kDockerList), 400, 201},
    {"entry without size", [](json& list) { list["manifests"][0].erase("size"); },
     std::string(kDockerList), 400, 201},
    {"entry without digest", [](json& list) { list["manifests"][0].erase("digest"); },
     std::string(kDockerList), 400, 400},
    {"entry without platform", [](json& list) { list["manifests"][0].erase("platform"); },
     std::string(kDockerList), 400, 201},
    {"entry without os", [](json& list) { list["manifests"][0]["platform"].erase("os"); },
     std::string(kDockerList), 400, 201},
    {"entry without architecture",
     [](json& list) { list["manifests"][0]["platform"].erase("architecture"); },
     std::string(kDockerList), 400, 201},
    {"wrong size", [](json& list) { list["manifests"][1]["size"] = 1; }, std::string(kDockerList),
     400, 201},
    {"wrong architecture",
     [](json& list) { list["manifests"][1]["platform"]["architecture"] = "amd64"; },
     std::string(kDockerList), 400, 201},
    {"wrong os", [](json& list) { list["manifests"][1]["platform"]["os"] = "windows"; },
     std::string(kDockerList), 400, 201},
    {"child that is not here",
     [](json& list) { list["manifests"][1]["digest"] = Digest::Of("absent").ToString(); },
     std::string(kDockerList), 400, 400},
    {"no manifests", [](json& list) { list["manifests"] = json::array(); },
     std::string(kDockerList), 400, 201},
    {"annotations",
     [](json& list) {
       list["annotations"] = {{"a", "b"}};
     },
     std::string(kDockerList), 400, 201},
};

class StrictManifests : public ::testing::Test {
 protected:
  void Serve(RegistryRules rules) {
    StrictRegistryOptions options;
    options.rules = std::move(rules);
    strict_ = std::make_unique<StrictRegistry>(options);
    strict_->Hold("team/app", amd64_);
    strict_->Hold("team/app", arm64_);
  }
  registry::Response Put(const std::string& name, const json& body, const std::string& type) {
    return Asker(strict_->host())("PUT", "/v2/team/app/manifests/" + name,
                                  type.empty() ? Headers{} : Type(type), body.dump());
  }

  const TestImage amd64_ = MakeTestImage(kAmd64);
  const TestImage arm64_ = MakeTestImage(kArm64);
  std::unique_ptr<StrictRegistry> strict_;
};

TEST_F(StrictManifests, ListsAreJudgedByTheRegistrysRules) {
  for (const bool quay : {true, false}) {
    Serve(quay ? Quay() : DockerDistribution());
    for (const ListRow& row : kLists) {
      json list = ListOf(amd64_, arm64_);
      row.spoil(list);
      const auto answer = Put("1", list, row.content_type);
      EXPECT_EQ(answer.status, quay ? row.quay : row.distribution)
          << strict_->host() << " " << row.name << ": " << answer.body;
      if (answer.status != 201) {
        EXPECT_NE(CodeIn(answer), "") << row.name << answer.body;
      }
    }
  }
}

// The rows where docker-registry 2.8.2 is asked itself.
TEST_F(StrictManifests, DockerRegistrySaysTheSame) {
  auto real = DockerRegistry::Start();
  ASSERT_TRUE(real.ok()) << real.status();
  registry::CurlTransport transport("manyarch-test");
  RawRegistry raw(&transport, (*real)->host());
  ASSERT_TRUE(raw.Push("team/app", amd64_).ok());
  ASSERT_TRUE(raw.Push("team/app", arm64_).ok());
  Serve(DockerDistribution());
  Asker ask_real((*real)->host());
  Asker ask_strict(strict_->host());
  int tag = 0;
  for (const ListRow& row : kLists) {
    json list = ListOf(amd64_, arm64_);
    row.spoil(list);
    const std::string path = absl::StrCat("/v2/team/app/manifests/", ++tag);
    const Headers headers = row.content_type.empty() ? Headers{} : Type(row.content_type);
    const auto wanted = ask_real("PUT", path, headers, list.dump());
    const auto got = ask_strict("PUT", path, headers, list.dump());
    if (wanted.status == 500) {
      EXPECT_EQ(list["schemaVersion"], 3) << "the one that it does not expect";
      continue;
    }
    EXPECT_EQ(got.status, wanted.status) << row.name << ": " << wanted.body << got.body;
    EXPECT_EQ(CodeIn(got), CodeIn(wanted)) << row.name << ": " << wanted.body << got.body;
    for (const Headers& accept : {Accept(kDockerList), Accept(kDockerManifest)}) {
      const auto real_get = ask_real("GET", path, accept);
      const auto strict_get = ask_strict("GET", path, accept);
      if (list["manifests"].empty() || wanted.status != 201) continue;
      EXPECT_EQ(strict_get.status, real_get.status) << row.name << real_get.body;
      EXPECT_EQ(strict_get.Header("content-type"), real_get.Header("content-type")) << row.name;
    }
  }
  const std::string uploads = "/v2/team/app/blobs/uploads/";
  const std::string digest = Digest::Of("blob").ToString();
  const struct {
    std::string method;
    std::string path;
    std::string body;
  } rows[] = {
      {"GET", "/v2/", ""},
      {"GET", "/v2/team/app/manifests/absent", ""},
      {"GET", "/v2/team/app/blobs/" + digest, ""},
      {"DELETE", "/v2/team/app/manifests/" + digest, ""},
      {"GET", "/v2/absent/tags/list", ""},
      {"POST", uploads, ""},
      {"POST", uploads + "?digest=" + digest, "blob"},
      {"POST", uploads + "?mount=" + amd64_.digest().ToString() + "&from=absent", ""},
  };
  for (const auto& row : rows) {
    const Headers headers = {{"Accept", std::string(kDockerManifest)},
                             {"Content-Type", "application/octet-stream"}};
    const auto wanted = ask_real(row.method, row.path, headers, row.body);
    const auto got = ask_strict(row.method, row.path, headers, row.body);
    EXPECT_EQ(got.status, wanted.status) << row.method << row.path << wanted.body << got.body;
    EXPECT_EQ(CodeIn(got), CodeIn(wanted)) << row.method << row.path << wanted.body << got.body;
  }
}

TEST_F(StrictManifests, ImagesNeedTheirBlobsAndQuayGzip) {
  Serve(Quay());
  const auto put = [&](const std::function<void(json&)>& spoil) {
    json manifest = json::parse(amd64_.manifest);
    spoil(manifest);
    return Put("1", manifest, std::string(kDockerManifest));
  };
  EXPECT_EQ(put([](json&) {}).status, 201);
  const auto missing =
      put([](json& m) { m["layers"][0]["digest"] = Digest::Of("absent").ToString(); });
  EXPECT_EQ(CodeIn(missing), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_EQ(put([](json& m) { m["config"]["size"] = 1; }).status, 400);
  EXPECT_EQ(put([](json& m) { m["config"]["mediaType"] = "text/plain"; }).status, 400);
  EXPECT_EQ(put([](json& m) { m.erase("layers"); }).status, 400);
  for (const char* type : {"application/vnd.docker.image.rootfs.diff.tar",
                           "application/vnd.docker.image.rootfs.diff.tar.zstd"}) {
    EXPECT_EQ(put([&](json& m) { m["layers"][0]["mediaType"] = type; }).status, 400) << type;
  }
}

TEST_F(StrictManifests, OciAndListsAreRefusedWhereTheRulesSaySo) {
  RegistryRules rules = Quay();
  rules.takes_oci = false;
  Serve(rules);
  const TestImage oci = MakeTestImage(kAmd64, "", true);
  strict_->Hold("team/app", oci);
  EXPECT_EQ(Put("1", json::parse(oci.manifest), oci.media_type).status, 400);
  Serve(OldHarbor());
  const auto list = Put("1", ListOf(amd64_, arm64_), std::string(kDockerList));
  EXPECT_EQ(list.status, 415);
  EXPECT_EQ(CodeIn(list), "UNSUPPORTED");
  EXPECT_EQ(Put("1", json::parse(amd64_.manifest), amd64_.media_type).status, 201);
}

TEST_F(StrictManifests, WhoDoesNotAcceptTheStoredTypeGetsSchema1) {
  Serve(Quay());
  Asker ask(strict_->host());
  ASSERT_EQ(Put("list", ListOf(amd64_, arm64_), std::string(kDockerList)).status, 201);
  ASSERT_EQ(Put("arm", json::parse(arm64_.manifest), arm64_.media_type).status, 201);
  for (const char* tag : {"list", "arm"}) {
    const auto made_up = ask("GET", absl::StrCat("/v2/team/app/manifests/", tag));
    EXPECT_EQ(made_up.Header("content-type"), kSchema1);
    EXPECT_EQ(json::parse(made_up.body)["schemaVersion"], 1);
    EXPECT_EQ(Digest::Of(made_up.body).ToString(), made_up.Header("docker-content-digest"));
  }
  EXPECT_EQ(ask("GET", "/v2/team/app/manifests/list", Accept(kDockerList)).body,
            ListOf(amd64_, arm64_).dump());
  Serve(Spec());
  EXPECT_EQ(ask("GET", "/v2/team/app/manifests/" + amd64_.digest().ToString()).status, 0);
  EXPECT_EQ(Asker(strict_->host())("GET", "/v2/team/app/manifests/" + amd64_.digest().ToString(),
                                   Accept(kOciIndex))
                .status,
            404);
}

TEST_F(StrictManifests, ADigestMustBeThatOfTheBytes) {
  Serve(Spec());
  const auto wrong =
      Put(Digest::Of("other").ToString(), json::parse(amd64_.manifest), amd64_.media_type);
  EXPECT_EQ(CodeIn(wrong), "DIGEST_INVALID");
}

TEST_F(StrictManifests, AnImmutableTagIsWrittenOnce) {
  RegistryRules rules = Ecr();
  rules.immutable_tags = true;
  Serve(rules);
  const json amd64 = json::parse(amd64_.manifest);
  EXPECT_EQ(Put("1", amd64, amd64_.media_type).status, 201);
  EXPECT_EQ(Put("1", amd64, amd64_.media_type).status, 201);
  const auto moved = Put("1", json::parse(arm64_.manifest), arm64_.media_type);
  EXPECT_EQ(CodeIn(moved), "TAG_INVALID");
  EXPECT_EQ(strict_->Tags("team/app").at("1"), Digest::Of(amd64.dump()).ToString());
}

TEST_F(StrictManifests, TagsAndManifestsAreDeletedAsTheRulesSay) {
  Serve(Harbor());
  Asker ask(strict_->host());
  const json amd64 = json::parse(amd64_.manifest);
  const std::string digest = Digest::Of(amd64.dump()).ToString();
  for (const char* tag : {"1", "2", "3"}) Put(tag, amd64, amd64_.media_type);
  EXPECT_EQ(ask("DELETE", "/v2/team/app/manifests/1").status, 202);
  EXPECT_EQ(strict_->Tags("team/app").size(), 2u) << "the tag alone";
  EXPECT_EQ(ask("DELETE", "/v2/team/app/manifests/" + digest).status, 202);
  EXPECT_TRUE(strict_->Tags("team/app").empty()) << "with all its tags";
  Serve(Ghcr());
  EXPECT_EQ(Asker(strict_->host())("DELETE", "/v2/team/app/manifests/" + digest).status, 405);
}

}  // namespace
}  // namespace manyarch::testing
