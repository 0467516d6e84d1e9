// A real docker-registry with images in it, and the program run against it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/os/subprocess.h"
#include "gtest/gtest.h"
#include "registry/curl_transport.h"
#include "registry/manifest.h"
#include "tests/cli/scratch.h"
#include "tests/support/docker_registry.h"
#include "tests/support/test_image.h"

namespace manyarch::cli {

inline std::string PlatformJson(const std::string& arch, const std::string& variant = "") {
  return R"("os":"linux","architecture":")" + arch + "\"" +
         (variant.empty() ? "" : R"(,"variant":")" + variant + "\"");
}

class ImageRig : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = testing::DockerRegistry::Start();
    if (absl::IsNotFound(started.status())) GTEST_SKIP() << started.status().message();
    ASSERT_TRUE(started.ok()) << started.status();
    registry_ = *std::move(started);
    raw_ = std::make_unique<testing::RawRegistry>(&transport_, host());
  }

  std::string host() const { return registry_->host(); }

  // No controller has this address: a command that would ask one cannot pass.
  RunResult Manyarch(std::vector<std::string> args, std::vector<std::string> env = {}) {
    Command command;
    command.argv = {MANYARCH_BINARY};
    command.argv.insert(command.argv.end(), args.begin(), args.end());
    env.insert(env.end(), {"MANYARCH_CONTROLLER=127.0.0.1:1", "PATH=/usr/bin:/bin",
                           "HOME=" + scratch_.path()});
    command.env = env;
    auto result = RunCommand(command);
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  }

  // Pushes an image for linux/<arch> and gives it a tag where one is named.
  testing::TestImage Push(const std::string& repository, const std::string& arch,
                          const std::string& seed = "", const std::string& variant = "",
                          bool oci = false, const std::string& tag = "") {
    testing::TestImage image =
        testing::MakeTestImage(PlatformJson(arch, variant), seed + arch + variant, oci);
    EXPECT_TRUE(raw_->Push(repository, image).ok());
    if (!tag.empty()) Tag(repository, tag, image.manifest, image.media_type);
    return image;
  }

  void Tag(const std::string& repository, const std::string& tag, const std::string& bytes,
           const std::string& media_type) {
    const auto put =
        raw_->Send("PUT", "/v2/" + repository + "/manifests/" + tag, bytes, media_type);
    ASSERT_TRUE(put.ok()) << put.status();
    ASSERT_EQ(put->status, 201) << put->body;
  }

  // The manifest's bytes; empty where there is none.
  std::string Bytes(const std::string& repository, const std::string& name) {
    const auto got = raw_->Manifest(repository, name);
    return got.ok() && got->status == 200 ? got->body : "";
  }

  static registry::ListEntry EntryOf(const testing::TestImage& image, const std::string& platform) {
    return {image.media_type, image.digest(), image.size(), *ParsePlatform(platform)};
  }

  const Scratch scratch_;
  registry::CurlTransport transport_{"test"};
  std::unique_ptr<testing::DockerRegistry> registry_;
  std::unique_ptr<testing::RawRegistry> raw_;
};

}  // namespace manyarch::cli
