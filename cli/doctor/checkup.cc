#include "cli/doctor/checkup.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/render/words.h"
#include "registry/preflight.h"
#include "registry/reference.h"

namespace manyarch::cli::doctor {

namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

std::string Platforms(const v1::Worker& worker) {
  std::vector<std::string> names;
  for (const v1::OfferedPlatform& offered : worker.description().platforms()) {
    names.push_back(
        absl::StrCat(PlatformText(offered.platform()), offered.emulated() ? " (emulated)" : ""));
  }
  return names.empty() ? "no platform" : absl::StrJoin(names, ", ");
}

// Whether new builds go to it.
bool Takes(const v1::Worker& worker) {
  return worker.state() == v1::WORKER_STATE_CONNECTED &&
         worker.admission() != v1::WORKER_ADMISSION_CORDONED &&
         worker.admission() != v1::WORKER_ADMISSION_DRAINING;
}

Finding OfWorker(const v1::Worker& worker) {
  const std::string name = worker.description().name();
  Finding finding{"controller", SafeLine(name), "worker", Result::kOk, "", false};
  std::string state = Word(worker.state());
  if (worker.state() == v1::WORKER_STATE_CONNECTED && !Takes(worker)) {
    absl::StrAppend(&state, ", ", Word(worker.admission()));
    if (!worker.admission_reason().empty()) {
      absl::StrAppend(&state, " (", SafeLine(worker.admission_reason()), ")");
    }
  }
  const int slots = static_cast<int>(worker.description().slots());
  finding.message =
      absl::StrCat(state, ", ", slots, slots == 1 ? " slot: " : " slots: ", Platforms(worker));
  if (!Takes(worker) || worker.description().platforms().empty()) {
    finding.result = Result::kWarning;
    absl::StrAppend(&finding.message, "; `manyarch workers show ", SafeLine(name), "` tells more");
  }
  return finding;
}

// What all workers together can build.
Finding OfPlatforms(const v1::ListWorkersResponse& workers, const std::string& address) {
  std::map<std::string, bool> native;  // Whether at least one does it natively.
  for (const v1::Worker& worker : workers.workers()) {
    if (!Takes(worker)) continue;
    for (const v1::OfferedPlatform& offered : worker.description().platforms()) {
      bool& is_native = native[PlatformText(offered.platform())];
      is_native = is_native || !offered.emulated();
    }
  }
  if (native.empty()) {
    return {"controller",
            address,
            "platforms",
            Result::kFailed,
            workers.workers().empty()
                ? "no worker is registered: start manyarch-worker on a machine with buildah"
                : "no worker takes builds",
            true};
  }
  const std::string all = absl::StrJoin(native, ", ", [](std::string* out, const auto& entry) {
    absl::StrAppend(out, entry.first, entry.second ? "" : " (emulated)");
  });
  return {"controller", address, "platforms", Result::kOk, all, false};
}

Result ResultOf(v1::DestinationCheck::Result result) {
  switch (result) {
    case v1::DestinationCheck::RESULT_OK:
      return Result::kOk;
    case v1::DestinationCheck::RESULT_WARNING:
      return Result::kWarning;
    case v1::DestinationCheck::RESULT_SKIPPED:
      return Result::kSkipped;
    default:
      return Result::kFailed;
  }
}

Result ResultOf(registry::DestinationCheck::Result result) {
  switch (result) {
    case registry::DestinationCheck::Result::kOk:
      return Result::kOk;
    case registry::DestinationCheck::Result::kWarning:
      return Result::kWarning;
    case registry::DestinationCheck::Result::kSkipped:
      return Result::kSkipped;
    case registry::DestinationCheck::Result::kFailed:
      return Result::kFailed;
  }
  return Result::kFailed;
}

// A registry of which no repository is named: does it answer, and take the credentials?
void CheckRegistry(registry::RegistryClient& client, const std::string& registry,
                   std::vector<Finding>& out) {
  const absl::Status ping = client.Ping(registry);
  const std::string why(ping.message());
  const bool refused = absl::IsUnauthenticated(ping) || absl::IsPermissionDenied(ping);
  if (!ping.ok() && !refused) {
    out.push_back({"client", registry, "reachable", Result::kFailed, why, true});
    return;
  }
  out.push_back(
      {"client", registry, "reachable", Result::kOk, absl::StrCat(registry, " answers"), false});
  out.push_back({"client", registry, "credentials", refused ? Result::kFailed : Result::kOk,
                 refused ? why : absl::StrCat(registry, " takes them"), false});
}

}  // namespace

bool IsRegistry(const std::string& text) {
  if (absl::StrContains(text, '/') || absl::StrContains(text, '@')) return false;
  const std::string host = registry::HostWithoutPort(text);
  const std::string port = host.size() < text.size() ? text.substr(text.rfind(':') + 1) : "";
  int number = 0;
  if (!port.empty() && !absl::SimpleAtoi(port, &number)) return false;
  return absl::StrContains(host, '.') || absl::StrContains(host, ':') || host == "localhost";
}

