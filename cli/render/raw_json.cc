#include "cli/render/raw_json.h"

#include "absl/time/clock.h"
#include "cli/render/words.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli {

namespace {

using Object = nlohmann::ordered_json;

Object New(const char* type) {
  Object object;
  object["time"] = absl::FormatTime(absl::RFC3339_full, absl::Now(), absl::UTCTimeZone());
  object["type"] = type;
  return object;
}

// Builds may print what is no UTF-8.
void Write(std::FILE* out, const Object& object) {
  const std::string line =
      object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  std::fwrite(line.data(), 1, line.size(), out);
  std::fflush(out);
}

Object FailureOf(const v1::Failure& failure) {
  Object object;
  object["class"] = Word(failure.class_());
  object["message"] = failure.message();
  if (failure.exit_code() != 0) object["exit_code"] = failure.exit_code();
  if (!failure.step().empty()) object["step"] = failure.step();
  return object;
}

// Each as far as it differs from what was written before; null where it does not.
Object JobObject(const v1::Job& job) {
  Object object;
  object["job_id"] = job.id();
  object["state"] = Word(job.state());
  if (!job.status_reason().empty()) object["reason"] = job.status_reason();
  if (!job.intent().digest().empty()) object["digest"] = job.intent().digest();
  if (job.has_failure()) object["failure"] = FailureOf(job.failure());
  return object;
}

Object BuildObject(const v1::Job& job, const v1::Build& build) {
  Object object;
  object["job_id"] = job.id();
  object["platform"] = PlatformText(build.platform());
  object["optional"] = build.optional();
  object["state"] = Word(build.state());
  if (!build.waiting_reason().empty()) object["reason"] = build.waiting_reason();
  if (build.state() == v1::BUILD_STATE_SUCCEEDED) object["digest"] = build.image().digest();
  if (!build.reused_from().empty()) object["reused_from"] = build.reused_from();
  if (build.has_failure()) object["failure"] = FailureOf(build.failure());
  return object;
}

Object AttemptObject(const v1::Build& build, const v1::Attempt& attempt) {
  Object object;
  object["attempt_id"] = attempt.id();
  object["platform"] = PlatformText(build.platform());
  object["number"] = attempt.number();
  object["worker"] = attempt.worker_name();
  object["mode"] = HowText(attempt.emulated());
  object["state"] = Word(attempt.state());
  if (attempt.has_failure()) object["failure"] = FailureOf(attempt.failure());
  return object;
}

const v1::Attempt* FindAttempt(const v1::Build* build, const std::string& id) {
  if (build == nullptr) return nullptr;
  for (const v1::Attempt& attempt : build->attempts()) {
    if (attempt.id() == id) return &attempt;
  }
  return nullptr;
}

}  // namespace

void RawJsonProgress::OnJob(const v1::Job& job) {
  absl::MutexLock lock(&mutex_);
  const auto emit = [this](const char* type, const Object& was, const Object& is) {
    if (was == is) return;
    Object object = New(type);
    object.update(is);
    Write(out_, object);
  };
  for (int b = 0; b < job.builds_size(); ++b) {
    const v1::Build& build = job.builds(b);
    const v1::Build* before =
        last_ != nullptr && b < last_->builds_size() ? &last_->builds(b) : nullptr;
    for (const v1::Attempt& attempt : build.attempts()) {
      const v1::Attempt* known = FindAttempt(before, attempt.id());
      emit("attempt", known == nullptr ? Object() : AttemptObject(*before, *known),
           AttemptObject(build, attempt));
    }
    emit("build", before == nullptr ? Object() : BuildObject(*last_, *before),
         BuildObject(job, build));
    for (int w = before == nullptr ? 0 : before->warnings_size(); w < build.warnings_size(); ++w) {
      Object object = New("warning");
      object["platform"] = PlatformText(build.platform());
      object["message"] = build.warnings(w);
      Write(out_, object);
    }
  }
  emit("job", last_ == nullptr ? Object() : JobObject(*last_), JobObject(job));
  last_ = std::make_unique<v1::Job>(job);
}

void RawJsonProgress::OnLogLine(const LogSource& source, absl::string_view line) {
  Object object = New("log");
  object["attempt_id"] = source.attempt_id;
  object["platform"] = source.platform;
  object["worker"] = source.worker;
  object["line"] = std::string(line);
  absl::MutexLock lock(&mutex_);
  Write(out_, object);
}

void RawJsonProgress::OnNotice(absl::string_view text) {
  Object object = New("notice");
  object["message"] = std::string(text);
  absl::MutexLock lock(&mutex_);
  Write(out_, object);
}

}  // namespace manyarch::cli
