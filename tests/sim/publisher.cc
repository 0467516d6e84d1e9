#include "tests/sim/publisher.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace manyarch::sim {

namespace {
constexpr absl::Duration kBudget = absl::Minutes(2);
}  // namespace

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
      [this, image = effect.image] {
        return registry_->Has(image.repository, image.digest)
                   ? absl::OkStatus()
                   : absl::NotFoundError("no such manifest");
      },
      nullptr,
      [this, effect, era = era_](const absl::Status& status) {
        core::ImageChecked event;
        event.attempt_id = effect.attempt_id;
        event.image = effect.image;
        if (!status.ok()) {
          event.failure = core::Failure{
              core::FailureClass::kInfrastructure, std::string(status.message()), 0, "", {}};
        } else if (registry_->Find(effect.image.repository, effect.image.digest).platform !=
                   effect.platform) {
          event.failure = core::Failure{core::FailureClass::kUser, "wrong architecture", 0, "", {}};
        }
        Post(era, std::move(event));
      });
}

void SimPublisher::Copy(std::vector<std::string> digests, const std::string& from,
                        std::vector<std::string> to, size_t next, Done done) {
  if (next == digests.size() * to.size()) {
    done(absl::OkStatus());
    return;
  }
  const std::string digest = digests[next % digests.size()];
  const std::string target = to[next / digests.size()];
  Ask([this, from, target, digest] { return registry_->CopyImage(from, target, digest); },
      [this, target, digest] { return registry_->Has(target, digest); },
      [this, digests, from, to, next, done](absl::Status status) {
        if (!status.ok()) {
          done(std::move(status));
        } else {
          Copy(digests, from, to, next + 1, done);
        }
      });
}

void SimPublisher::WriteTags(std::vector<core::TagRef> tags, size_t next, bool immutable,
                             std::function<absl::Status(const std::string&)> put,
                             std::string digest, std::function<void(size_t, absl::Status)> done) {
  if (next == tags.size()) {
    done(next, absl::OkStatus());
    return;
  }
  const std::string tag = tags[next].ToString();
  const auto there = [this, tag, digest] {
    const auto found = registry_->tags.find(tag);
    return found != registry_->tags.end() && found->second == digest;
  };
  const auto write = [this, immutable, put, tag, there] {
    if (there()) return absl::OkStatus();
    if (immutable && registry_->tags.contains(tag)) {
      return absl::AlreadyExistsError(absl::StrCat(tag, " points elsewhere"));
    }
    return put(tag);
  };
  Ask(write, there,
      [this, tags = std::move(tags), next, immutable, put, digest,
       done = std::move(done)](absl::Status status) mutable {
        if (!status.ok()) {
          done(next, std::move(status));
        } else {
          WriteTags(std::move(tags), next + 1, immutable, put, digest, std::move(done));
        }
      });
}

int SimPublisher::Claim(const std::vector<core::TagRef>& tags) {
  ++last_claim_;
  for (const core::TagRef& tag : tags) claims_[tag.ToString()] = last_claim_;
  return last_claim_;
}

std::vector<core::TagRef> SimPublisher::Held(const std::vector<core::TagRef>& tags,
                                             int claim) const {
  std::vector<core::TagRef> held;
  for (const core::TagRef& tag : tags) {
    if (claims_.at(tag.ToString()) == claim) held.push_back(tag);
  }
  return held;
}

// As much as concerns each repository, in its turn; the last one tells.
void SimPublisher::CarryOut(const core::WriteAnchor& effect) {
  std::map<std::string, std::vector<core::TagRef>> by_repository;
  for (const core::TagRef& ref : effect.refs) by_repository[ref.repository].push_back(ref);
  struct Rest {
    size_t parts;
    absl::Status error;
  };
  const auto rest = std::make_shared<Rest>(Rest{by_repository.size(), absl::OkStatus()});
  const auto done = [this, rest, effect, era = era_](const absl::Status& status) {
    rest->error.Update(status);
    if (--rest->parts > 0) return;
    Post(era, core::AnchorFinished{effect.job_id, effect.platform, rest->error});
  };
  const std::string digest = effect.image.digest;
  const int claim = Claim(effect.refs);
  for (const auto& [name, refs] : by_repository) {
    const auto write = [this, repository = name, refs = refs, digest, done, effect, claim,
                        era = era_] {
      if (era != era_) {
        TaskDone(repository);
        return;
      }
      WriteTags(
          Held(refs, claim), 0, effect.immutable,
          [this, digest](const std::string& tag) { return registry_->PutImageTag(tag, digest); },
          digest,
          [this, repository, done](size_t, const absl::Status& status) {
            done(status);
            TaskDone(repository);
          });
    };
    if (name == effect.image.repository) {
      Enqueue(name, write);
      continue;
    }
    Copy({digest}, effect.image.repository, {name}, 0,
         [this, repository = name, write, done](const absl::Status& status) {
           if (status.ok()) {
             Enqueue(repository, write);
           } else {
             done(status);
           }
         });
  }
}