std::vector<Finding> CheckFarm(Client& client, bool needed) {
  const absl::Time start = absl::Now();
  const auto info = client.GetInfo(absl::Seconds(5));
  if (!info.ok()) {
    return {{"client", client.address(), "controller", needed ? Result::kFailed : Result::kWarning,
             std::string(info.status().message()), needed}};
  }
  std::vector<Finding> out = {
      {"client", client.address(), "controller", Result::kOk,
       absl::StrCat("version ", SafeLine(info->version()), ", protocol ", info->protocol_version(),
                    ", answers in ", absl::ToInt64Milliseconds(absl::Now() - start), " ms"),
       false}};
  const auto workers = client.ListWorkers();
  if (!workers.ok()) {
    out.push_back({"controller", client.address(), "workers", Result::kFailed,
                   std::string(workers.status().message()), true});
    return out;
  }
  for (const v1::Worker& worker : workers->workers()) out.push_back(OfWorker(worker));
  out.push_back(OfPlatforms(*workers, client.address()));
  return out;
}

std::vector<Finding> CheckFromController(Client& client, const std::vector<std::string>& references,
                                         v1::ImageFormat format, const std::string& authfile) {
  v1::CheckDestinationsRequest request;
  request.set_authfile(authfile);
  for (const std::string& reference : references) request.add_references(reference);
  request.set_format(format);
  const auto response = client.CheckDestinations(request);
  const std::string address = client.address();
  if (absl::IsUnimplemented(response.status())) {
    return {{"controller", address, "destinations", Result::kSkipped,
             "this controller is too old to check destinations; it does when a job is submitted",
             false}};
  }
  if (!response.ok()) {
    return {{"controller", address, "destinations", Result::kFailed,
             std::string(response.status().message()), true}};
  }
  std::vector<Finding> out;
  for (const v1::DestinationCheck& check : response->checks()) {
    const Result result = ResultOf(check.result());
    out.push_back({"controller", SafeLine(check.reference()), SafeLine(check.what()), result,
                   SafeLine(check.message()),
                   result == Result::kFailed && check.what() == "reachable"});
  }
  return out;
}

std::vector<Finding> CheckFromHere(const image::RegistryFlags& flags,
                                   const std::vector<std::string>& references,
                                   v1::ImageFormat format) {
  std::vector<registry::Reference> parsed;
  for (const std::string& text : references) {
    if (IsRegistry(text)) {
      parsed.push_back({text, "", "", std::nullopt});
    } else if (auto reference = registry::ParseTagReference(text); reference.ok()) {
      parsed.push_back(*std::move(reference));
    }
  }
  const auto access = image::RegistryAccess::Open(flags, parsed, kPatience);
  if (!access.ok()) {
    return {{"client", "", "credentials", Result::kFailed, std::string(access.status().message()),
             false}};
  }
  std::vector<Finding> out;
  registry::RegistryClient& client = (*access)->client();
  std::vector<std::string> tags;
  for (const registry::Reference& reference : parsed) {
    const std::string name =
        reference.repository.empty() ? reference.registry : reference.ToString();
    out.push_back({"client", name, "credentials from", Result::kOk,
                   (*access)->CredentialsOf(reference), false});
  }
  for (const std::string& text : references) {
    if (IsRegistry(text)) {
      CheckRegistry(client, text, out);
    } else {
      tags.push_back(text);
    }
  }
  registry::PreflightOptions options;
  options.format =
      format == v1::IMAGE_FORMAT_OCI ? registry::Format::kOci : registry::Format::kDocker;
  for (const registry::DestinationCheck& check :
       registry::CheckDestinations(&client, tags, options)) {
    const Result result = ResultOf(check.result);
    out.push_back({"client", check.reference, check.what, result, check.message,
                   result == Result::kFailed && check.what == "reachable"});
  }
  return out;
}

void DemoteFailuresHere(std::vector<Finding>& findings) {
  for (Finding& finding : findings) {
    // A reference that cannot be read is nobody's but this user's fault.
    if (finding.result != Result::kFailed || finding.what == "reference") continue;
    finding.result = Result::kWarning;
    finding.out_of_reach = false;
    absl::StrAppend(&finding.message,
                    " (matters for `manyarch image` only: builds are pushed with the controller's "
                    "credentials)");
  }
}

int ExitCodeOf(const std::vector<Finding>& findings) {
  int code = 0;
  for (const Finding& finding : findings) {
    if (finding.result != Result::kFailed) continue;
    if (finding.out_of_reach) return 3;
    code = 1;
  }
  return code;
}

}  // namespace manyarch::cli::doctor
