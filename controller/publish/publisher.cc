#include "controller/publish/publisher.h"

#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/disk.h"
#include "controller/publish/gathering.h"

namespace manyarch::controller::publish {

namespace {

// People read it: more often would be noise.
constexpr absl::Duration kProgressPause = absl::Seconds(1);

// The id of an attempt begins with that of its job.
std::string JobOf(const std::string& attempt_id) {
  return attempt_id.substr(0, attempt_id.find('-'));
}

// See core::CheckImage.
bool IsOfEarlierJob(const std::string& attempt_id) { return absl::EndsWith(attempt_id, "-0"); }

}  // namespace

core::Failure FailureOf(const absl::Status& status) {
  core::Failure failure;
  failure.cls = absl::IsInvalidArgument(status) ? core::FailureClass::kUser
                                                : core::FailureClass::kInfrastructure;
  failure.message = std::string(status.message());
  return failure;
}

Publisher::Publisher(PublisherOptions options, registry::HttpTransport* transport,
                     registry::Waiter* waiter, std::function<void(core::Event)> post)
    : options_(std::move(options)),
      waiter_(waiter),
      post_(std::move(post)),
      access_(options_.client, options_.authfile_of, transport, waiter, &stop_),
      strands_(options_.threads),
      copies_(options_.copying_threads) {}

Publisher::~Publisher() { Stop(); }

void Publisher::Stop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  copies_.Stop();
  strands_.Stop();
}

