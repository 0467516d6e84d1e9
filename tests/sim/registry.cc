#include "tests/sim/registry.h"

#include <memory>

#include "absl/strings/str_cat.h"

namespace manyarch::sim {

namespace {
constexpr int kMostTries = 6;
}  // namespace

core::PublishIntent BuildSimList(const std::vector<core::ListEntry>& entries) {
  std::string bytes;
  for (const core::ListEntry& entry : entries) {
    absl::StrAppend(&bytes, bytes.empty() ? "" : ";", ToString(entry.platform), "=",
                    entry.image.digest);
  }
  return {bytes, absl::StrCat("list(", bytes, ")"), "list"};
}

void SimRegistry::PutTag(const std::string& tag, const std::string& digest) {
  if (tags[tag] == digest) return;
  tags[tag] = digest;
  run_->Trace("registry: ", tag, " → ", digest);
  if (on_tag_moved) on_tag_moved(tag, digest);
}

SimPublisher::SimPublisher(RunContext* run, SimRegistry* registry,
                           std::function<void(core::Event)> post)
    : run_(run), registry_(registry), post_(std::move(post)) {}

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

void SimPublisher::CarryOut(const core::CheckImage& effect) {
  run_->scheduler.After(
      run_->chance.Between(absl::Milliseconds(5), absl::Seconds(2)), [this, effect] {
        if (!alive_) return;
        core::ImageChecked event;
        event.attempt_id = effect.attempt_id;
        event.image = effect.image;
        const auto image = registry_->images.find(effect.image.digest);
        if (image == registry_->images.end() || (run_->faults && run_->chance.OneIn(15))) {
          event.failure =
              core::Failure{core::FailureClass::kInfrastructure, "no such manifest", 0, "", {}};
        } else if (image->second != effect.platform) {
          event.failure = core::Failure{core::FailureClass::kUser, "wrong architecture", 0, "", {}};
        }
        post_(std::move(event));
      });
}

void SimPublisher::WriteTags(const std::string& repository, std::vector<std::string> tags,
                             size_t next, const std::string& digest, int tries,
                             std::function<void(size_t, absl::Status)> done) {
  if (next == tags.size()) {
    done(next, absl::OkStatus());
    return;
  }
  run_->scheduler.After(
      run_->chance.Between(absl::Milliseconds(1), absl::Milliseconds(300)), [=, this]() mutable {
        // A request that was sent lands even when its sender has died, shortly after.
        const bool lost = run_->faults && run_->chance.OneIn(6);
        const bool lands = !lost || run_->chance.OneIn(2);
        if (!alive_ && !run_->chance.OneIn(2)) return;
        if (lands) registry_->PutTag(tags[next], digest);
        if (!alive_) return;
        if (!lost) {
          WriteTags(repository, std::move(tags), next + 1, digest, 0, std::move(done));
        } else if (tries + 1 < kMostTries) {
          WriteTags(repository, std::move(tags), next, digest, tries + 1, std::move(done));
        } else {
          done(next, absl::UnavailableError("the registry does not answer"));
        }
      });
}

void SimPublisher::CarryOut(const core::WriteAnchor& effect) {
  const std::string repository = effect.image.repository;
  Enqueue(repository, [this, effect, repository] {
    std::vector<std::string> tags;
    for (const core::TagRef& ref : effect.refs) tags.push_back(ref.ToString());
    WriteTags(repository, std::move(tags), 0, effect.image.digest, 0,
              [this, effect, repository](size_t, absl::Status status) {
                post_(core::AnchorFinished{effect.job_id, effect.platform, std::move(status)});
                TaskDone(repository);
              });
  });
}

void SimPublisher::CarryOut(const core::Publish& effect) {
  Enqueue(effect.repository, [this, effect] {
    if (effect.intent.list.empty())
      run_->Violated("job ", effect.job_id, " publishes an empty list");
    registry_->lists[effect.intent.digest] = effect.intent.list;
    std::vector<std::string> tags;
    for (const core::TagRef& ref : effect.tags) tags.push_back(ref.ToString());
    WriteTags(effect.repository, std::move(tags), 0, effect.intent.digest, 0,
              [this, effect](size_t written, absl::Status status) {
                core::PublishFinished event{effect.job_id, {}, std::move(status)};
                for (size_t i = 0; i < effect.tags.size(); ++i) {
                  event.tags.push_back({effect.tags[i], i < written, ""});
                }
                post_(std::move(event));
                TaskDone(effect.repository);
              });
  });
}

}  // namespace manyarch::sim
