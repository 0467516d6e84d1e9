#include "registry/keychain.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace manyarch::registry {

namespace {
constexpr absl::Duration kFresh = absl::Minutes(5);
constexpr absl::Duration kUsable = absl::Hours(1);
}  // namespace

Keychain::Keychain(AuthFile files, Waiter* waiter, HelperRunner run)
    : files_(std::move(files)), waiter_(waiter), run_(std::move(run)) {}

absl::StatusOr<std::optional<Credentials>> Keychain::Ask(const std::string& helper,
                                                         const std::string& registry, bool anew) {
  const Key key{helper, registry};
  const absl::Time now = waiter_->Now();
  {
    absl::MutexLock lock(&mutex_);
    const auto known = answers_.find(key);
    if (known != answers_.end() && !anew && !known->second.distrusted &&
        now - known->second.at < kFresh) {
      return known->second.credentials;
    }
  }
  // Two callers may ask at one time; both get good answers.
  absl::StatusOr<std::optional<Credentials>> answer = AskHelper(run_, helper, registry);
  absl::MutexLock lock(&mutex_);
  if (answer.ok()) {
    answers_[key] = {*answer, now, false};
    return answer;
  }
  const auto known = answers_.find(key);
  if (known != answers_.end() && !known->second.distrusted && now - known->second.at < kUsable) {
    return known->second.credentials;
  }
  return answer;
}

absl::StatusOr<std::optional<Credentials>> Keychain::Find(absl::string_view registry,
                                                          absl::string_view repository) {
  for (const CredentialSource& source : files_.SourcesFor(registry, repository)) {
    if (source.credentials) return source.credentials;
    MA_ASSIGN_OR_RETURN(std::optional<Credentials> answer,
                        Ask(source.helper, RegistryOfKey(registry), /*anew=*/false));
    if (answer) return answer;
  }
  return std::nullopt;
}

std::optional<Credentials> Keychain::Remembered(const CredentialSource& source,
                                                absl::string_view registry) const {
  if (source.credentials) return source.credentials;
  absl::MutexLock lock(&mutex_);
  const auto known = answers_.find({source.helper, RegistryOfKey(registry)});
  if (known == answers_.end() || waiter_->Now() - known->second.at > kUsable) return std::nullopt;
  return known->second.credentials;
}

std::optional<Credentials> Keychain::Known(absl::string_view registry,
                                           absl::string_view repository) const {
  for (const CredentialSource& source : files_.SourcesFor(registry, repository)) {
    if (auto known = Remembered(source, registry)) return known;
  }
  return std::nullopt;
}

void Keychain::Distrust(absl::string_view registry) {
  absl::MutexLock lock(&mutex_);
  for (auto& [key, answer] : answers_) {
    if (key.second == RegistryOfKey(registry)) answer.distrusted = true;
  }
}

bool Keychain::has_helpers() const { return !files_.Helpers().empty() || !files_.Stores().empty(); }

absl::Status Keychain::Refresh(const absl::Notification* stop) {
  absl::Status first;
  std::set<Key> wanted;
  for (const auto& [registry, helper] : files_.Helpers()) wanted.insert({helper, registry});
  for (const std::string& store : files_.Stores()) {
    const auto listed = ListHelper(run_, store);
    first.Update(listed.status());
    if (!listed.ok()) continue;
    for (const std::string& registry : *listed) wanted.insert({store, registry});
  }
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [key, answer] : answers_) wanted.insert(key);
  }
  for (const auto& [helper, registry] : wanted) {
    if (stop != nullptr && stop->HasBeenNotified()) break;
    first.Update(Ask(helper, registry, /*anew=*/true).status());
  }
  return first;
}

bool Keychain::IsUsable(const Answer& answer) const {
  return !answer.distrusted && waiter_->Now() - answer.at <= kUsable;
}

// The credentials of one file, with what its helpers have answered, by "host[:port][/path]"; no
// credentials: nobody knows what the file has for that host, and no later file is to be asked.
std::map<std::string, std::optional<Credentials>> Keychain::KnownOf(
    const AuthFile::File& file) const {
  std::map<std::string, std::optional<Credentials>> out;
  for (const auto& [key, credentials] : file.entries) {
    if (!file.helpers.contains(RegistryOfKey(key))) out[key] = credentials;
  }
  absl::MutexLock lock(&mutex_);
  for (const auto& [host, helper] : file.helpers) {
    const auto answer = answers_.find({helper, host});
    if (answer == answers_.end() || !IsUsable(answer->second)) {
      out[host] = std::nullopt;
    } else if (answer->second.credentials) {
      out[host] = answer->second.credentials;
    }
  }
  if (file.store.empty()) return out;
  for (const auto& [key, answer] : answers_) {
    const auto& [helper, host] = key;
    if (helper != file.store || file.helpers.contains(host) || out.contains(host)) continue;
    if (!IsUsable(answer)) {
      out[host] = std::nullopt;
    } else if (answer.credentials) {
      out[host] = answer.credentials;
    }
  }
  return out;
}

std::string Keychain::AuthFileFor(absl::string_view registry, absl::string_view repository) const {
  std::map<std::string, std::optional<Credentials>> all;
  // The earlier file answers for all below its key, however much better a later one's fits.
  const auto is_answered = [&all](std::string key) {
    while (!all.contains(key)) {
      const size_t slash = key.rfind('/');
      if (slash == std::string::npos) return false;
      key.resize(slash);
    }
    return true;
  };
  for (const AuthFile::File& file : files_.files()) {
    std::map<std::string, std::optional<Credentials>> known = KnownOf(file);
    std::erase_if(known, [&](const auto& entry) { return is_answered(entry.first); });
    all.merge(known);
  }
  const std::string own = RegistryOfKey(registry);
  const std::string destination = absl::StrCat(own, "/", repository);
  std::map<std::string, Credentials> entries;
  for (const auto& [key, credentials] : all) {
    const bool of_others = RegistryOfKey(key) == own && key != destination &&
                           !absl::StartsWith(destination, key + "/");
    if (credentials && !of_others) entries[key] = *credentials;
  }
  return WriteAuthFile(entries);
}

}  // namespace manyarch::registry
