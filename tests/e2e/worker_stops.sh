#!/usr/bin/env bash
# SIGTERM to a worker drains it: it finishes what it has. A second SIGTERM hands its builds back: they
# run elsewhere, and that does not count against their attempts.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image
waiting_context "$work/context"
args=(--platform linux/amd64 --build-arg "BASE=$base" "$work/context")

log "one SIGTERM: the build is finished first"
submit -t "$registry/demo/app:1.0" "${args[@]}"
wait_for 90 "the build to run" sleeping 1
pid=${pids[one]}
kill -TERM "$pid"
wait_for 20 "the worker to say that it drains" worker_is_draining one
sleeping 1 || fail "the build was ended by the first SIGTERM"
release
wait_for 60 "the job to succeed" job_is succeeded
wait_for 30 "the worker to stop" gone "$pid"
rc=0
wait "$pid" || rc=$?
unset "pids[one]"
expect_equal "exit code of the drained worker" 0 "$rc"

log "two: it is handed back and runs on another worker"
start_worker one
wait_for 60 "worker one to be back" worker_is_connected one
unique=${unique}1  # Else the first build's layer would be taken from the cache.
waiting_context "$work/context"
submit -t "$registry/demo/app:2.0" "${args[@]}"
wait_for 90 "the build to run" sleeping 1
start_worker two
wait_for 60 "worker two to join" worker_is_connected two
pid=${pids[one]}
kill -TERM "$pid"
wait_for 20 "the worker to say that it drains" worker_is_draining one
kill -TERM "$pid"
wait_for 60 "the build to run on the other worker" runs_on two
wait_for 30 "the worker to stop" gone "$pid"
unset "pids[one]"
release
wait_for 60 "the job to succeed" job_is succeeded
expect_equal "attempts that count" 1 "$(attempts | jq -r 'select(.counts) | .number' | wc -l)"
