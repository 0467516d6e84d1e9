#!/usr/bin/env bash
# Each failpoint of tests/e2e/failpoints.txt: the program dies there, as in a power cut, and starts
# again. The client that waits for its job sees it succeed, the tags are true, and nothing is left.
#
#   failpoints.sh [NAME[:HIT]...]     all of them by default
. "$(dirname "$0")/farm.sh"
table=$root/tests/e2e/failpoints.txt
orders=("$@")
begin
if ! grep -qa 'publish/before-list' "$bin/manyarch-controller"; then
  echo "skipped: built without MANYARCH_FAILPOINTS"
  exit 77
fi

# Read by the programs whenever they come to a failpoint; removed by the one that dies.
armed=$work/armed
export MANYARCH_FAILPOINT=@$armed
start_registry
start_controller --heartbeat 1 --suspect-after 3 --lost-after 6
start_worker one --slots 2
wait_for 60 "the worker to join" worker_is_connected one
mkdir "$work/context"
printf 'FROM scratch\nCOPY case /\n' >"$work/context/Containerfile"

attempts_are_gone() { [ -z "$(ls -A "$work/one/attempts")" ]; }
containers() {
  find "$work/one/slots" -name containers.json -path '*-containers/*' -exec jq -r '.[].id' {} + 2>/dev/null
}
no_containers() { [ -z "$(containers)" ]; }
died_or_done() { gone "${pids[$program]}" || gone "${pids[build]}"; }

try() {  # PROGRAM NAME HIT TAG: sets $fired
  local name=$2 hit=$3 tag=$registry/demo/app:$4 rc=0
  program=$1
  [ "$program" = worker ] && program=one
  echo "$name:$hit" >"$work/context/case"
  echo "$name:$hit" >"$armed"
  start build "$manyarch" build -t "$tag" -t "$tag-too" --platform linux/amd64,linux/arm64 "$work/context"
  wait_for 60 "$program to die at $name:$hit, or the job to end" died_or_done
  fired=yes
  if gone "${pids[$program]}"; then
    wait "${pids[$program]}" || rc=$?
    expect_equal "exit code of $program" 137 "$rc"
    unset "pids[$program]"
    [ ! -e "$armed" ] || fail "$program died, but not at $name:$hit"
    if [ "$program" = controller ]; then
      start_controller --heartbeat 1 --suspect-after 3 --lost-after 6
    else
      wait_for 10 "its builds to die with it" no_builds
      start_worker one --slots 2
    fi
  else
    # Some steps are taken together, or not at all: the last hits need not happen.
    rm -f "$armed"
    fired=no
    [ "$hit" -gt 1 ] || fail "nothing died at $name"
  fi
  rc=0
  wait "${pids[build]}" || rc=$?
  unset "pids[build]"
  [ "$rc" = 0 ] || fail "$name:$hit: the client ended with code $rc"
  job=$(newest_job)
  expect_equal "state after $name:$hit" succeeded "$(job_state)"
  expect_equal "winners after $name:$hit" 2 "$(job_json |
    jq '[.builds[].attempts[] | select(.state == "ATTEMPT_STATE_SUCCEEDED" or .state == "succeeded")] | length')"
  local digest want
  digest=sha256:$(manifest "$tag" | sha256sum | cut -d' ' -f1)
  want=$(job_value .intent.digest)
  expect_equal "what $tag points to after $name:$hit" "$want" "$digest"
  expect_equal "what $tag-too points to after $name:$hit" "$want" \
    "sha256:$(manifest "$tag-too" | sha256sum | cut -d' ' -f1)"
  expect_equal "what $tag-arm64 points to after $name:$hit" \
    "$(build linux/arm64 | jq -r .image.digest)" \
    "sha256:$(manifest "$tag-arm64" | sha256sum | cut -d' ' -f1)"
  wait_for 30 "what is left of the attempts after $name:$hit to go" attempts_are_gone
  wait_for 30 "working containers after $name:$hit to go" no_containers
  # A worker that has just started clears up with buildah itself.
  wait_for 30 "builds to be gone after $name:$hit" no_builds
  no_mounts "$work/one" || fail "a mount is left after $name:$hit"
}

number=0 died=0
all() {
  local name hits hit
  while read -r program name hits; do
    for ((hit = 1; hit <= hits; ++hit)); do echo "$program $name $hit"; done
  done < <(grep -v '^#' "$table")
}
while read -r program name hit; do
  if [ ${#orders[@]} != 0 ]; then
    [[ " ${orders[*]} " == *" $name "* || " ${orders[*]} " == *" $name:$hit "* ]] || continue
  fi
  number=$((number + 1))
  try "$program" "$name" "$hit" "$((number % 3))" </dev/null
  [ "$fired" = yes ] && died=$((died + 1))
  log "$name:$hit $([ "$fired" = yes ] && echo 'died, recovered' || echo 'was not reached')"
  if [ $((number % 10)) = 1 ]; then
    expect_true_list "$registry/demo/app:$((number % 3))" linux/amd64 linux/arm64
  fi
done < <(all)
log "$died deaths in $number jobs"
[ "$died" -gt 0 ] || fail "nothing died at all"
expect_equal "temporary files" "" "$(temporary_files "$work/controller" "$work/one")"
