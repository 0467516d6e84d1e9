#!/usr/bin/env bash
# Cancelling a job in mid-build: nothing of it is left, and the tag is not written.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image
waiting_context "$work/context"
args=(--platform linux/amd64,linux/arm64 --build-arg "BASE=$base" "$work/context")

submit -t "$registry/demo/app:1.0" "${args[@]}"
wait_for 90 "both builds to run" sleeping 2
run "$manyarch" cancel "$job"
expect_code 0
wait_for 30 "the builds' processes to end" sleeping 0
wait_for 30 "the job to be cancelled" job_is cancelled
wait_for 30 "buildah to be gone" no_builds
no_tag "$registry/demo/app:1.0" || fail "the tag was written"

log "cancelling again is no error; cancelling what never was is one"
run "$manyarch" cancel "$job"
expect_code 0
run "$manyarch" cancel jnosuchjob00
expect_code 2
expect_err jnosuchjob00

log "Ctrl-C in an attached build cancels its job"
start build "$manyarch" build -t "$registry/demo/app:2.0" "${args[@]}"
wait_for 90 "both builds to run" sleeping 2
kill -INT "${pids[build]}"
rc=0
wait "${pids[build]}" || rc=$?
unset "pids[build]"
expect_equal "exit code after Ctrl-C" 130 "$rc"
wait_for 30 "the builds' processes to end" sleeping 0
job=$(newest_job)
wait_for 30 "the job to be cancelled" job_is cancelled
wait_for 30 "buildah to be gone" no_builds

log "the worker is fit for the next job"
mkdir "$work/quick"
printf 'FROM scratch\nCOPY Containerfile /\n' >"$work/quick/Containerfile"
run "$manyarch" build -t "$registry/demo/app:3.0" --platform linux/amd64 "$work/quick"
expect_code 0
