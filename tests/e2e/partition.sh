#!/usr/bin/env bash
# A network that swallows packets without a word, between a worker and the controller, each in a
# network namespace of this test. Both sides notice by heartbeat; the worker goes on building, and is
# reconciled when packets pass again: its attempt is the first and only one.
. "$(dirname "$0")/farm.sh"
begin
for tool in ip iptables; do
  command -v $tool >/dev/null || { echo "skipped: there is no $tool here"; exit 77; }
done

near=manyarch-$$-c
far=manyarch-$$-w
trap 'code=$?; drop_nothing; (finish $code) || code=$?; remove_network; exit $code' EXIT
remove_network() {
  ip netns del "$near"
  ip netns del "$far"
} 2>/dev/null
ip netns add "$near"
ip netns add "$far"
ip link add c0 netns "$near" type veth peer name w0 netns "$far"
# Not `ip netns exec`: that mounts another /sys, in which runc misses the cgroups.
in_near=(nsenter "--net=/run/netns/$near")
in_far=(nsenter "--net=/run/netns/$far")
in_near() { "${in_near[@]}" "$@"; }
in_far() { "${in_far[@]}" "$@"; }
in_near ip addr add 10.77.60.1/24 dev c0
in_far ip addr add 10.77.60.2/24 dev w0
in_near ip link set c0 up
in_far ip link set w0 up
in_near ip link set lo up
in_far ip link set lo up

registry=10.77.60.1:5760
controller_address=10.77.60.1:7760
cat >"$work/registry.yml" <<YML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "0.0.0.0:${registry#*:}"}
YML
start registry "${in_near[@]}" docker-registry serve "$work/registry.yml"
wait_for 10 "the registry" in_near curl -s -o "$work/ping" "http://$registry/v2/"
start controller "${in_near[@]}" "$bin/manyarch-controller" --listen "$controller_address" \
  --insecure-listen --state-dir "$work/controller" --port-file "$work/controller.port" --plain-http "$registry"
wait_for 20 "the controller to listen" test -s "$work/controller.port"
export MANYARCH_CONTROLLER=$controller_address
# The client, and skopeo, stand with the controller.
printf '#!/bin/sh\nexec %s %s "$@"\n' "${in_near[*]}" "$manyarch" >"$work/manyarch"
chmod +x "$work/manyarch"
manyarch=$work/manyarch
manifest() { in_near skopeo inspect --raw --tls-verify=false "docker://$1"; }
start one "${in_far[@]}" "$bin/manyarch-worker" --controller "$controller_address" \
  --state-dir "$work/one" --name one --platforms linux/amd64
wait_for 60 "the worker to join" worker_is_connected one

drop() {  # Everything to and from the controller; the registry stays in reach.
  in_far iptables -A INPUT -p tcp --sport 7760 -j DROP
  in_far iptables -A OUTPUT -p tcp --dport 7760 -j DROP
}
drop_nothing() { in_far iptables -F; }
worker_is_suspect() { [ "$(worker one | jq -r .state | normal)" = suspect ]; }
# By its own heartbeat, or because the kernel gives up on what is not acknowledged.
noticed() { grep -qE 'nothing was heard from the controller|waiting for the controller' "$work/one.log"; }
worker_has_pushed() { grep -q 'pushed .*@sha256' "$work/one.log"; }
both_noticed() { worker_is_suspect && noticed; }

in_near "$root/deploy/local/base-image.sh" "127.0.0.1:${registry#*:}" >/dev/null
waiting_context "$work/context"

log "cut off in mid-build"
submit -t "$registry/demo/app:1.0" --platform linux/amd64 \
  --build-arg "BASE=$registry/manyarch/base:bookworm" "$work/context"
wait_for 90 "the build to run" sleeping 1
attempt=$(attempts | jq -r .id)
process=$(pgrep -f "sleep $unique\$")
drop
cut_at=$SECONDS
wait_for 30 "both sides to notice" both_noticed
log "both have noticed after $((SECONDS - cut_at)) s"
expect_equal "the build's process" "$process" "$(pgrep -f "sleep $unique\$")"
drop_nothing
wait_for 30 "the worker to be back" worker_is_connected one
expect_equal "the build's process" "$process" "$(pgrep -f "sleep $unique\$")"
expect_equal "the attempt" "$attempt" "$(attempts | jq -r .id)"

log "cut off again, and the build ends meanwhile"
drop
release
wait_for 60 "the worker to have pushed" worker_has_pushed
expect_equal "the job, as far as the controller knows" running "$(job_state)"
drop_nothing
wait_for 60 "the job to succeed" job_is succeeded
expect_equal "attempts" "$attempt 1" "$(attempts | jq -r '"\(.id) \(.number)"')"
digest=$(build linux/amd64 | jq -r .image.digest)
expect_equal "image in the list" "$digest" "$(manifest "$registry/demo/app:1.0" | jq -r '.manifests[0].digest')"
run "$manyarch" logs "$job"
expect_code 0
expect_equal "'waiting' in the log" 1 "$(grep -c 'waiting on amd64$' "$out")"
expect_equal "'went on' in the log" 1 "$(grep -c 'went on, on amd64$' "$out")"
