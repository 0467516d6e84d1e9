#include "tests/bench/publish/rounds.h"

#include <nlohmann/json.hpp>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "controller/publish/list.h"
#include "controller/publish/publisher.h"
#include "registry/curl_transport.h"

namespace manyarch::bench {

namespace core = controller::core;
namespace publish = controller::publish;

std::vector<Pushed> MakeImages(size_t count) {
  std::vector<Pushed> out;
  for (const char* name : {"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386",
                           "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/arm/v6"}) {
    if (out.size() == count) break;
    const Platform platform = *ParsePlatform(name);
    const std::string config =
        absl::StrCat(R"("os":"linux","architecture":")", platform.arch, "\"",
                     platform.variant.empty() ? "" : R"(,"variant":")" + platform.variant + "\"");
    out.push_back({platform, testing::MakeTestImage(config, name)});
  }
  return out;
}

absl::StatusOr<std::unique_ptr<CountedRegistry>> CountedRegistry::Start() {
  MA_ASSIGN_OR_RETURN(auto registry, testing::DockerRegistry::Start());
  return std::unique_ptr<CountedRegistry>(new CountedRegistry(std::move(registry)));
}

absl::Status CountedRegistry::Push(const std::string& repository,
                                   const std::vector<Pushed>& images) {
  registry::CurlTransport transport("manyarch-bench");
  testing::RawRegistry raw(&transport, host());
  for (const Pushed& pushed : images) MA_RETURN_IF_ERROR(raw.Push(repository, pushed.image));
  return absl::OkStatus();
}

Cost CountedRegistry::Count(const std::vector<Pushed>& images) {
  // A line is written after its answer has left; it is there in a moment.
  absl::SleepFor(absl::Milliseconds(50));
  const std::string log = registry_->Log();
  Cost cost{};
  for (const absl::string_view line : absl::StrSplit(absl::string_view(log).substr(seen_), '\n')) {
    if (!absl::StrContains(line, " HTTP/1.1\" ")) continue;
    ++cost.requests;
    cost.puts += absl::StrContains(line, "\"PUT ") && absl::StrContains(line, "/manifests/");
    for (const Pushed& pushed : images) {
      cost.layer_reads += absl::StrContains(line, "\"GET ") &&
                          absl::StrContains(line, Digest::Of(pushed.image.layer).ToString());
    }
  }
  seen_ = log.size();
  return cost;
}

absl::Status CountedRegistry::Check(const std::string& repository, const std::string& tag,
                                    const std::vector<Pushed>& images) {
  registry::CurlTransport transport("manyarch-bench");
  testing::RawRegistry raw(&transport, host());
  MA_ASSIGN_OR_RETURN(const auto answer, raw.Manifest(repository, tag));
  const auto list = nlohmann::json::parse(answer.body, nullptr, false);
  if (!list.is_object() ||
      list.value("manifests", nlohmann::json::array()).size() != images.size()) {
    return absl::InternalError(absl::StrCat("not the list wanted: ", answer.body));
  }
  for (const Pushed& pushed : images) {
    if (!absl::StrContains(answer.body, pushed.image.digest().ToString())) {
      return absl::InternalError(absl::StrCat("the list lacks ", ToString(pushed.platform)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> PublishByController(const std::string& host,
                                                   const std::string& repository,
                                                   const std::string& tag,
                                                   const std::vector<Pushed>& images) {
  const absl::Time start = absl::Now();
  absl::Mutex mutex;
  std::vector<core::Event> events;
  const auto await = [&](size_t count) {
    absl::MutexLock lock(&mutex);
    const auto enough = [&] { return events.size() >= count; };
    mutex.Await(absl::Condition(&enough));
    return events;
  };
  registry::CurlTransport transport("manyarch-bench");
  registry::SystemWaiter waiter;
  publish::PublisherOptions options;
  options.client.hosts = registry::Hosts::PlainHttp({host});
  publish::Publisher publisher(options, &transport, &waiter, [&](core::Event event) {
    absl::MutexLock lock(&mutex);
    events.push_back(std::move(event));
  });
  const std::string path = absl::StrCat(host, "/", repository);
  for (const Pushed& pushed : images) {
    core::CheckImage check{};
    check.attempt_id = ToString(pushed.platform);
    check.platform = pushed.platform;
    check.image = {path, pushed.image.digest().ToString(), 0, ""};
    publisher.CarryOut(std::move(check));
  }
  std::vector<core::ListEntry> entries;
  for (const core::Event& event : await(images.size())) {
    const auto& checked = std::get<core::ImageChecked>(event);
    if (checked.failure) return absl::InternalError(checked.failure->message);
    entries.push_back({*ParsePlatform(checked.attempt_id), checked.image});
  }
  core::Publish publish_effect{};
  publish_effect.job_id = "job";
  publish_effect.intent = publish::BuildList(entries);
  publish_effect.repository = path;
  publish_effect.tags = {{path, tag}};
  publisher.CarryOut(std::move(publish_effect));
  const auto published = std::get<core::PublishFinished>(await(images.size() + 1).back());
  MA_RETURN_IF_ERROR(published.error);
  return absl::Now() - start;
}

}  // namespace manyarch::bench
