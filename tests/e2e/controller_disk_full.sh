#!/usr/bin/env bash
# A controller whose disk runs full refuses what is new and says why, loses nothing that it has
# acknowledged, and goes on by itself once there is room again.
. "$(dirname "$0")/farm.sh"
begin
disk=$work/controller
mkdir "$disk"
mount -t tmpfs -o size=64m,mode=700 manyarch-e2e-disk "$disk"
trap 'code=$?; stop controller || true; umount -l "$disk" || true; finish $code' EXIT
free_kib() { df --output=avail -k "$disk" | tail -n1 | tr -dc 0-9; }
fill_up_to() {  # KIB_LEFT
  dd if=/dev/zero of="$disk/ballast" oflag=append conv=notrunc bs=1K count=$(($(free_kib) - $1)) status=none
}
fill() { dd if=/dev/zero of="$disk/ballast" oflag=append conv=notrunc bs=4K status=none 2>/dev/null || true; }
expect_refusal() {  # TAG
  run "$manyarch" build --detach -t "$registry/demo/app:$1" "${args[@]}"
  expect_code 3
  expect_err "disk" "free"
}
expect_state() { expect_equal "state of $1" "$2" "$(job=$1 job_state)"; }

start_registry
start_controller --min-free 8MiB --heartbeat 1s --suspect-after 5s --lost-after 300s
start_worker one --slots 2
wait_for 60 "the worker to join" worker_is_connected one
base_image
waiting_context "$work/context" "RUN echo BEGIN-LOG; busybox seq 1 300000; echo END-LOG"
args=(--platform linux/amd64 --build-arg "BASE=$base" "$work/context")
submit -t "$registry/demo/app:1" "${args[@]}"
first=$job
wait_for 90 "the first build to run" sleeping 1

log "with little room left, nothing new is taken; what was taken goes on"
fill_up_to 6000
jobs=$(job_count)
expect_refusal refused
expect_err "controller's disk has only .* free"
expect_equal "jobs" "$jobs" "$(job_count)"
worker_is_connected one || fail "the worker was disconnected by a submission that was refused"
rm "$disk/ballast"

log "with no room at all, what was acknowledged is kept"
unique=${unique}1
waiting_context "$work/context" "RUN echo BEGIN-LOG; busybox seq 1 300000; echo END-LOG"
submit -t "$registry/demo/app:2" "${args[@]}"
second=$job
wait_for 90 "the second build to run" sleeping 1
fill
expect_equal "free KiB" 0 "$(free_kib)"
sessions=$(grep -c "in session" "$work/one.log")
release
pkill -TERM -f "sleep ${unique%1}\$"
wait_for 60 "both builds to end on the worker" eval '[ "$(grep -c ": pushed " "$work/one.log")" = 2 ]'
expect_refusal refused
sleep 5
expect_refusal refused-again
gone "${pids[controller]}" && fail "the controller has ended"
run "$manyarch" jobs
expect_code 0
sessions=$(($(grep -c "in session" "$work/one.log") - sessions))
log "the worker has connected $sessions times meanwhile"
[ "$sessions" -le 20 ] || fail "the worker connects again and again"

log "and goes on when there is room, without a restart"
pid=${pids[controller]}
rm "$disk/ballast"
for job in "$first" "$second"; do
  wait_for 60 "job $job to succeed" job_is succeeded
  run "$manyarch" logs "$job"
  expect_code 0
  expect_equal "sha256 of what $job has printed" "$(seq 1 300000 | sha256sum)" \
    "$(awk '/^BEGIN-LOG$/ {on = 1; next} /^END-LOG$/ {on = 0} on' "$out" | sha256sum)"
  expect_equal "attempts of $job" 1 "$(attempts | wc -l)"
done
expect_true_list "$registry/demo/app:1" linux/amd64
expect_true_list "$registry/demo/app:2" linux/amd64
expect_equal "the controller's process" "$pid" "${pids[controller]}"
run "$manyarch" build -q -t "$registry/demo/app:3" --platform linux/amd64 --build-arg "BASE=$base" "$root/examples/hello"
expect_code 0
expect_equal "jobs" "$((jobs + 2))" "$(job_count)"
