#!/usr/bin/env bash
# `manyarch dev`: a whole farm with one command and nothing to configure, ended by Ctrl-C.
. "$(dirname "$0")/farm.sh"
begin
registry=127.0.0.1:$(free_port)
controller_address=127.0.0.1:$(free_port)
export MANYARCH_CONTROLLER=$controller_address
start dev "$manyarch" dev --state-dir "$work/dev" \
  --port "${controller_address##*:}" --registry-port "${registry##*:}"
wait_for 90 "the farm to be ready" worker_count 1
grep -qF "$controller_address" "$work/dev.log" || fail "it does not say where the controller is"
grep -qF "$registry" "$work/dev.log" || fail "it does not say where the registry is"

mkdir "$work/context"
printf 'FROM scratch\nCOPY Containerfile /\n' >"$work/context/Containerfile"
run "$manyarch" build -t "$registry/demo/app:1.0" --platform linux/amd64,linux/arm64 "$work/context"
expect_code 0
expect_true_list "$registry/demo/app:1.0" linux/amd64 linux/arm64

log "Ctrl-C stops all of it"
kill -INT "${pids[dev]}"
rc=0
wait "${pids[dev]}" || rc=$?
unset "pids[dev]"
[[ $rc = 0 || $rc = 130 ]] || fail "exit code $rc after Ctrl-C"
wait_for 10 "every process to be gone" no_traces
[ -z "$(ss -Hltn "sport = :${registry#*:}")" ] || fail "the registry still listens"

log "a second start finds the first one's jobs and images"
start dev "$manyarch" dev --state-dir "$work/dev" \
  --port "${controller_address##*:}" --registry-port "${registry##*:}"
wait_for 90 "the farm to be ready again" worker_count 1
job=$(newest_job)
expect_equal "state of the job" succeeded "$(job_state)"
expect_true_list "$registry/demo/app:1.0" linux/amd64 linux/arm64
