#!/usr/bin/env bash
# A worker whose disk runs full: the build moves on, the worker gives up its caches, takes nothing
# while there is too little room, says so, and comes back by itself.
. "$(dirname "$0")/farm.sh"
begin
disk=$work/one
mkdir "$disk"
mount -t tmpfs -o size=400m,mode=700 manyarch-e2e-disk "$disk"
trap 'code=$?; stop one || true; umount -l "$disk" || true; finish $code' EXIT
free_mib() { df --output=avail -BM "$disk" | tail -n1 | tr -dc 0-9; }
fill_up_to() {  # MIB_LEFT
  local more=$(($(free_mib) - $1))
  [ "$more" -gt 0 ] || fail "only $(free_mib) MiB are free: nothing to fill"
  dd if=/dev/zero of="$disk/ballast" oflag=append conv=notrunc bs=1M count="$more" status=none
}
reason() { worker one | jq -r '.admission_reason // ""'; }
is_ready() { worker_is_connected one && [ -z "$(reason)" ]; }
is_not_ready() { [[ $(reason) = *"its disk has only"* ]]; }

start_registry
start_controller --heartbeat 1s --suspect-after 5s --lost-after 30s
start_worker one --min-free 40MiB
wait_for 60 "the worker to join" worker_is_connected one
base_image
args=(--platform linux/amd64 --build-arg "BASE=$base" "$work/context")

log "a build that needs more than there is moves to another worker"
waiting_context "$work/context" "RUN busybox dd if=/dev/zero of=/big bs=1M count=90; echo written"
submit -t "$registry/demo/app:1" "${args[@]}"
wait_for 90 "the build to run" sleeping 1
start_worker two
wait_for 60 "worker two to join" worker_is_connected two
fill_up_to 60
release
wait_for 60 "the build to run on the other worker" runs_on two
release
wait_for 90 "the job to succeed" job_is succeeded
expect_equal "attempts" "one:failed two:succeeded" \
  "$(attempts | jq -r '.worker + ":" + .state' | sed 's/ATTEMPT_STATE_//' | tr '[:upper:]' '[:lower:]' | xargs)"
expect_equal "class of the failure" infrastructure \
  "$(job_json | jq -r '.builds[0].attempts[0].failure.class' | normal)"
job_json | jq -r '.builds[0].attempts[0].failure.message' | grep -q "disk is full" ||
  fail "the failure does not say that the disk is full: $(job_json | jq -r ".builds[0].attempts[0].failure.message")"
wait_for 30 "worker one to be ready again" is_ready

log "below its mark it gives up caches first"
unique=${unique}1  # Else the layers would be taken from the cache.
waiting_context "$work/context"
had=$(free_mib)
rm "$disk/ballast"
[ "$(($(free_mib) - had))" -gt 0 ] || fail "the ballast weighed nothing"
stop two
submit -t "$registry/demo/app:2" "${args[@]}"
wait_for 60 "the build to run" runs_on one
release
wait_for 60 "the job to succeed" job_is succeeded
fill_up_to 38
wait_for 30 "caches to be given up" grep -q "giving up caches" "$work/one.log"
wait_for 30 "room to be made" eval '[ "$(free_mib)" -ge 40 ]'
wait_for 10 "worker one to be ready" is_ready

log "and takes nothing new when that is not enough"
fill_up_to 5
wait_for 30 "worker one to say that its disk is full" is_not_ready
unique=${unique}1
waiting_context "$work/context"
submit -t "$registry/demo/app:3" "${args[@]}"
wait_for 20 "the reason why the job waits" has_reason
job_json | jq -r '.builds[0].waiting_reason' | grep -q "one takes nothing new for now: its disk has only" ||
  fail "the job does not say that it waits for the disk: $(job_json | jq -r '.builds[0].waiting_reason')"
sleep 3
expect_equal "attempts of a job that nobody can take" 0 "$(attempts | wc -l)"

log "until there is room again"
rm "$disk/ballast"
wait_for 30 "the build to run" runs_on one
expect_equal "the reason" "" "$(reason)"
release
wait_for 60 "the job to succeed" job_is succeeded
expect_true_list "$registry/demo/app:3" linux/amd64
