#!/usr/bin/env bash
# A platform that no worker offers: the job waits with a reason that names the workers and what they
# do offer, goes on when one joins that does, and otherwise ends after --unschedulable-after.
. "$(dirname "$0")/farm.sh"
begin
start_registry
start_controller
start_worker one --platforms linux/amd64
wait_for 60 "the worker to join" worker_is_connected one

mkdir "$work/context"
printf 'FROM scratch\nCOPY Containerfile /\n' >"$work/context/Containerfile"
run "$manyarch" build -t "$registry/demo/app:1.0" --platform linux/amd64,linux/s390x \
  --unschedulable-after 2s "$work/context"
expect_code 3
expect_err 'linux/s390x' 'one' 'linux/amd64'
job=$(newest_job)
expect_equal "state of the job" failed "$(job_state)"
expect_equal "class of the failure" unschedulable "$(build linux/s390x | jq -r '.failure.class' | normal)"
expect_equal "attempts on s390x" 0 "$(attempts | jq -r 'select(.platform == "linux/s390x") | .number' | wc -l)"
no_tag "$registry/demo/app:1.0" || fail "the tag was written"

log "while it waits, show says why, and a worker that joins ends the wait"
submit -t "$registry/demo/app:2.0" --platform linux/arm64 "$work/context"
wait_for 10 "the reason" has_reason
reason=$(build linux/arm64 | jq -r .waiting_reason)
[[ $reason = *one* && $reason = *linux/amd64* ]] || fail "the reason names neither worker nor platforms: $reason"
run "$manyarch" show "$job"
grep -qF one "$out" || { show_output; fail "show does not give the reason"; }
start_worker two --platforms linux/arm64
wait_for 90 "the job to succeed on the new worker" job_is succeeded
expect_equal "worker" two "$(attempts | jq -r .worker)"
