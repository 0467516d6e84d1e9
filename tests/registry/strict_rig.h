// Requests to a strict registry, as a test writes them down.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "registry/curl_transport.h"
#include "registry/manifest.h"
#include "tests/support/strict_registry.h"

namespace manyarch::testing {

using Headers = std::vector<std::pair<std::string, std::string>>;

inline Headers Type(absl::string_view type) { return {{"Content-Type", std::string(type)}}; }
inline Headers Accept(absl::string_view type) { return {{"Accept", std::string(type)}}; }

// A wish that fails on the way is answered with status 0 and the reason in the body.
class Asker {
 public:
  explicit Asker(std::string host) : base_("http://" + std::move(host)) {}

  registry::Response operator()(const std::string& method, const std::string& path,
                                const Headers& headers = {}, const std::string& body = "") {
    registry::Request request;
    request.method = method;
    request.url = absl::StartsWith(path, "http") ? path : base_ + path;
    request.headers = headers;
    request.body = body;
    auto response = transport_.Send(request, nullptr);
    if (response.ok()) return *std::move(response);
    return {0, {}, std::string(response.status().message())};
  }

 private:
  const std::string base_;
  registry::CurlTransport transport_{"manyarch-test"};
};

// The first error's code; empty where the answer is no error.
inline std::string CodeIn(const registry::Response& response) {
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  if (!body.is_object() || !body.contains("errors")) return "";
  return body["errors"][0].value("code", "");
}

constexpr char kAmd64[] = R"("os":"linux","architecture":"amd64")";
constexpr char kArm64[] = R"("os":"linux","architecture":"arm64","variant":"v8")";

// A list of an amd64 image and an arm64 image, as JSON to spoil.
inline nlohmann::json ListOf(const TestImage& amd64, const TestImage& arm64) {
  const auto entry = [](const TestImage& image, const char* architecture) {
    return nlohmann::json{{"mediaType", image.media_type},
                          {"size", image.size()},
                          {"digest", image.digest().ToString()},
                          {"platform", {{"architecture", architecture}, {"os", "linux"}}}};
  };
  return {{"schemaVersion", 2},
          {"mediaType", std::string(registry::kDockerList)},
          {"manifests", {entry(amd64, "amd64"), entry(arm64, "arm64")}}};
}

}  // namespace manyarch::testing
