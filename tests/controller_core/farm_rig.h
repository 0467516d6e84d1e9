// Drives a farm by hand and tells its effects as short lines, so that tests read like stories.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

class FarmRig {
 public:
  explicit FarmRig(FarmState state = {}, FarmOptions options = {})
      : farm_(std::make_unique<Farm>(options, Builder(), std::move(state), Clock())) {
    Effects effects;
    farm_->Start(Clock(), effects);
    last_ = Tell(effects);
  }

  static Platform P(const std::string& text) { return *ParsePlatform(text); }

  static std::shared_ptr<JobSpec> Spec(const std::vector<std::string>& platforms,
                                       const std::string& tag = "v1") {
    auto spec = std::make_shared<JobSpec>();
    spec->project = "default";
    spec->tags = {{"reg/app", tag}};
    for (const std::string& platform : platforms) spec->platforms.push_back({P(platform), false});
    spec->arch_tag_template.clear();
    return spec;
  }

  using Lines = std::vector<std::string>;

  Lines Submit(const std::string& job, std::shared_ptr<const JobSpec> spec,
               const std::string& key = "", const std::string& hash = "hash") {
    return Do(
        core::Submit{1, job, key.empty() ? "key-" + job : key, hash, std::move(spec), "", {}});
  }
  // A repetition of `of`, with the images that its builds have left.
  Lines Retry(const std::string& job, const core::Job& of) {
    core::Submit event{1, job, "key-" + job, "hash", of.spec, of.id, {}};
    for (const core::Build& build : of.builds) {
      const auto* succeeded = std::get_if<BuildSucceeded>(&build.state);
      if (succeeded != nullptr) event.reuse.push_back({build.platform, succeeded->image, of.id});
    }
    return Do(event);
  }
  Lines Cancel(const std::string& job) { return Do(core::Cancel{2, job, "enough"}); }

  // "linux/amd64,linux/arm64*": an asterisk means emulated. The session has the number of the name.
  static WorkerHello HelloOf(const std::string& name, uint64_t session, const Lines& platforms,
                             int slots = 1) {
    WorkerHello hello;
    hello.session = session;
    hello.incarnation = name + "-1";
    hello.description.id = hello.description.name = name;
    hello.description.slots = slots;
    for (std::string platform : platforms) {
      const bool emulated = platform.back() == '*';
      if (emulated) platform.pop_back();
      hello.description.platforms.push_back({P(platform), emulated});
    }
    return hello;
  }
  Lines Join(const std::string& name, uint64_t session, const Lines& platforms, int slots = 1) {
    return Do(HelloOf(name, session, platforms, slots));
  }
  Lines Accept(uint64_t session, const std::string& attempt) {
    return Do(OfferAnswered{session, attempt, true, ""});
  }
  Lines Push(uint64_t session, const std::string& attempt) {
    return Do(AttemptFinished{session, {attempt, Image{"reg/app", "sha256:" + attempt, 0, ""}, 0}});
  }
  Lines Fail(uint64_t session, const std::string& attempt, FailureClass cls) {
    return Do(AttemptFinished{session, {attempt, Failure{cls, "it broke", 1, "", {}}, 0}});
  }
  Lines Gone(uint64_t session, const std::string& attempt) {
    return Do(AttemptFinished{session, {attempt, AttemptCancelled{}, 0}});
  }
  Lines Checked(const std::string& attempt) {
    return Do(ImageChecked{attempt, Image{"reg/app", "sha256:" + attempt, 500, "v2s2"}, {}, {}});
  }
  Lines Published(const std::string& job, absl::Status status = absl::OkStatus()) {
    PublishFinished event{job, {}, status};
    for (const TagOutcome& tag : farm_->FindJob(job)->tags) {
      if (tag.note.empty()) event.tags.push_back({tag.ref, status.ok(), ""});
    }
    return Do(std::move(event));
  }
  Lines Admit(const std::string& worker, Admission admission, const std::string& reason) {
    return Do(SetAdmission{3, worker, admission, reason});
  }
  // A build from offer to its verified image.
  void Build(uint64_t session, const std::string& attempt) {
    Accept(session, attempt);
    Push(session, attempt);
    last_ = Checked(attempt);
  }

  // Lets time pass in small steps, with heartbeats of these sessions.
  Lines Pass(absl::Duration time, const std::vector<uint64_t>& alive = {}) {
    Lines all;
    const absl::Time end = now_ + time;
    while (now_ < end) {
      now_ += absl::Seconds(1);
      for (const uint64_t session : alive) Append(all, Do(WorkerHeard{session}));
      if (farm_->NextDeadline() <= Clock().steady) Append(all, Do(Tick{}));
    }
    return all;
  }

  Lines Do(const Event& event) {
    Effects effects;
    farm_->Step(event, Clock(), effects);
    for (const BuildKind& kind : effects.estimates) {
      if (const History* history = farm_->estimates().Find(kind)) estimates_[kind] = *history;
    }
    touched_.assign(effects.jobs.begin(), effects.jobs.end());
    return last_ = Tell(effects);
  }

