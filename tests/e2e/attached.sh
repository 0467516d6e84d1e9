#!/usr/bin/env bash
# `build` that stays with its job, in plain output: over a kill -9 of the controller, over a connection
# that is cut for a while, and over one that is reset again and again, it comes back by itself, shows
# every line once, and ends with the job's exit status. So does `attach`.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image

lines=20000  # Printed before the outage, and again during it.
attach_build() {  # NAME ADDRESS
  unique=${unique}1  # Else the layers would be taken from the cache.
  mkdir -p "$work/$1"
  cat >"$work/$1/Containerfile" <<END
ARG BASE
FROM \${BASE}
RUN exec 2>/dev/null; : $unique; busybox seq 1 $lines; /bin/sleep $unique || true; busybox seq $((lines + 1)) $((2 * lines))
END
  start "$1" "$manyarch" build --controller "$2" --progress plain -t "$registry/demo/$1:1" \
    --platform linux/amd64,linux/arm64 --build-arg "BASE=$base" "$work/$1"
  wait_for 120 "both builds of $1 to run" sleeping 2
  wait_for 30 "$1 to have shown the first lines" shown "$1" 2
}
shown() { [ "$(grep -c "\] $lines\$" "$work/$1.log")" = "$2" ]; }
follower_ended() { gone "${pids[$1]}"; }
expect_end() {  # NAME: status 0, and of each platform every line once, in order
  local arch rc=0
  wait_for 120 "$1 to end" follower_ended "$1"
  wait "${pids[$1]}" || rc=$?
  unset "pids[$1]"
  expect_equal "exit status of $1" 0 "$rc"
  for arch in amd64 arm64; do
    cmp <(seq 1 $((2 * lines))) <(sed -nE "s,^\[linux/$arch one\] ([0-9]+)\$,\1,p" "$work/$1.log") ||
      fail "what $1 showed of $arch is not what was printed"
  done
}

log "the controller is killed during an attached build, which prints on meanwhile"
attach_build killed "$controller_address"
job=$(newest_job)
start joined "$manyarch" attach --progress plain "$job"
wait_for 30 "the second client to have caught up" shown joined 2
kill_hard controller
release
wait_for 60 "the clients to notice" grep -q "lost the connection" "$work/killed.log"
start_controller
expect_end killed
expect_end joined
expect_true_list "$registry/demo/killed:1" linux/amd64 linux/arm64
expect_equal "attempt numbers" "1 1" "$(attempts | jq -r .number | xargs)"

log "a connection that is cut for a while; controller and worker go on"
start proxy "$bin/chopping-proxy" "$work/proxy.port" "$controller_address" 1000000000
wait_for 10 "the proxy" test -s "$work/proxy.port"
port=$(cat "$work/proxy.port")
attach_build cut "127.0.0.1:$port"
job=$(newest_job)
kill_hard proxy
release
wait_for 90 "the job to succeed without its client" job_is succeeded
start proxy "$bin/chopping-proxy" "$work/proxy.port" "$controller_address" 1000000000 "$port"
expect_end cut
stop proxy

log "a connection that is reset every 100,000 bytes"
start chopper "$bin/chopping-proxy" "$work/chopper.port" "$controller_address" 100000
wait_for 10 "the proxy" test -s "$work/chopper.port"
attach_build chopped "127.0.0.1:$(cat "$work/chopper.port")"
release
expect_end chopped
resets=$(grep -c reset "$work/chopper.log")
log "after $resets resets"
[ "$resets" -ge 3 ] || fail "the connection was reset too seldom to show anything"
