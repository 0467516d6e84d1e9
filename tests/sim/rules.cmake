# Copies the cores with a switch at the place of each rule, so that a test can break one rule at a
# time and see a simulated run notice. The cores themselves know nothing of it.
#
#   cmake -DFROM=<project> -DTO=<folder> -P rules.cmake
#
# A rule that is no longer where this file looks for it is named in missing_rules.inc, and the test
# then says so.

set(missing "")

function(begin file)
  file(READ "${FROM}/${file}" text)
  set(text "${text}" PARENT_SCOPE)
endfunction()

# The condition or statement `rule` as it is written, and what stands there once it can be broken.
macro(rule name original breakable)
  string(FIND "${text}" "${original}" at)
  if(at EQUAL -1)
    string(APPEND missing "\"${name}\",\n")
  else()
    string(REPLACE "${original}" "${breakable}" text "${text}")
  endif()
endmacro()

function(end file)
  string(CONCAT whole "#include \"tests/sim/rules.h\"\n"
    "namespace manyarch { using sim::Broken$<SEMICOLON> }\n" "${text}")
  string(REPLACE "$<SEMICOLON>" ";" whole "${whole}")
  file(WRITE "${TO}/${file}" "${whole}")
endfunction()

begin(controller/engine.cc)
rule("nothing is carried out before the commit"
  [==[  if (effects.NeedsCommit()) {
    if (absl::Status status = ports_->Commit(*farm_, effects); !status.ok()) {
      Refuse(batch, status);]==]
  [==[  if (Broken("nothing is carried out before the commit")) {
    for (const core::Effect& effect : effects.out) ports_->CarryOut(effect);
  }
  if (Broken("a submission is answered after the commit")) {
    for (const core::Effect& effect : effects.out) {
      if (std::holds_alternative<core::Answer>(effect)) ports_->CarryOut(effect);
    }
  }
  if (effects.NeedsCommit()) {
    if (absl::Status status = ports_->Commit(*farm_, effects); !status.ok()) {
      Refuse(batch, status);]==])
end(controller/engine.cc)

begin(controller/core/farm_publish.cc)
rule("the intent is committed before the list is pushed"
  [==[  Changed(job);
  StartPublish(job);]==]
  [==[  if (!Broken("the intent is committed before the list is pushed")) Changed(job);
  StartPublish(job);]==])
rule("a tag goes to the newest submission only"
  [==[return owner == nullptr || owner->generation <= job.generation;]==]
  [==[return Broken("a tag goes to the newest submission only") || owner == nullptr ||
         owner->generation <= job.generation;]==])
rule("an immutable job moves no tag"
  [==[publish.immutable = job.spec->immutable;]==]
  [==[publish.immutable = job.spec->immutable && !Broken("an immutable job moves no tag");]==])
rule("a build has one winner"
  [==[  if (!place || !std::holds_alternative<AttemptVerifying>(place->ref().state)) return;]==]
  [==[  if (!place) return;
  if (!Broken("a build has one winner") &&
      !std::holds_alternative<AttemptVerifying>(place->ref().state)) {
    return;
  }]==])
rule("an image wins once it is verified"
  [==[  if (event.failure) {]==]
  [==[  if (event.failure && !Broken("an image wins once it is verified")) {]==])
end(controller/core/farm_publish.cc)

begin(controller/core/farm_jobs.cc)
rule("what is publishing is not cancelled"
  [==[  if (std::holds_alternative<JobPublishing>(job.state)) {
    Emit(Answer{]==]
  [==[  if (std::holds_alternative<JobPublishing>(job.state) &&
      !Broken("what is publishing is not cancelled")) {
    Emit(Answer{]==])
rule("one key makes one job"
  [==[if (known != keys_.end()) {]==]
  [==[if (known != keys_.end() && !Broken("one key makes one job")) {]==])
end(controller/core/farm_jobs.cc)

begin(controller/core/farm.cc)
rule("an interrupted publication is taken up again"
  [==[if (std::holds_alternative<JobPublishing>(job->state)) StartPublish(*job);]==]
  [==[if (std::holds_alternative<JobPublishing>(job->state) &&
        !Broken("an interrupted publication is taken up again")) {
      StartPublish(*job);
    }]==])
rule("an interrupted check is taken up again"
  [==[        if (const auto* verifying = std::get_if<AttemptVerifying>(&attempt.state)) {]==]
  [==[        if (Broken("an interrupted check is taken up again")) continue;
        if (const auto* verifying = std::get_if<AttemptVerifying>(&attempt.state)) {]==])
end(controller/core/farm.cc)

begin(controller/core/farm_attempts.cc)
rule("an attempt is durable before it is offered"
  [==[  build.attempts.push_back(std::move(attempt));
  Changed(job);]==]
  [==[  build.attempts.push_back(std::move(attempt));
  if (!Broken("an attempt is durable before it is offered")) Changed(job);]==])
rule("what is over is not revived"
  [==[if (!ours || IsTerminal(place->ref().state) ||]==]
  [==[if (!ours || (IsTerminal(place->ref().state) && !Broken("what is over is not revived")) ||]==])
rule("the first result of an attempt counts"
  [==[  if (IsTerminal(attempt.state) || std::holds_alternative<AttemptVerifying>(attempt.state)) return;]==]
  [==[  if (!Broken("the first result of an attempt counts") &&
      (IsTerminal(attempt.state) || std::holds_alternative<AttemptVerifying>(attempt.state))) {
    return;
  }]==])
rule("a lost attempt counts against its build"
  [==[  attempt.state = AttemptLost{failure};
  attempt.counts = counts;]==]
  [==[  attempt.state = AttemptLost{failure};
  attempt.counts = counts && !Broken("a lost attempt counts against its build");]==])
rule("an acknowledged result was taken"
  [==[  if (!place || place->ref().worker == worker->description.id) TakeResult(event.finished);]==]
  [==[  if (!Broken("an acknowledged result was taken") &&
      (!place || place->ref().worker == worker->description.id)) {
    TakeResult(event.finished);
  }]==])
end(controller/core/farm_attempts.cc)

begin(controller/core/farm_workers.cc)
rule("leases are judged by the steady clock"
  [==[  const absl::Time lost_at = worker.last_heard + options_.lost_after;
  if (now_.steady >= lost_at) {]==]
  [==[  const absl::Time lost_at = worker.last_heard + options_.lost_after;
  if (now_.steady >= lost_at || (Broken("leases are judged by the steady clock") &&
                                 now_.wall >= worker.last_seen_at + options_.lost_after)) {]==])
rule("what a worker comes back without is tried again"
  [==[    if (!place || !IsOnWorker(place->ref().state)) continue;
    const bool started = std::holds_alternative<AttemptRunning>(place->ref().state);
    LoseAttempt(*place,
                started ? ]==]
  [==[    if (!place || !IsOnWorker(place->ref().state)) continue;
    if (Broken("what a worker comes back without is tried again")) continue;
    const bool started = std::holds_alternative<AttemptRunning>(place->ref().state);
    LoseAttempt(*place,
                started ? ]==])
rule("an abandoned attempt holds its slot until it is gone"
  [==[  for (const RunningAttempt& running : event.running) {
    worker.occupied.insert(running.attempt_id);]==]
  [==[  for (const RunningAttempt& running : event.running) {
    const auto there = FindAttempt(running.attempt_id);
    if (Broken("an abandoned attempt holds its slot until it is gone") &&
        (!there || IsTerminal(there->ref().state))) {
      continue;
    }
    worker.occupied.insert(running.attempt_id);]==])
end(controller/core/farm_workers.cc)

begin(worker/core/attempts.cc)
rule("a result stays until it is acknowledged"
  [==[  it->second = Finished{f.result, f.log_size};
  effects_.push_back(KeepResult{f});
  ReportFinished(f.attempt_id);]==]
  [==[  it->second = Finished{f.result, f.log_size};
  effects_.push_back(KeepResult{f});
  ReportFinished(f.attempt_id);
  if (Broken("a result stays until it is acknowledged")) Forget(f.attempt_id);]==])
end(worker/core/attempts.cc)

begin(worker/core/worker.cc)
rule("a Hello tells of all that runs"
  [==[      hello.running.push_back({id, running->phase});]==]
  [==[      if (!Broken("a Hello tells of all that runs")) {
        hello.running.push_back({id, running->phase});
      }]==])
rule("unacknowledged results are told again"
  [==[      hello.finished.push_back(Report(id, std::get<Finished>(state)));]==]
  [==[      if (Broken("unacknowledged results are told again")) continue;
      hello.finished.push_back(Report(id, std::get<Finished>(state)));]==])
rule("unacknowledged results are told again"
  [==[    if (std::holds_alternative<Finished>(state)) ReportFinished(id);]==]
  [==[    if (Broken("unacknowledged results are told again")) continue;
    if (std::holds_alternative<Finished>(state)) ReportFinished(id);]==])
rule("a silent connection is dialled anew"
  [==[  if (const auto* s = std::get_if<InSession>(&connection_)) return s->heard_at + SilenceLimit(*s);]==]
  [==[  if (Broken("a silent connection is dialled anew")) return absl::InfiniteFuture();
  if (const auto* s = std::get_if<InSession>(&connection_)) return s->heard_at + SilenceLimit(*s);]==])
end(worker/core/worker.cc)

file(WRITE "${TO}/missing_rules.inc" "${missing}")
