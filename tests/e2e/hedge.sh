#!/usr/bin/env bash
# --hedge: what would wait long for a native slot starts emulated, and natively as well once a slot is
# free; the first image wins, and nothing is left of the other attempt. What crashes its emulator goes
# to the native worker, and the farm says why.
#
# The worker that emulates believes that this machine has a 32-bit processor (setarch): it counts
# programs of this machine's own platform as emulated. Its builds can tell where they are by uname.
. "$(dirname "$0")/farm.sh"
[ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine"; exit 77; }
begin
start_registry
start_controller
start_worker native --slots 1 --platforms linux/amd64
start emulating setarch i686 "$bin/manyarch-worker" --controller "$controller_address" \
  --state-dir "$work/emulating" --name emulating --slots 3 --platforms linux/amd64
wait_for 60 "the native worker to join" worker_is_connected native
wait_for 60 "the emulating worker to join" worker_is_connected emulating
base_image
run "$manyarch" workers show emulating
grep -qE '^Emulated +linux/amd64$' "$out" || { show_output; fail "amd64 does not count as emulated"; }

# A RUN that stays where it is, under a number for each way to run it, until it is let go. No job has
# another's layers.
mkdir "$work/both" "$work/crash"
cat >"$work/both/Containerfile" <<END
ARG BASE
FROM \${BASE}
ARG JOB
RUN : "\$JOB"; if [ "\$(uname -m)" = i686 ]; then /bin/sleep 2$unique || true; else /bin/sleep 3$unique || true; fi
END
cat >"$work/crash/Containerfile" <<END
ARG BASE
FROM \${BASE}
RUN if [ "\$(uname -m)" = i686 ]; then echo "qemu: uncaught target signal 11 (Segmentation fault) - core dumped"; exit 139; fi
END
waiting_context "$work/busy"
args=(--platform linux/amd64 --build-arg "BASE=$base")

running() { [ "$(pgrep -fc "sleep $1$unique\$" || true)" = "$2" ]; }  # 2: emulated, 3: natively
let_go() { pkill -TERM -f "sleep $1$unique\$"; }
says() { "$manyarch" "${@:2}" "$job" | grep -qE -- "$1"; }
# Nothing of an attempt is left: no process, no mount, no control group.
nothing_of() {
  ! pgrep -f -- "$1" && ! findmnt -rno TARGET | grep -F -- "$1" && [ -z "$(find /sys/fs/cgroup -name "*$1")" ]
}

log "the native slot is taken, and others wait for it"
busy=()
for n in 1 2 3; do
  submit -t "$registry/demo/busy:$n" --emulation never "${args[@]}" "$work/busy"
  busy+=("$job")
done
wait_for 60 "the native slot to be taken" sleeping 1

log "two jobs that must not wait start emulated"
submit -t "$registry/demo/one:1" --hedge --build-arg JOB=one "${args[@]}" "$work/both"
one=$job
wait_for 60 "the first to run emulated" running 2 1
wait_for 10 "why to say what else it waits for" says 'building on emulating, emulated \(attempt 1\); it starts on a native worker as well, predicted in about' why
submit -t "$registry/demo/two:1" --hedge --build-arg JOB=two "${args[@]}" "$work/both"
two=$job
wait_for 60 "the second to run emulated" running 2 2

log "one that crashes its emulator waits for the native worker, and says why"
submit -t "$registry/demo/crash:1" --hedge "${args[@]}" "$work/crash"
crash=$job
reason='waiting for a free slot for linux/amd64: .*it has crashed the emulator 1 time, so it goes to a native worker'
wait_for 60 "its reason" says "$reason" why
says "$reason" show || fail "show does not say why it waits"
says 'the program crashed under qemu; a native worker would tell' show || fail "show does not say what failed"

log "another of its repository does not try"
submit -t "$registry/demo/crash:2" --hedge "${args[@]}" "$work/crash"
again=$job
wait_for 10 "its reason" says "$reason" why
expect_equal "attempts of the second" 0 "$(attempts | wc -l)"

log "the native slot is free: the first starts there as well, and is sooner there"
for job in "${busy[@]}"; do "$manyarch" cancel "$job" >/dev/null; done
wait_for 60 "the first to run natively" running 3 1
running 2 2 || fail "the emulated attempts do not run any more"
let_go 3
job=$one
wait_for 60 "the first job to end" job_is succeeded
expect_equal "its winner" native "$(attempts | jq -r 'select(.state | test("SUCCEEDED")) | .worker')"
wait_for 30 "the emulated attempt to be gone" nothing_of "$one-amd64-1"
running 2 1 || fail "the second's emulated attempt does not run any more"
says 'stopped: the image of attempt 2 was there first' show || fail "show does not say what came of attempt 1"

log "the second starts there as well, and is sooner emulated"
wait_for 60 "the second to run natively" running 3 1
let_go 2
job=$two
wait_for 60 "the second job to end" job_is succeeded
expect_equal "its winner" emulating "$(attempts | jq -r 'select(.state | test("SUCCEEDED")) | .worker')"
wait_for 30 "the native attempt to be gone" nothing_of "$two-amd64-2"
says 'linux/amd64: succeeded on emulating, emulated' why || fail "why does not say where it succeeded"

log "and what had crashed is built natively"
for job in "$crash" "$again"; do
  wait_for 90 "$job to end" job_is succeeded
  expect_equal "its winner" native "$(attempts | jq -r 'select(.state | test("SUCCEEDED")) | .worker')"
done
wait_for 30 "buildah to be gone" no_builds
for tag in one:1 two:1 crash:1 crash:2; do expect_true_list "$registry/demo/$tag" linux/amd64; done