void Publisher::StartOver() {
  absl::MutexLock lock(&mutex_);
  ++era_;
  claims_.Forget();
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

absl::StatusOr<VerifiedImage> Publisher::Verify(const core::CheckImage& effect) {
  MA_ASSIGN_OR_RETURN(const std::shared_ptr<Access> access,
                      access_.Of(JobOf(effect.attempt_id), effect.sealed));
  return access->images.Verify(effect.image, effect.platform, effect.format,
                               IsOfEarlierJob(effect.attempt_id));
}

void Publisher::CarryOut(core::CheckImage effect) {
  const std::string host = effect.image.repository.substr(0, effect.image.repository.find('/'));
  const auto check = [this, era = Era(), effect = std::move(effect)] {
    if (!IsCurrent(era)) return;
    auto verified = Verify(effect);
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
  strands_.Add({}, check, host);
}

CopyProgress Publisher::TellOf(int64_t era, const std::string& job_id, std::string what) {
  return [this, era, job_id, what = std::move(what), last = absl::InfinitePast()](
             int64_t done, int64_t total) mutable {
    const absl::Time now = waiter_->Now();
    if (now - last < kProgressPause) return;
    last = now;
    Post(era, core::PublishProgressed{
                  job_id, absl::StrCat(what, ": ", ShowBytes(done), " of ", ShowBytes(total))});
  };
}

void Publisher::Bring(int64_t era, const Owner& owner, const core::ListEntry& image,
                      const std::string& repository, Then then) {
  if (image.image.repository == repository) {
    then(absl::OkStatus());
    return;
  }
  const auto copy = [this, era, owner, image, repository, then = std::move(then)] {
    if (!IsCurrent(era)) return;
    const auto access = access_.Of(owner.job_id, owner.sealed);
    const std::string what = absl::StrCat("copying ", ToString(image.platform), " to ", repository);
    const absl::Status copied =
        access.ok()
            ? (*access)->images.CopyImage(image.image, repository, TellOf(era, owner.job_id, what))
            : access.status();
    if (absl::IsCancelled(copied)) return;
    Post(era, core::PublishProgressed{owner.job_id, ""});
    then(copied);
  };
  copies_.Add({}, copy, repository.substr(0, repository.find('/')));
}

absl::Status Publisher::WriteTags(const core::WriteAnchor& effect,
                                  const std::vector<core::TagRef>& refs, int64_t claim) {
  MA_ASSIGN_OR_RETURN(const std::shared_ptr<Access> access,
                      access_.Of(effect.job_id, effect.sealed));
  absl::Status error;
  for (const core::TagRef& ref : refs) {
    if (!claims_.Holds(ref, claim)) continue;
    core::Image image = effect.image;
    image.repository = ref.repository;
    // The others are worth trying where one fails.
    const absl::Status status = access->images.PutTag(ref, image, effect.immutable);
    if (absl::IsCancelled(status)) return status;
    error.Update(status);
  }
  return error;
}

void Publisher::CarryOut(core::WriteAnchor effect) {
  const int64_t era = Era();
  const auto anchor = std::make_shared<const core::WriteAnchor>(std::move(effect));
  const int64_t claim = claims_.Claim(anchor->refs);
  std::map<std::string, std::vector<core::TagRef>> by_repository;
  for (const core::TagRef& ref : anchor->refs) by_repository[ref.repository].push_back(ref);
  const auto all = std::make_shared<Gathering>(
      by_repository.size(), [this, era, anchor, claim](absl::Status error) {
        claims_.Release(anchor->refs, claim);
        Post(era, core::AnchorFinished{anchor->job_id, anchor->platform, std::move(error)});
      });
  for (const auto& [repository, refs] : by_repository) {
    const auto write = [this, era, anchor, claim, all, refs = refs] {
      if (!IsCurrent(era)) return;
      const absl::Status status = WriteTags(*anchor, refs, claim);
      if (!absl::IsCancelled(status)) all->Done(status);
    };
    Bring(era, {anchor->job_id, anchor->sealed}, {anchor->platform, anchor->image}, repository,
          [this, all, repository = repository, write](const absl::Status& copied) {
            if (copied.ok()) {
              strands_.Add({repository}, write);
            } else {
              all->Done(copied);
            }
          });
  }
}

ListOutcome Publisher::WriteList(const core::Publish& effect, int64_t claim) {
  ListOutcome outcome;
  std::vector<core::TagRef> ours;
  for (const core::TagRef& tag : effect.tags) {
    if (claims_.Holds(tag, claim)) {
      ours.push_back(tag);
    } else {
      outcome.tags.push_back({tag, false, "not moved: a job that was submitted later has it"});
    }
  }
  if (ours.empty()) return outcome;
  const auto access = access_.Of(effect.job_id, effect.sealed);
  if (!access.ok()) {
    outcome.error = access.status();
    return outcome;
  }
  ListOutcome written = (*access)->images.PublishList(effect.intent, ours, effect.immutable);
  outcome.error = std::move(written.error);
  outcome.tags.insert(outcome.tags.end(), written.tags.begin(), written.tags.end());
  return outcome;
}

void Publisher::CarryOut(core::Publish effect) {
  const int64_t era = Era();
  const auto publish = std::make_shared<const core::Publish>(std::move(effect));
  const int64_t claim = claims_.Claim(publish->tags);
  const std::vector<std::string> repositories = RepositoriesOf(publish->tags);
  const auto finish = [this, era, publish, claim](ListOutcome outcome) {
    if (absl::IsCancelled(outcome.error)) return;
    claims_.Release(publish->tags, claim);
    access_.Forget(publish->job_id);
    Post(era,
         core::PublishFinished{publish->job_id, std::move(outcome.tags), std::move(outcome.error)});
  };
  // No tag moves before every repository has all images and the list: it holds them all meanwhile.
  const auto write = [this, era, publish, claim, repositories, finish](const absl::Status& copied) {
    if (!copied.ok()) {
      ListOutcome outcome;
      for (const core::TagRef& tag : publish->tags) outcome.tags.push_back({tag, false, ""});
      outcome.error = copied;
      finish(std::move(outcome));
      return;
    }
    strands_.Add(repositories, [this, era, publish, claim, finish] {
      if (IsCurrent(era)) finish(WriteList(*publish, claim));
    });
  };
  std::vector<core::ListEntry> images;
  if (repositories != std::vector<std::string>{publish->source}) {
    auto found = ImagesOf(publish->intent, publish->source);
    if (!found.ok()) {
      write(Annotate(found.status(), "reading the recorded list"));
      return;
    }
    images = *std::move(found);
  }
  if (images.empty()) {
    write(absl::OkStatus());
    return;
  }
  const auto all = std::make_shared<Gathering>(images.size() * repositories.size(), write);
  for (const core::ListEntry& image : images) {
    for (const std::string& repository : repositories) {
      Bring(era, {publish->job_id, publish->sealed}, image, repository,
            [all](absl::Status copied) { all->Done(std::move(copied)); });
    }
  }
}

absl::StatusOr<std::vector<registry::DestinationCheck>> Publisher::CheckDestinations(
    const std::vector<std::string>& references, registry::PreflightOptions options,
    const std::string& authfile, absl::Time deadline) {
  auto access = access_.With(authfile);
  if (!access.ok()) return Annotate(access.status(), "the authfile of the request");
  options.known_list_types = &known_list_types_;
  return registry::CheckDestinations(&(*access)->client, references, options, {deadline});
}

}  // namespace manyarch::controller::publish
