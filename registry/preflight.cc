#include "registry/preflight.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "registry/reference.h"

namespace manyarch::registry {

namespace {

using Result = DestinationCheck::Result;

constexpr size_t kTagThreads = 7;  // Beside the repository's own.

// Of an image whose digest nothing has; the same for ever.
WrittenManifest ImpossibleList(Format format) {
  const ListEntry entry{std::string(format == Format::kDocker ? kDockerManifest : kOciManifest),
                        Digest::Of("manyarch asks whether this registry takes lists"),
                        500,
                        {"linux", "amd64", ""},
                        {}};
  return *BuildManifestList({entry}, format);
}

// The checks of one reference, in order; once one has failed, the rest are skipped.
class Checklist {
 public:
  explicit Checklist(std::string reference) : reference_(std::move(reference)) {}

  bool failed() const { return failed_; }
  void Rename(std::string reference) { reference_ = std::move(reference); }
  void Ok(absl::string_view what, absl::string_view message) {
    Add(what, failed_ ? Result::kSkipped : Result::kOk, message, absl::OkStatus());
  }
  void Warn(absl::string_view what, absl::string_view message) {
    Add(what, Result::kWarning, message, absl::OkStatus());
  }
  void Fail(absl::string_view what, const absl::Status& status) {
    failed_ = true;
    Add(what, Result::kFailed, status.message(), status);
  }
  void Skip(absl::string_view what) {
    Add(what, Result::kSkipped, "not looked at, because an earlier check failed", absl::OkStatus());
  }
  std::vector<DestinationCheck> Take() { return std::move(checks_); }

 private:
  void Add(absl::string_view what, Result result, absl::string_view message, absl::Status status) {
    checks_.push_back(
        {reference_, std::string(what), result, std::string(message), std::move(status)});
  }

