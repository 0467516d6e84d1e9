#include "controller/publish/publisher.h"

#include <utility>

namespace manyarch::controller::publish {

core::Failure FailureOf(const absl::Status& status) {
  core::Failure failure;
  failure.cls = absl::IsInvalidArgument(status) ? core::FailureClass::kUser
                                                : core::FailureClass::kInfrastructure;
  failure.message = std::string(status.message());
  return failure;
}

Publisher::Publisher(PublisherOptions options, registry::HttpTransport* transport,
                     registry::Waiter* waiter, std::function<void(core::Event)> post)
    : post_(std::move(post)),
      client_(std::move(options.client), transport, waiter, &stop_),
      images_(&client_, waiter, &stop_),
      strands_(options.threads) {}

Publisher::~Publisher() { Stop(); }

void Publisher::Stop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  strands_.Stop();
}

void Publisher::StartOver() {
  absl::MutexLock lock(&mutex_);
  ++era_;
}

int64_t Publisher::Era() {
  absl::MutexLock lock(&mutex_);
  return era_;
}

bool Publisher::IsCurrent(int64_t era) { return Era() == era; }

// Under the lock, so that nothing of an era is posted once StartOver has returned.
void Publisher::Post(int64_t era, core::Event event) {
  absl::MutexLock lock(&mutex_);
  if (era_ == era) post_(std::move(event));
}

void Publisher::CarryOut(core::CheckImage effect) {
  const std::string host = effect.image.repository.substr(0, effect.image.repository.find('/'));
  const auto check = [this, era = Era(), effect = std::move(effect)] {
    if (!IsCurrent(era)) return;
    auto verified = images_.Verify(effect.image, effect.platform);
    if (absl::IsCancelled(verified.status())) return;
    core::ImageChecked checked;
    checked.attempt_id = effect.attempt_id;
    checked.image = effect.image;
    if (verified.ok()) {
      checked.image = std::move(verified->image);
      checked.warnings = std::move(verified->warnings);
    } else {
      checked.failure = FailureOf(verified.status());
    }
    Post(era, std::move(checked));
  };
  strands_.Add("", check, host);
}

void Publisher::CarryOut(core::WriteAnchor effect) {
  const std::string repository = effect.image.repository;
  strands_.Add(repository, [this, era = Era(), effect = std::move(effect)] {
    if (!IsCurrent(era)) return;
    absl::Status error;
    for (const core::TagRef& ref : effect.refs) {
      // The others are worth trying where one fails.
      absl::Status status = images_.PutTag(ref, effect.image);
      if (absl::IsCancelled(status)) return;
      error.Update(status);
    }
    Post(era, core::AnchorFinished{effect.job_id, effect.platform, std::move(error)});
  });
}

void Publisher::CarryOut(core::Publish effect) {
  const std::string repository = effect.repository;
  strands_.Add(repository, [this, era = Era(), effect = std::move(effect)] {
    if (!IsCurrent(era)) return;
    ListOutcome outcome = images_.PublishList(effect.intent, effect.repository, effect.tags);
    if (absl::IsCancelled(outcome.error)) return;
    Post(era,
         core::PublishFinished{effect.job_id, std::move(outcome.tags), std::move(outcome.error)});
  });
}

absl::Status Publisher::Preflight(const std::string& repository, absl::Time deadline) {
  return images_.Preflight({repository}, deadline);
}

}  // namespace manyarch::controller::publish