void SimPublisher::PutLists(std::shared_ptr<const core::Publish> effect,
                            std::vector<std::string> repositories, size_t next, Done done) {
  if (next == repositories.size()) {
    done(absl::OkStatus());
    return;
  }
  const std::string repository = repositories[next];
  Ask([this, effect, repository] { return registry_->PutList(repository, effect->intent); },
      [this, effect, repository] {
        return registry_->lists.contains(absl::StrCat(repository, "@", effect->intent.digest));
      },
      [this, effect, repositories, next, done](absl::Status status) {
        if (!status.ok()) {
          done(std::move(status));
        } else {
          PutLists(effect, repositories, next + 1, done);
        }
      });
}

void SimPublisher::CarryOut(const core::Publish& published) {
  const auto effect = std::make_shared<const core::Publish>(published);
  if (effect->intent.list.empty()) {
    run_->Violated("job ", effect->job_id, " publishes an empty list");
  }
  std::set<std::string> repositories;
  for (const core::TagRef& tag : effect->tags) repositories.insert(tag.repository);
  const std::vector<std::string> all(repositories.begin(), repositories.end());
  const int claim = Claim(effect->tags);
  const auto finish = [this, effect, era = era_](const std::vector<core::TagRef>& ours,
                                                 size_t written, absl::Status status) {
    if (!status.ok()) run_->Trace(effect->job_id, " is not published: ", status.message());
    std::set<std::string> moved;
    for (size_t i = 0; i < written; ++i) moved.insert(ours[i].ToString());
    core::PublishFinished event{effect->job_id, {}, std::move(status)};
    for (const core::TagRef& tag : effect->tags) {
      const bool is_moved = moved.contains(tag.ToString());
      event.tags.push_back({tag, is_moved, is_moved ? "" : "not written"});
    }
    Post(era, std::move(event));
  };
  const auto write = [this, effect, all, claim, finish](std::function<void()> done) {
    const std::vector<core::TagRef> ours = Held(effect->tags, claim);
    PutLists(effect, all, 0, [this, effect, ours, finish, done](absl::Status status) {
      if (!status.ok()) {
        finish({}, 0, std::move(status));
        done();
        return;
      }
      WriteTags(
          ours, 0, effect->immutable,
          [this, effect](const std::string& tag) { return registry_->PutTag(tag, effect->intent); },
          effect->intent.digest,
          [ours, finish, done](size_t written, absl::Status tagged) {
            finish(ours, written, std::move(tagged));
            done();
          });
    });
  };
  std::vector<std::string> digests;
  for (const auto& [platform, digest] : EntriesOf(effect->intent.list)) digests.push_back(digest);
  repositories.erase(effect->source);
  const std::vector<std::string> others(repositories.begin(), repositories.end());
  Copy(digests, effect->source, others, 0,
       [this, all, write, finish, era = era_](const absl::Status& status) {
         if (!status.ok()) {
           finish({}, 0, status);
         } else {
           Hold(era, all, 0, write);
         }
       });
}

// One repository after the other, always in the same order: nobody waits in a circle.
void SimPublisher::Hold(int era, std::vector<std::string> repositories, size_t next,
                        std::function<void(std::function<void()>)> task) {
  if (next == repositories.size()) {
    const auto release = [this, repositories] {
      for (const std::string& repository : repositories) TaskDone(repository);
    };
    if (era == era_) {
      task(release);
    } else {
      release();
    }
    return;
  }
  const std::string repository = repositories[next];
  Enqueue(repository,
          [this, era, repositories, next, task] { Hold(era, repositories, next + 1, task); });
}

}  // namespace manyarch::sim