  std::string reference_;
  bool failed_ = false;
  std::vector<DestinationCheck> checks_;
};

void CheckRights(RegistryClient* client, const Reference& target, const CallOptions& call,
                 Checklist& list) {
  absl::Status push = client->CheckPush(target, call);
  if (absl::IsNotFound(push)) {
    // Is it the repository that is absent, or the registry?
    const absl::Status ping = client->Ping(target.registry, call);
    if (!ping.ok() && !absl::IsUnauthenticated(ping)) push = ping;
  }
  const bool absent = absl::IsUnavailable(push) || absl::IsFailedPrecondition(push);
  if (absent) {
    list.Fail("reachable", push);
    for (const char* what : {"credentials", "push"}) list.Skip(what);
    return;
  }
  list.Ok("reachable", absl::StrCat(target.registry, " answers"));
  if (absl::IsUnauthenticated(push)) {
    list.Fail("credentials", push);
    list.Skip("push");
    return;
  }
  list.Ok("credentials", absl::StrCat(target.registry, " takes them"));
  if (push.ok()) {
    list.Ok("push", absl::StrCat("an upload to ", target.Repository(), " could be opened"));
  } else {
    list.Fail("push", push);
  }
}

void CheckListType(RegistryClient* client, const Reference& target, const PreflightOptions& options,
                   const CallOptions& call, Checklist& list) {
  constexpr absl::string_view kWhat = "list type";
  const WrittenManifest probe = ImpossibleList(options.format);
  const std::string knows = absl::StrCat(target.registry, " knows ", probe.media_type);
  KnownListTypes* const known = options.known_list_types;
  if (known != nullptr && known->Has(target.registry, options.format)) {
    list.Ok(kWhat, knows);
    return;
  }
  const Reference name{target.registry, target.repository, "", probe.digest};
  const absl::Status put = client->PutManifest(name, probe.bytes, probe.media_type, call);
  if (absl::IsUnimplemented(put)) {
    list.Fail(kWhat, put);
    return;
  }
  if (!put.ok() && !absl::IsInvalidArgument(put) && !absl::IsNotFound(put)) {
    list.Warn(kWhat, absl::StrCat("it is not known whether ", target.registry, " takes ",
                                  probe.media_type, ": ", put.message()));
    return;
  }
  if (put.ok()) {
    const absl::Status ignored = client->DeleteManifest(name, call);
    static_cast<void>(ignored);
  }
  if (known != nullptr) known->Add(target.registry, options.format);
  list.Ok(kWhat, knows);
}

void CheckTag(RegistryClient* client, const Reference& target, const PreflightOptions& options,
              const CallOptions& call, Checklist& list) {
  constexpr absl::string_view kWhat = "tag";
  if (options.written_before.contains(target.ToString())) {
    list.Ok(kWhat,
            absl::StrCat(target.ToString(), " may have been written by this job's last try"));
    return;
  }
  const absl::StatusOr<std::optional<Digest>> present = client->HeadManifest(target, call);
  if (!present.ok()) {
    list.Fail(kWhat, present.status());
  } else if (!present->has_value()) {
    list.Ok(kWhat, absl::StrCat(target.ToString(), " does not exist yet"));
  } else {
    list.Fail(kWhat, absl::FailedPreconditionError(absl::StrCat(
                         target.ToString(), " exists and points to ", (*present)->ToString(),
                         ": --immutable moves no tag; use another one")));
  }
}

// `repository` is false where an earlier reference has had the repository checked.
std::vector<DestinationCheck> Check(RegistryClient* client, const std::string& reference,
                                    bool repository, const PreflightOptions& options,
                                    const CallOptions& call) {
  Checklist list(reference);
  const absl::StatusOr<Reference> target = ParseTagReference(reference);
  if (!target.ok()) {
    list.Fail("reference", target.status());
  } else {
    list.Rename(target->ToString());
    list.Ok("reference", "it is well-formed");
  }
  if (list.failed()) {
    for (const char* what : {"reachable", "credentials", "push", "list type"}) list.Skip(what);
  } else if (repository) {
    CheckRights(client, *target, call, list);
    if (list.failed()) {
      list.Skip("list type");
    } else {
      CheckListType(client, *target, options, call, list);
    }
  }
  if (!options.immutable) return list.Take();
  if (list.failed()) {
    list.Skip("tag");
  } else {
    CheckTag(client, *target, options, call, list);
  }
  return list.Take();
}

}  // namespace

bool KnownListTypes::Has(const std::string& registry, Format format) const {
  absl::MutexLock lock(&mutex_);
  return known_.contains({registry, format});
}

void KnownListTypes::Add(const std::string& registry, Format format) {
  absl::MutexLock lock(&mutex_);
  known_.insert({registry, format});
}

std::vector<DestinationCheck> CheckDestination(RegistryClient* client, const std::string& reference,
                                               const PreflightOptions& options,
                                               const CallOptions& call) {
  return Check(client, reference, /*repository=*/true, options, call);
}

std::vector<DestinationCheck> CheckDestinations(RegistryClient* client,
                                                absl::Span<const std::string> references,
                                                const PreflightOptions& options,
                                                const CallOptions& call) {
  // What cannot be read is a repository of its own.
  std::map<std::string, std::vector<size_t>> by_repository;
  for (size_t i = 0; i < references.size(); ++i) {
    const absl::StatusOr<Reference> target = ParseTagReference(references[i]);
    by_repository[target.ok() ? target->Repository() : references[i]].push_back(i);
  }
  std::vector<std::vector<DestinationCheck>> found(references.size());
  // A few at a time: the tags of a repository may be many.
  const auto check = [&](const std::vector<size_t>& indices) {
    found[indices.front()] = Check(client, references[indices.front()], true, options, call);
    PreflightOptions rest = options;
    // One reason is enough.
    if (!FirstFailure(found[indices.front()]).ok()) rest.immutable = false;
    std::atomic<size_t> next{1};
    const auto work = [&] {
      for (size_t n = next++; n < indices.size(); n = next++) {
        found[indices[n]] = Check(client, references[indices[n]], false, rest, call);
      }
    };
    std::vector<std::thread> others;
    while (others.size() < kTagThreads && others.size() + 2 < indices.size()) {
      others.emplace_back(work);
    }
    work();
    for (std::thread& other : others) other.join();
  };
  std::vector<std::thread> threads;
  for (const auto& [repository, indices] : by_repository) {
    if (&indices != &by_repository.begin()->second) threads.emplace_back(check, std::cref(indices));
  }
  if (!by_repository.empty()) check(by_repository.begin()->second);
  for (std::thread& thread : threads) thread.join();
  std::vector<DestinationCheck> all;
  for (std::vector<DestinationCheck>& checks : found) {
    std::move(checks.begin(), checks.end(), std::back_inserter(all));
  }
  return all;
}

absl::Status FirstFailure(absl::Span<const DestinationCheck> checks) {
  for (const DestinationCheck& check : checks) {
    if (check.result == Result::kFailed) return check.status;
  }
  return absl::OkStatus();
}

}  // namespace manyarch::registry
