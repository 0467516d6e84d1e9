#!/usr/bin/env bash
# A power cut, as far as processes can tell: kill -9 of controller and worker in mid-build. After both
# have started again the build runs once more and the job succeeds; nobody had to do anything.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image
waiting_context "$work/context"

submit -t "$registry/demo/app:1.0" --platform linux/amd64,linux/arm64 --build-arg "BASE=$base" "$work/context"
wait_for 90 "both builds to run" sleeping 2
kill_hard controller
kill_hard one
wait_for 10 "the builds to die with their worker" sleeping 0

start_controller
start_worker one --slots 2
wait_for 60 "the worker to be back" worker_is_connected one
wait_for 60 "both builds to run again" sleeping 2
expect_equal "attempts" "1 2 1 2" "$(attempts | jq -r .number | xargs)"
release
wait_for 90 "the job to succeed" job_is succeeded
expect_true_list "$registry/demo/app:1.0" linux/amd64 linux/arm64
wait_for 20 "what the dead attempts left to be gone" no_mounts "$work/one"
