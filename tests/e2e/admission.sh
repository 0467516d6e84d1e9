#!/usr/bin/env bash
# Cordon, drain, uncordon: who gets what, and what is said about it; and the offline check of what is left.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image
waiting_context "$work/context"
args=(--platform linux/amd64 --build-arg "BASE=$base" "$work/context")

log "a cordoned worker takes nothing new, and waiting builds say why"
run "$manyarch" workers cordon one --reason "new disk"
expect_code 0
submit -t "$registry/demo/app:1.0" "${args[@]}"
wait_for 20 "a reason" has_reason
job_json | jq -r '.builds[].waiting_reason' | grep -qF "one is cordoned (new disk)" || fail "the reason is not told"
run "$manyarch" workers
grep -q "cordoned" "$out" || { show_output; fail "workers does not show that it is cordoned"; }

log "uncordoned, it takes what waits"
run "$manyarch" workers uncordon one --reason "it is in"
expect_code 0
grep -qF "worker one: now schedulable: it is in" "$work/controller.log" || fail "the controller's log has no reason"
wait_for 90 "the build to run" sleeping 1

log "drain waits until nothing runs there"
"$manyarch" workers drain one --reason "reboot" >"$work/drain.out" 2>"$work/drain.err" &
drain=$!
wait_for 20 "drain to say what it waits for" grep -q "still runs 1 build" "$work/drain.err"
kill -0 "$drain" || fail "drain did not wait"
release
wait_for 60 "the job to succeed" job_is succeeded
rc=0
wait "$drain" || rc=$?
expect_equal "exit code of drain" 0 "$rc"
grep -q "drained" "$work/drain.out" || fail "drain does not say that it is done"

log "a worker that is not there is named"
run "$manyarch" workers cordon nobody
expect_code 2
expect_err "there is no worker 'nobody'"

log "a stopped controller's state can be checked"
run "${manyarch}-controller" check --state-dir "$work/controller"
expect_code 1
expect_err "another manyarch-controller uses"
stop controller
run "${manyarch}-controller" check --state-dir "$work/controller"
expect_code 0
grep -q "everything is whole" "$out" || { show_output; fail "check does not say that all is whole"; }
