#!/usr/bin/env bash
# Logs are whole: over connections that are reset every so many bytes, on both sides of the
# controller; while a reader stands still; and where the worker could not keep all of it, the gap
# says how much is missing.
. "$(dirname "$0")/farm.sh"
begin
start_registry
start_controller --heartbeat 1s --suspect-after 5s --lost-after 60s
base_image

start_proxy() {  # NAME BYTES; sets $proxy
  start "$1" "$bin/chopping-proxy" "$work/$1.port" "$controller_address" "$2"
  wait_for 10 "the proxy $1" test -s "$work/$1.port"
  proxy=127.0.0.1:$(cat "$work/$1.port")
}
resets() { grep -c reset "$work/$1.log" || true; }

# What a RUN prints between its marks, out of a log.
# What the client says of its connection, on stderr, is no part of the log.
between_marks() { grep -vE '^(lost the connection|connected to the controller again)' "$1" | awk '/^BEGIN-LOG$/ {on = 1; next} /^END-LOG$/ {on = 0} on'; }
expect_lines() {  # LOG LAST_NUMBER
  expect_equal "sha256 of the lines in $(basename "$1")" "$(seq 1 "$2" | sha256sum)" \
    "$(between_marks "$1" | sha256sum)"
}
printing_context() {  # DIR LAST_NUMBER
  waiting_context "$1" "RUN echo BEGIN-LOG; busybox seq 1 $2; echo END-LOG"
}
follow() { start "$1" "$manyarch" --controller "$2" logs -f "$job"; }
follower_is_done() { gone "${pids[$1]}"; }

log "connections that are reset every 150,000 bytes"
start_proxy worker-proxy 150000
direct=$controller_address
controller_address=$proxy start_worker one
start_proxy client-proxy 150000
wait_for 60 "the worker to join" worker_is_connected one
printing_context "$work/context" 300000
submit -t "$registry/demo/log:1" --platform linux/amd64 --build-arg "BASE=$base" "$work/context"
wait_for 90 "the build to run" sleeping 1
follow chopped "$proxy"
release
wait_for 90 "the job to succeed" job_is succeeded
wait_for 60 "the follower to end" follower_is_done chopped
unset "pids[chopped]"
run "$manyarch" logs "$job"
expect_code 0
expect_lines "$out" 300000
expect_lines "$work/chopped.log" 300000
log "after $(resets worker-proxy) resets at the worker and $(resets client-proxy) at the client"
[ "$(resets worker-proxy)" -ge 8 ] || fail "the worker's connection was reset too seldom to show anything"
[ "$(resets client-proxy)" -ge 8 ] || fail "the client's connection was reset too seldom to show anything"
stop one
stop worker-proxy
stop client-proxy

log "a reader that stands still"
rss() { awk '/^VmRSS/ {print $2}' "/proc/${pids[controller]}/status"; }
start_worker two
wait_for 60 "the worker to join" worker_is_connected two
unique=${unique}1  # Else the layers would be taken from the cache.
printing_context "$work/context" 3000000
submit -t "$registry/demo/log:2" --platform linux/amd64 --build-arg "BASE=$base" "$work/context"
wait_for 90 "the build to run" sleeping 1
follow still "$direct"
follow moving "$direct"
wait_for 20 "the readers to read" grep -q "waiting on" "$work/still.log"
still=${pids[still]}
trap 'code=$?; kill -CONT "$still" 2>/dev/null || true; finish $code' EXIT
kill -STOP "$still"
before=$(rss)
release
wait_for 120 "the job to succeed" job_is succeeded
wait_for 60 "the reader that moves to end" follower_is_done moving
unset "pids[moving]"
expect_lines "$work/moving.log" 3000000
grown=$(($(rss) - before))
log "the controller has grown by $grown KiB for a log of $(($(stat -c %s "$work/moving.log") / 1024)) KiB"
[ "$grown" -lt 16384 ] || fail "the controller has grown by $grown KiB for a reader that stands still"
kill -CONT "${pids[still]}"
wait_for 60 "the reader that stood still to end" follower_is_done still
unset "pids[still]"
expect_lines "$work/still.log" 3000000
stop two

log "a spool that overflows while the controller is away"
start_worker three --log-spool-limit 200000
wait_for 60 "the worker to join" worker_is_connected three
unique=${unique}1
printing_context "$work/context" 300000
submit -t "$registry/demo/log:3" --platform linux/amd64 --build-arg "BASE=$base" "$work/context"
wait_for 90 "the build to run" sleeping 1
kill_hard controller
release
wait_for 90 "the build to end" grep -q "pushed $registry/demo/log" "$work/three.log"
start_controller --heartbeat 1s --suspect-after 5s --lost-after 60s
wait_for 60 "the job to succeed" job_is succeeded
run "$manyarch" logs "$job"
expect_code 0
expect_equal "gap marks in the log" 1 "$(grep -c "bytes of output are missing here" "$out")"
missing=$(sed -nE 's/^.*manyarch: ([0-9]+) bytes of output are missing here.*$/\1/p' "$out")
# The mark begins with a line end of its own, and may stand in the middle of a number.
between_marks "$out" | sed '/bytes of output are missing here/,$d' | head -c -1 >"$work/kept"
kept=$(stat -c %s "$work/kept")
whole=$(seq 1 300000 | wc -c)
cmp "$work/kept" <(seq 1 300000 | head -c "$kept") || fail "what is before the gap is not what was printed"
# After the numbers, buildah prints some lines more.
rest=$((kept + missing - whole))
log "kept $kept of $whole bytes; $missing are said to be missing, $rest of them after the numbers"
[ "$rest" -ge 0 ] && [ "$rest" -lt 5000 ] || fail "the gap's number cannot be right"
