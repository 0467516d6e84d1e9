#include "tests/sim/registry.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace manyarch::sim {

namespace {
constexpr absl::Duration kBudget = absl::Minutes(2);
}  // namespace

core::PublishIntent BuildSimList(const std::vector<core::ListEntry>& entries) {
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

void SimRegistry::PushImage(const std::string& digest, const Platform& platform) {
  images[digest] = {platform, run_->scheduler.now(), false};
}

bool SimRegistry::Has(const std::string& digest) const {
  const auto image = images.find(digest);
  return image != images.end() && !image->second.deleted;
}

absl::Status SimRegistry::PutList(const core::PublishIntent& intent) {
  for (const auto& [platform, digest] : EntriesOf(intent.list)) {
    if (!Has(digest)) {
      return absl::FailedPreconditionError(absl::StrCat("MANIFEST_BLOB_UNKNOWN: ", digest));
    }
  }
  lists[intent.digest] = intent.list;
  return absl::OkStatus();
}

absl::Status SimRegistry::PutTag(const std::string& tag, const core::PublishIntent& intent) {
  if (absl::Status status = PutList(intent); !status.ok()) return status;
  Move(tag, intent.digest);
  return absl::OkStatus();
}

absl::Status SimRegistry::PutImageTag(const std::string& tag, const std::string& digest) {
  if (!Has(digest)) return absl::NotFoundError(absl::StrCat("MANIFEST_UNKNOWN: ", digest));
  Move(tag, digest);
  return absl::OkStatus();
}

void SimRegistry::Move(const std::string& tag, const std::string& digest) {
  if (tags[tag] == digest) return;
  tags[tag] = digest;
  run_->Trace("registry: ", tag, " → ", digest);
  on_tag_moved(tag, digest);
}

void SimRegistry::Collect() {
  std::set<std::string> held;
  for (const auto& [tag, digest] : tags) {
    held.insert(digest);
    const auto list = lists.find(digest);
    if (list == lists.end()) continue;
    for (const auto& [platform, child] : EntriesOf(list->second)) held.insert(child);
  }
  for (auto& [digest, image] : images) {
    if (image.deleted || held.contains(digest)) continue;
    if (run_->scheduler.now() - image.pushed < keeps_untagged_) continue;
    image.deleted = true;
    run_->Trace("registry: deletes ", digest, ", which no tag leads to");
  }
}

SimPublisher::SimPublisher(RunContext* run, SimRegistry* registry,
                           std::function<void(core::Event)> post)
    : run_(run), registry_(registry), post_(std::move(post)) {}

void SimPublisher::Post(int era, core::Event event) {
  if (alive_ && era == era_) post_(std::move(event));
}

void SimPublisher::Enqueue(const std::string& repository, Task task) {
  std::deque<Task>& strand = strands_[repository];
  strand.push_back(std::move(task));
  if (strand.size() == 1) strand.front()();
}

void SimPublisher::TaskDone(const std::string& repository) {
  std::deque<Task>& strand = strands_[repository];
  strand.pop_front();
  if (!strand.empty() && alive_) strand.front()();
}

void SimPublisher::Ask(std::function<absl::Status()> serve, std::function<bool()> landed,
                       Done done) {
  Try(std::make_shared<Request>(Request{std::move(serve), std::move(landed), std::move(done),
                                        run_->scheduler.now() + kBudget}));
}

void SimPublisher::Try(std::shared_ptr<Request> request) {
  run_->scheduler.After(
      run_->chance.Between(absl::Milliseconds(1), absl::Milliseconds(300)), [this, request] {
        // What was sent before its sender died lands all the same, or not.
        if (!alive_) {
          if (run_->chance.OneIn(2)) (void)request->serve();
          return;
        }
        const absl::Time now = run_->scheduler.now();
        const bool down = run_->registry_down_until > now;
        absl::Status why = absl::UnavailableError("the registry answers 503");
        if (!down && !run_->Luck(6)) {
          request->done(request->serve());
          return;
        }
        absl::Duration pause = run_->chance.Between(absl::Milliseconds(200), absl::Seconds(4));
        if (!down && run_->chance.OneIn(2)) {
          // It did as it was told, or not; no answer says so.
          if (run_->chance.OneIn(2)) (void)request->serve();
          why = absl::UnavailableError("the registry did not answer in time");
          pause += absl::Seconds(5);
        }
        if (now + pause > request->until) {
          LookOnceMore(request, std::move(why), now + pause + kBudget);
          return;
        }
        run_->scheduler.After(pause, [this, request] {
          if (!alive_) return;
          const bool seen = run_->registry_down_until <= run_->scheduler.now() && !run_->Luck(6);
          if (seen && request->landed != nullptr && request->landed()) {
            request->done(absl::OkStatus());
          } else {
            Try(request);
          }
        });
      });
}

// The budget is used up: what counts is what is there.
void SimPublisher::LookOnceMore(std::shared_ptr<Request> request, absl::Status why,
                                absl::Time until) {
  run_->scheduler.After(absl::Seconds(3), [this, request, why, until] {
    if (!alive_) return;
    const bool down = run_->registry_down_until > run_->scheduler.now();
    if (down && run_->scheduler.now() < until) {
      LookOnceMore(request, why, until);
      return;
    }
    const bool there = !down && request->landed != nullptr && request->landed();
    request->done(there ? absl::OkStatus() : why);
  });
}

void SimPublisher::CarryOut(const core::CheckImage& effect) {
  Ask(
      [this, digest = effect.image.digest] {
        return registry_->Has(digest) ? absl::OkStatus() : absl::NotFoundError("no such manifest");
      },
      nullptr,
      [this, effect, era = era_](const absl::Status& status) {
        core::ImageChecked event;
        event.attempt_id = effect.attempt_id;
        event.image = effect.image;
        if (!status.ok()) {
          event.failure = core::Failure{
              core::FailureClass::kInfrastructure, std::string(status.message()), 0, "", {}};
        } else if (registry_->images.at(effect.image.digest).platform != effect.platform) {
          event.failure = core::Failure{core::FailureClass::kUser, "wrong architecture", 0, "", {}};
        }
        Post(era, std::move(event));
      });
}

void SimPublisher::WriteTags(std::vector<std::string> tags, size_t next,
                             std::function<absl::Status(const std::string&)> put,
                             std::string digest, std::function<void(size_t, absl::Status)> done) {
  if (next == tags.size()) {
    done(next, absl::OkStatus());
    return;
  }
  const std::string tag = tags[next];
  const auto there = [this, tag, digest] {
    const auto found = registry_->tags.find(tag);
    return found != registry_->tags.end() && found->second == digest;
  };
  Ask([put, tag, there] { return there() ? absl::OkStatus() : put(tag); }, there,
      [this, tags = std::move(tags), next, put, digest,
       done = std::move(done)](absl::Status status) mutable {
        if (!status.ok()) {
          done(next, std::move(status));
        } else {
          WriteTags(std::move(tags), next + 1, put, digest, std::move(done));
        }
      });
}

void SimPublisher::CarryOut(const core::WriteAnchor& effect) {
  const std::string repository = effect.image.repository;
  Enqueue(repository, [this, effect, repository, era = era_] {
    if (era != era_) {
      TaskDone(repository);
      return;
    }
    std::vector<std::string> tags;
    for (const core::TagRef& ref : effect.refs) tags.push_back(ref.ToString());
    const std::string digest = effect.image.digest;
    WriteTags(
        std::move(tags), 0,
        [this, digest](const std::string& tag) { return registry_->PutImageTag(tag, digest); },
        digest,
        [this, effect, repository, era](size_t, absl::Status status) {
          Post(era, core::AnchorFinished{effect.job_id, effect.platform, std::move(status)});
          TaskDone(repository);
        });
  });
}

void SimPublisher::CarryOut(const core::Publish& effect) {
  Enqueue(effect.repository, [this, effect, era = era_] {
    if (era != era_) {
      TaskDone(effect.repository);
      return;
    }
    if (effect.intent.list.empty())
      run_->Violated("job ", effect.job_id, " publishes an empty list");
    const auto finish = [this, effect, era](size_t written, absl::Status status) {
      if (!status.ok()) run_->Trace(effect.job_id, " is not published: ", status.message());
      core::PublishFinished event{effect.job_id, {}, std::move(status)};
      for (size_t i = 0; i < effect.tags.size(); ++i) {
        event.tags.push_back({effect.tags[i], i < written, ""});
      }
      Post(era, std::move(event));
      TaskDone(effect.repository);
    };
    std::vector<std::string> tags;
    for (const core::TagRef& ref : effect.tags) tags.push_back(ref.ToString());
    Ask([this, effect] { return registry_->PutList(effect.intent); },
        [this, effect] { return registry_->lists.contains(effect.intent.digest); },
        [this, effect, tags, finish](absl::Status status) {
          if (!status.ok()) {
            finish(0, std::move(status));
            return;
          }
          WriteTags(
              tags, 0,
              [this, effect](const std::string& tag) {
                return registry_->PutTag(tag, effect.intent);
              },
              effect.intent.digest, finish);
        });
  });
}

}  // namespace manyarch::sim
