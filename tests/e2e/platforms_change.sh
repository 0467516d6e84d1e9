#!/usr/bin/env bash
# A machine learns a platform while its worker runs: SIGHUP makes the worker look again, and a job
# that waited for just that is built. It unlearns one while a build of it runs and another waits: the
# worker notices by itself, the farm says why, and both are built once the platform is back. Nothing
# of this disturbs a build of another platform. The worker's doctor tells the same from outside.
. "$(dirname "$0")/farm.sh"
emulator=/proc/sys/fs/binfmt_misc/qemu-riscv64
was_enabled=no
grep -qsx enabled $emulator && was_enabled=yes
restore() {
  if [ "$was_enabled" = yes ]; then
    "$root/deploy/local/binfmt.sh" riscv64 >/dev/null 2>&1 || true
  else
    update-binfmts --disable qemu-riscv64 >/dev/null 2>&1 || true
  fi
}
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

log "a build that nothing is to disturb starts"
base_image
waiting_context "$work/steady"
submit --platform linux/amd64 -t "$registry/demo/steady:1" --build-arg "BASE=$base" "$work/steady"
steady=$job
wait_for 60 "it to run" sleeping 1

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
shown() { "$manyarch" workers show one | grep -qE -- "$1"; }
shown '^Emulated .*linux/riscv64' || fail "workers show does not list riscv64 as emulated"

# Its first stage waits on this machine's own platform, the second runs a program of the other one.
mkdir "$work/other"
"$bin/tiny-program" riscv64 "$work/other/program"
cat >"$work/other/Containerfile" <<END
ARG BASE
FROM --platform=linux/amd64 \${BASE} AS first
RUN /bin/sleep 7$unique || true; touch /waited
FROM scratch
COPY --from=first /waited /
COPY program /
RUN ["/program"]
END
in_first_stage() { pgrep -f "sleep 7$unique\$"; }
let_go() { pkill -TERM -f "sleep 7$unique\$"; }
why_of() { "$manyarch" why "$1" | grep -qE -- "$2"; }

log "one build of it runs, one waits"
submit --platform linux/riscv64 -t "$registry/demo/other:1" --build-arg "BASE=$base" "$work/other"
running=$job
wait_for 60 "it to run" in_first_stage
submit --platform linux/riscv64 -t "$registry/demo/app:2" "$work/context"
waiting=$job
wait_for 20 "the reason" why_of "$waiting" 'waiting for a free slot for linux/riscv64'

log "the platform is gone: the build that runs finds out, and with it the worker"
update-binfmts --disable qemu-riscv64
let_go
gone_because='running a linux/riscv64 program: Exec format error'
wait_for 60 "the worker to refuse riscv64" shown "riscv64.*Exec format error"
for job in "$running" "$waiting"; do
  wait_for 20 "why $job waits" why_of "$job" "$gone_because"
done
expect_equal "attempts of the one that waits" 0 "$(attempts | wc -l)"
"$manyarch" show "$running" | tee "$work/running.txt" | grep -q 'the worker has lost its emulator for this platform' ||
  { cat "$work/running.txt"; fail "show does not say what became of the attempt"; }
job=$steady
sleeping 1 || fail "the build of another platform does not run any more"
expect_equal "attempts of the build of another platform" 1 "$(attempts | wc -l)"

log "it is back, SIGHUP tells the worker: both are built"
"$root/deploy/local/binfmt.sh" riscv64
kill -HUP "${pids[one]}"
ended() { let_go; job=$1 job_is succeeded; }
wait_for 60 "the one that waited" ended "$waiting"
wait_for 60 "the one that ran" ended "$running"
expect_true_list "$registry/demo/other:1" linux/riscv64
release
job=$steady
wait_for 30 "the undisturbed one" job_is succeeded
expect_equal "its attempts" 1 "$(attempts | wc -l)"

log "without it again, it is no longer offered"
update-binfmts --disable qemu-riscv64
kill -HUP "${pids[one]}"
wait_for 20 "the worker to refuse riscv64" shown "riscv64.*Exec format error"
