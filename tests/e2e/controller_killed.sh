#!/usr/bin/env bash
# kill -9 of the controller while both builds run, then a new start: the builds go on, are not
# started again, and the job succeeds. The client that watches holds out.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image
waiting_context "$work/context"

start build "$manyarch" build -t "$registry/demo/app:1.0" --platform linux/amd64,linux/arm64 \
  --build-arg "BASE=$base" "$work/context"
wait_for 90 "both builds to run" sleeping 2
job=$(newest_job)
before=$(pgrep -f "sleep $unique\$" | sort)
ids=$(attempts | jq -r .id | sort)

kill_hard controller
log "the controller is dead; the builds are not"
expect_equal "builds' processes" "$before" "$(pgrep -f "sleep $unique\$" | sort)"
run "$manyarch" jobs
expect_code 3
expect_err "$controller_address"

start_controller
wait_for 30 "the worker to be back" worker_is_connected one
release
rc=0
wait "${pids[build]}" || rc=$?
unset "pids[build]"
out=$work/build.log err=/dev/null
expect_code 0
expect_true_list "$registry/demo/app:1.0" linux/amd64 linux/arm64
expect_equal "state" succeeded "$(job_state)"
expect_equal "attempt numbers" "1 1" "$(attempts | jq -r .number | xargs)"
expect_equal "attempt ids" "$ids" "$(attempts | jq -r .id | sort)"

log "its logs are whole: each line once"
run "$manyarch" logs "$job"
expect_code 0
for arch in amd64 arm64; do
  expect_equal "'waiting on $arch' in the log" 1 "$(grep -c "waiting on $arch\$" "$out")"
  expect_equal "'went on, on $arch' in the log" 1 "$(grep -c "went on, on $arch\$" "$out")"
done