  const Job& job(const std::string& id) const { return *farm_->FindJob(id); }
  const core::Build& build(const std::string& id, size_t index = 0) const {
    return job(id).builds[index];
  }
  std::string waiting(const std::string& id, size_t index = 0) const {
    const auto* state = std::get_if<BuildWaiting>(&build(id, index).state);
    return state == nullptr ? "(does not wait)" : state->reason;
  }
  // What is predicted of a job's first build.
  BuildExplanation Forecast(const std::string& job) {
    Effects effects;
    farm_->Step(Explain{9, job, true}, Clock(), effects);
    return std::get<Explained>(effects.out.at(0)).builds.at(0);
  }
  absl::Time wall() const { return Clock().wall; }
  Farm& farm() { return *farm_; }
  const Lines& last() const { return last_; }
  // Jobs that the last step wanted to have made durable.
  const Lines& touched() const { return touched_; }
  void SetWallClock(absl::Duration skew) { skew_ = skew; }

  // What a store would hold now.
  FarmState Stored() const {
    FarmState state;
    for (const auto& [id, job] : farm_->jobs()) {
      if (!IsTerminal(job.state)) state.jobs.push_back(job);
      state.last_generation = std::max(state.last_generation, job.generation);
    }
    for (const auto& [id, worker] : farm_->workers()) state.workers.push_back(worker);
    state.estimates.assign(estimates_.begin(), estimates_.end());
    for (const std::string tag : {"reg/app:v1", "reg/app:v2"}) {
      if (const TagOwner* owner = farm_->FindTag(tag)) state.tags[tag] = *owner;
    }
    return state;
  }

 private:
  Now Clock() const { return {now_ + skew_, now_ - absl::Hours(5)}; }

  static ListBuilder Builder() {
    return [](const std::vector<ListEntry>& entries, ImageFormat format) {
      Lines parts;
      for (const ListEntry& entry : entries) {
        parts.push_back(absl::StrCat(ToString(entry.platform), "=", entry.image.digest));
      }
      const std::string bytes = absl::StrJoin(parts, ",");
      return PublishIntent{bytes, "sha256:list(" + bytes + ")",
                           format == ImageFormat::kOci ? "oci-index" : "v2s2-list"};
    };
  }

  static void Append(Lines& to, const Lines& from) {
    to.insert(to.end(), from.begin(), from.end());
  }

  static Lines Tell(const Effects& effects) {
    struct Teller {
      std::string operator()(const Answer& e) const {
        return absl::StrCat("answer ", e.call, ": ",
                            e.status.ok() ? e.job_id : std::string(e.status.message()),
                            e.existed && e.status.ok() ? " again" : "");
      }
      std::string operator()(const Explained& e) const {
        std::string text = absl::StrCat("explained ", e.call);
        for (const BuildExplanation& build : e.builds) {
          absl::StrAppend(&text, "\n", ToString(build.platform), ": ", build.summary);
          if (!build.beside.empty()) absl::StrAppend(&text, "+ ", build.beside);
          for (const WorkerEligibility& worker : build.workers) {
            absl::StrAppend(&text, "\n ", worker.eligible ? "+" : "-", worker.worker_name, ": ",
                            worker.reason);
          }
        }
        return text;
      }
      std::string operator()(const SendHelloAnswer& e) const {
        std::string text = absl::StrCat("greet ", e.session);
        for (const auto& [id, verdict] : e.verdicts) {
          static const char* const kWords[] = {"go on", "abandon", "acknowledged"};
          absl::StrAppend(&text, ", ", id, " ", kWords[static_cast<int>(verdict)]);
        }
        return text;
      }
      std::string operator()(const SendOffer& e) const {
        return absl::StrCat("offer ", e.attempt_id, " to ", e.session,
                            e.emulated ? " emulated" : "");
      }
      std::string operator()(const SendAbandon& e) const {
        return absl::StrCat("abandon ", e.attempt_id, " at ", e.session);
      }
      std::string operator()(const SendAcknowledged& e) const {
        return absl::StrCat("ack ", e.attempt_id, " to ", e.session);
      }
      std::string operator()(const CloseSession& e) const {
        return absl::StrCat("close ", e.session);
      }
      std::string operator()(const CheckImage& e) const {
        return absl::StrCat("check ", e.attempt_id, e.sealed ? " sealed" : "");
      }
      std::string operator()(const WriteAnchor& e) const {
        Lines refs;
        for (const TagRef& ref : e.refs) refs.push_back(ref.ToString());
        return absl::StrCat("anchor ", absl::StrJoin(refs, " "), e.immutable ? " immutable" : "",
                            e.sealed ? " sealed" : "");
      }
      std::string operator()(const Publish& e) const {
        std::string where;  // Told where it is not all in one repository.
        for (const TagRef& tag : e.tags) {
          if (tag.repository != e.source) where = " from " + e.source + " to";
        }
        for (const TagRef& tag : e.tags) {
          if (!where.empty()) absl::StrAppend(&where, " ", tag.ToString());
        }
        return absl::StrCat("publish ", e.job_id, " ", e.intent.list, where,
                            e.immutable ? " immutable" : "", e.sealed ? " sealed" : "");
      }
    };
    Lines lines;
    for (const Effect& effect : effects.out) lines.push_back(std::visit(Teller{}, effect));
    return lines;
  }

  absl::Time now_ = absl::UnixEpoch() + absl::Hours(100);
  absl::Duration skew_;
  std::unique_ptr<Farm> farm_;
  std::map<BuildKind, History> estimates_;  // As committed.
  Lines last_;
  Lines touched_;
};

}  // namespace manyarch::controller::core
