#!/usr/bin/env bash
# A machine learns a platform while its worker runs: SIGHUP makes the worker look again, and a job
# that waited for just that is built. The worker's doctor tells the same from outside.
. "$(dirname "$0")/farm.sh"
emulator=/proc/sys/fs/binfmt_misc/qemu-riscv64
was_enabled=no
grep -qsx enabled $emulator && was_enabled=yes
restore() { [ "$was_enabled" = yes ] || update-binfmts --disable qemu-riscv64 >/dev/null 2>&1 || true; }
begin
trap 'code=$?; restore; finish $code' EXIT
[ "$was_enabled" = no ] || update-binfmts --disable qemu-riscv64

start_farm
mkdir "$work/context"
printf 'FROM scratch\nCOPY Containerfile /\n' >"$work/context/Containerfile"

log "the doctor says what is there and what is missing"
run "$bin/manyarch-worker" doctor --controller "$controller_address" --state-dir "$work/one"
expect_code 0
for pattern in 'ok +linux/amd64 +native' 'no +linux/riscv64 +running a linux/riscv64 program' 'ok +controller' 'ok +buildah'; do
  grep -qE "$pattern" "$out" || { show_output; fail "the doctor does not say: $pattern"; }
done

log "a job for a platform that nobody offers yet waits"
"$manyarch" build --platform linux/riscv64 -t "$registry/demo/app:1" "$work/context" >"$work/job.out" 2>"$work/job.log" &
build=$!
wait_for 20 "the reason" grep -qE "no worker offers linux/riscv64" "$work/job.log"

log "the platform is enabled, SIGHUP tells the worker"
"$root/deploy/local/binfmt.sh" riscv64
kill -HUP "${pids[one]}"
rc=0
wait $build || rc=$?
expect_equal "exit code of the build" 0 "$rc"
skopeo inspect --tls-verify=false --raw "docker://$registry/demo/app:1" | jq -e '.manifests[0].platform.architecture == "riscv64"' >/dev/null ||
  fail "the list is not for riscv64"

log "without it again, it is no longer offered"
update-binfmts --disable qemu-riscv64
kill -HUP "${pids[one]}"
refused() { "$manyarch" workers show one | grep -q "riscv64.*Exec format error"; }
wait_for 20 "the worker to refuse riscv64" refused
