// A controller in this process whose workers "build" two small images that are in the registry
// already.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "registry/client.h"
#include "registry/manifest.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {

class PublishTest : public ControllerTest {
 protected:
  // Writes the auth file that the controller reads.
  void UseCredentials(const std::string& user, const std::string& password) {
    const std::string path = dir_.path() + "/auth.json";
    const std::string text =
        absl::StrCat(R"({"auths":{")", host_, R"(":{"auth":")",
                     absl::Base64Escape(absl::StrCat(user, ":", password)), R"("}}})");
    ASSERT_TRUE(WriteFileAtomic(path, text, 0600).ok());
    options_.registry_authfile = path;
  }

  // Two platforms, with per-architecture tags.
  v1::SubmitRequest TwoPlatforms(const std::string& repository,
                                 const std::vector<std::string>& tags) const {
    v1::SubmitRequest request = RequestFor(repository, tags[0], repository + ":" + tags[0]);
    v1::JobSpec& spec = *request.mutable_spec();
    for (size_t i = 1; i < tags.size(); ++i) {
      spec.add_tags(absl::StrCat(host_, "/", repository, ":", tags[i]));
    }
    v1::Platform& platform = *spec.add_platforms()->mutable_platform();
    platform.set_os("linux");
    platform.set_arch("arm64");
    spec.clear_arch_tag_template();
    request.set_request_hash(Digest::Of(spec.SerializeAsString()).ToString());
    return request;
  }

  // Accepts what it is offered and says at once that the image of that platform is there.
  testing::StreamWorker::OnMessage TwoBuilder() const {
    return [this](testing::StreamWorker& self, const v1::ControllerMessage& message) {
      if (!message.has_offer()) return;
      self.AnswerOffer(message.offer().attempt_id(), true);
      const bool arm = message.offer().platform().arch() == "arm64";
      v1::Finished finished;
      finished.set_attempt_id(message.offer().attempt_id());
      finished.mutable_image()->set_repository(message.offer().repository());
      finished.mutable_image()->set_digest((arm ? arm64_ : image_).digest().ToString());
      self.Finish(finished);
    };
  }

  // Per-architecture tags are written beside the list, which does not wait for them.
  static void ExpectTag(registry::RegistryClient& client, const registry::Reference& tag,
                        const Digest& digest) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    absl::StatusOr<std::optional<Digest>> found = client.HeadManifest(tag);
    while (found.ok() && *found != digest && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(10));
      found = client.HeadManifest(tag);
    }
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, digest) << tag.ToString();
  }

  // What the list of both images must be, whoever wrote it.
  void ExpectTheRightList(const std::string& bytes) const {
    const auto list = nlohmann::json::parse(bytes, nullptr, false);
    ASSERT_TRUE(list.is_object()) << bytes;
    EXPECT_EQ(list.value("mediaType", ""), std::string(registry::kDockerList));
    ASSERT_EQ(list["manifests"].size(), 2u) << bytes;
    for (const auto& [index, image, architecture] :
         {std::tuple(0, &image_, "amd64"), std::tuple(1, &arm64_, "arm64")}) {
      const auto& entry = list["manifests"][static_cast<size_t>(index)];
      EXPECT_EQ(entry.value("digest", ""), image->digest().ToString());
      EXPECT_EQ(entry.value("size", int64_t{0}), image->size());
      EXPECT_EQ(entry["platform"].value("architecture", ""), architecture);
      EXPECT_EQ(entry["platform"].value("os", ""), "linux");
    }
  }

  const testing::TestImage arm64_ =
      testing::MakeTestImage(R"("os":"linux","architecture":"arm64","variant":"v8")");
};

}  // namespace manyarch::controller
