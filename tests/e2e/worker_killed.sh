#!/usr/bin/env bash
# kill -9 of a worker in mid-build while a second one is there: the build dies with its worker, runs
# again on the other one, and the job succeeds. What the dead worker left is gone after its next start.
. "$(dirname "$0")/farm.sh"
begin
start_registry
start_controller --heartbeat 1 --suspect-after 2 --lost-after 4
start_worker one --platforms linux/amd64,linux/arm64
start_worker two --platforms linux/amd64,linux/arm64
wait_for 60 "worker one to join" worker_is_connected one
wait_for 60 "worker two to join" worker_is_connected two
base_image
waiting_context "$work/context"

submit -t "$registry/demo/app:1.0" --platform linux/arm64 --build-arg "BASE=$base" "$work/context"
wait_for 90 "the build to run" sleeping 1
victim=$(attempts | jq -r .worker)
other=$([ "$victim" = one ] && echo two || echo one)
kill_hard "$victim"
wait_for 10 "the build to die with its worker" sleeping 0
pgrep -af -- "$work/$victim" && fail "processes of the killed worker are left"

wait_for 60 "the build to run on the other worker" sleeping 1
expect_equal "workers of the attempts" "$victim $other" "$(attempts | jq -r .worker | xargs)"
expect_equal "state of the first attempt" lost "$(attempts | head -n1 | jq -r .state | normal)"
release
wait_for 90 "the job to succeed" job_is succeeded
expect_true_list "$registry/demo/app:1.0" linux/arm64
expect_equal "state of the last attempt" succeeded "$(attempts | tail -n1 | jq -r .state | normal)"

log "the killed worker's next start cleans up"
start_worker "$victim" --platforms linux/amd64,linux/arm64
wait_for 60 "worker $victim to be back" worker_is_connected "$victim"
wait_for 30 "its mounts to be gone" no_mounts "$work/$victim"
left=$(find "$work/$victim" -path '*/attempts/*' -o -name 'auth*.json' | head)
expect_equal "files of the dead attempt" "" "$left"
