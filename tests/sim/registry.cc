#include "tests/sim/registry.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace manyarch::sim {

core::PublishIntent BuildSimList(const std::vector<core::ListEntry>& entries, core::ImageFormat) {
  std::string bytes;
  for (const core::ListEntry& entry : entries) {
    absl::StrAppend(&bytes, bytes.empty() ? "" : ";", ToString(entry.platform), "=",
                    entry.image.digest);
  }
  return {bytes, absl::StrCat("list(", bytes, ")"), "list"};
}

std::vector<std::pair<std::string, std::string>> EntriesOf(const std::string& list) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (absl::string_view entry : absl::StrSplit(list, ';', absl::SkipEmpty())) {
    entries.push_back(absl::StrSplit(entry, absl::MaxSplits('=', 1)));
  }
  return entries;
}

SimRegistry::SimRegistry(RunContext* run)
    : run_(run),
      keeps_untagged_(
          run->chance.OneIn(2)
              ? absl::InfiniteDuration()
              : run->chance.Between(absl::Minutes(1) + absl::Seconds(30), absl::Minutes(6))) {}

std::string RepositoryOf(const std::string& tag) { return tag.substr(0, tag.rfind(':')); }

void SimRegistry::PushImage(const std::string& repository, const std::string& digest,
                            const Platform& platform) {
  images[absl::StrCat(repository, "@", digest)] = {platform, run_->scheduler.now(), false};
}

bool SimRegistry::Has(const std::string& repository, const std::string& digest) const {
  const auto image = images.find(absl::StrCat(repository, "@", digest));
  return image != images.end() && !image->second.deleted;
}

const SimRegistry::Image& SimRegistry::Find(const std::string& repository,
                                            const std::string& digest) const {
  return images.at(absl::StrCat(repository, "@", digest));
}

absl::Status SimRegistry::CopyImage(const std::string& from, const std::string& to,
                                    const std::string& digest) {
  if (Has(to, digest)) return absl::OkStatus();
  if (!Has(from, digest)) return absl::NotFoundError(absl::StrCat("MANIFEST_UNKNOWN: ", digest));
  PushImage(to, digest, Find(from, digest).platform);
  return absl::OkStatus();
}

absl::Status SimRegistry::PutList(const std::string& repository,
                                  const core::PublishIntent& intent) {
  for (const auto& [platform, digest] : EntriesOf(intent.list)) {
    if (!Has(repository, digest)) {
      return absl::FailedPreconditionError(
          absl::StrCat("MANIFEST_BLOB_UNKNOWN: ", repository, "@", digest));
    }
  }
  lists[absl::StrCat(repository, "@", intent.digest)] = intent.list;
  return absl::OkStatus();
}

absl::Status SimRegistry::PutTag(const std::string& tag, const core::PublishIntent& intent) {
  if (absl::Status status = PutList(RepositoryOf(tag), intent); !status.ok()) return status;
  Move(tag, intent.digest);
  return absl::OkStatus();
}

absl::Status SimRegistry::PutImageTag(const std::string& tag, const std::string& digest) {
  if (!Has(RepositoryOf(tag), digest)) {
    return absl::NotFoundError(absl::StrCat("MANIFEST_UNKNOWN: ", digest));
  }
  Move(tag, digest);
  return absl::OkStatus();
}

void SimRegistry::Move(const std::string& tag, const std::string& digest) {
  const std::string from = tags[tag];
  if (from == digest) return;
  tags[tag] = digest;
  run_->Trace("registry: ", tag, " → ", digest);
  on_tag_moved(tag, from, digest);
}

void SimRegistry::Collect() {
  std::set<std::string> held;
  for (const auto& [tag, digest] : tags) {
    const std::string repository = RepositoryOf(tag);
    held.insert(absl::StrCat(repository, "@", digest));
    const auto list = lists.find(absl::StrCat(repository, "@", digest));
    if (list == lists.end()) continue;
    for (const auto& [platform, child] : EntriesOf(list->second)) {
      held.insert(absl::StrCat(repository, "@", child));
    }
  }
  for (auto& [name, image] : images) {
    if (image.deleted || held.contains(name)) continue;
    if (run_->scheduler.now() - image.pushed < keeps_untagged_) continue;
    image.deleted = true;
    run_->Trace("registry: deletes ", name, ", which no tag leads to");
  }
}

}  // namespace manyarch::sim
