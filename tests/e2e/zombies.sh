#!/usr/bin/env bash
# A worker that stands still (SIGSTOP) past its lease and then goes on. Where another worker's image
# has won meanwhile, its own is not taken and it cleans up; where nobody's has, its own wins.
. "$(dirname "$0")/farm.sh"
begin
start_registry
start_controller --heartbeat 1 --suspect-after 2 --lost-after 4
for name in one two; do
  start_worker "$name" --platforms linux/amd64
  wait_for 60 "worker $name to join" worker_is_connected "$name"
done
base_image
# What it makes differs from run to run, so that images can be told apart.
waiting_context "$work/context" 'RUN head -c 16 /dev/urandom | od -An -tx1 >/stamp'

freeze() {  # NAME: until `thaw`, or the end of the test
  frozen=${pids[$1]}
  kill -STOP "$frozen"
}
thaw() {
  kill -CONT "$frozen"
  frozen=
}
frozen=
trap '[ -z "$frozen" ] || kill -CONT "$frozen"; finish $?' EXIT

# The sleeping step of the build that WORKER runs.
sleeper_of() {  # WORKER
  local pid parent
  for pid in $(pgrep -f "^/bin/sleep $unique\$"); do
    parent=$pid
    while [ "${parent:-0}" -gt 1 ]; do
      [ "$parent" = "${pids[$1]}" ] && { echo "$pid"; return; }
      parent=$(ps -o ppid= -p "$parent" | tr -d ' ')
    done
  done
  return 1
}
has_sleeper() { sleeper_of "$1"; }
release_of() { kill -TERM "$(sleeper_of "$1")"; }
worker_is_lost() { [ "$(worker "$1" | jq -r .state | normal)" = lost ]; }
attempt_is() {  # NUMBER STATE
  [ "$(attempts | jq -r "select(.number == $1) | .state" | normal)" = "$2" ]
}
has_cleaned_up() {  # WORKER
  [ -z "$(ls -A "$work/$1/attempts")" ] && no_mounts "$work/$1" && ! pgrep -f "buildah .*$work/$1/"
}
# The image of $job, which its tag 's list has.
child() {
  expect_true_list "$1" linux/amd64
  jq -r '.manifests[0].digest' "$work/list.json"
}
freeze_in_build() {  # TAG: submits; leaves $victim, frozen and lost, and $other, which has the build now
  submit -t "$registry/demo/app:$1" --platform linux/amd64 --build-arg "BASE=$base" \
    --build-arg "UNIQUE=$1" "$work/context"
  wait_for 90 "the build to run" sleeping 1
  victim=$(attempts | jq -r .worker)
  other=$([ "$victim" = one ] && echo two || echo one)
  wait_for 20 "its step to be found" has_sleeper "$victim"
  log "worker $victim stands still"
  freeze "$victim"
  wait_for 30 "worker $victim to be lost" worker_is_lost "$victim"
  wait_for 60 "the build to run on worker $other too" has_sleeper "$other"
}

log "another has won: the finished build of the worker that comes back is not taken"
freeze_in_build 1.0
release_of "$victim"
release_of "$other"
wait_for 90 "the job to succeed" job_is succeeded
tag=$registry/demo/app:1.0
won=$(child "$tag")
before=$(job_json)
thaw
wait_for 30 "worker $victim to be back" worker_is_connected "$victim"
wait_for 60 "worker $victim to have cleaned up" has_cleaned_up "$victim"
expect_equal "image behind the tag" "$won" "$(child "$tag")"
expect_equal "image behind the per-architecture tag" "$won" \
  "sha256:$(manifest "$tag-amd64" | sha256sum | cut -d' ' -f1)"
expect_equal "the job, which is over" "$before" "$(job_json)"

log "another has won: a build that still runs is ended"
unique=${unique}1  # Else the layer would be taken from the cache.
waiting_context "$work/context" 'RUN head -c 16 /dev/urandom | od -An -tx1 >/stamp'
freeze_in_build 2.0
release_of "$other"
wait_for 90 "the job to succeed" job_is succeeded
tag=$registry/demo/app:2.0
won=$(child "$tag")
sleeping 1 || fail "the frozen worker's build is gone already"
thaw
wait_for 30 "worker $victim to end its build" sleeping 0
wait_for 60 "worker $victim to have cleaned up" has_cleaned_up "$victim"
expect_equal "image behind the tag" "$won" "$(child "$tag")"

log "nobody else has finished: the image of the worker that comes back wins"
unique=${unique}2
waiting_context "$work/context" 'RUN head -c 16 /dev/urandom | od -An -tx1 >/stamp'
freeze_in_build 3.0
release_of "$victim"
thaw
wait_for 60 "the job to succeed" job_is succeeded
tag=$registry/demo/app:3.0
won=$(child "$tag")
expect_equal "states of the attempts" "1 succeeded 2 cancelled" \
  "$(attempts | jq -r '"\(.number) \(.state)"' | while read -r n s; do echo "$n $(normal <<<"$s")"; done | xargs)"
wait_for 30 "worker $other to end its build" sleeping 0
wait_for 60 "worker $other to have cleaned up" has_cleaned_up "$other"
wait_for 60 "worker $victim to have cleaned up" has_cleaned_up "$victim"
expect_equal "image behind the tag" "$won" "$(child "$tag")"
