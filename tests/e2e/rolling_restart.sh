#!/usr/bin/env bash
# Every worker is drained and started again, one after the other, and the controller too, while jobs
# flow: none fails, and no attempt is lost.
. "$(dirname "$0")/farm.sh"
begin
workers_of_this=(one two three)
start_registry
start_controller --heartbeat 1s --suspect-after 5s --lost-after 30s
for name in "${workers_of_this[@]}"; do start_worker "$name"; done
for name in "${workers_of_this[@]}"; do
  wait_for 60 "worker $name to join" worker_is_connected "$name"
done
base_image
mkdir "$work/context"
cat >"$work/context/Containerfile" <<'END'
ARG BASE
FROM ${BASE}
ARG NUMBER
RUN echo "job $NUMBER"; sleep 0.3
END

# Builds one job after the other until told to stop. Only what was not submitted is submitted again.
client() {  # NAME
  local number=0
  while [ ! -e "$work/enough" ]; do
    number=$((number + 1))
    until timeout 120 "$manyarch" build -q -t "$registry/demo/$1:$number" --platform linux/amd64 \
      --build-arg "BASE=$base" --build-arg "NUMBER=$1-$number" "$work/context" 2>"$work/$1.err"; do
      if grep -qE "cannot reach the controller|ended the call" "$work/$1.err"; then
        sleep 0.2
        continue
      fi
      echo "$1's job $number: $(cat "$work/$1.err")" >>"$work/failures"
      return 1
    done
    echo "$number" >"$work/$1.count"
  done
}
count() { cat "$work"/client-*.count 2>/dev/null | awk '{sum += $1} END {print sum + 0}'; }
more_than() { [ "$(count)" -gt "$1" ]; }
all_gone() { ! kill -0 "${clients[@]}" 2>/dev/null; }

clients=()
for name in client-a client-b client-c; do
  client "$name" >"$work/$name.log" &
  clients+=($!)
done
trap 'code=$?; touch "$work/enough"; kill "${clients[@]}" 2>/dev/null || true; finish $code' EXIT
wait_for 60 "jobs to flow" more_than 3

for name in "${workers_of_this[@]}"; do
  before=$(count)
  stop "$name" || fail "$name did not stop"
  start_worker "$name"
  wait_for 60 "worker $name to be back" worker_is_connected "$name"
  wait_for 60 "jobs to go on flowing" more_than "$before"
  log "$name was restarted; $(count) jobs are done"
done
for round in 1 2; do
  before=$(count)
  stop controller || fail "the controller did not stop"
  start_controller --heartbeat 1s --suspect-after 5s --lost-after 30s
  wait_for 60 "jobs to go on flowing" more_than $((before + 3))
  log "the controller was restarted ($round); $(count) jobs are done"
done

touch "$work/enough"
wait_for 120 "the clients to end" all_gone
[ ! -e "$work/failures" ] || { cat "$work/failures"; fail "a job failed"; }
"$manyarch" jobs --format json --limit 1000 >"$work/jobs.json" || "$manyarch" jobs --format json >"$work/jobs.json"
expect_equal "states of all jobs" succeeded "$(jq -r '.jobs[].state' "$work/jobs.json" | normal | sort -u)"
expect_equal "attempts that counted and came to nothing" 0 \
  "$(jq '[.jobs[].builds[].attempts[]? | select(.counts and (.state != "ATTEMPT_STATE_SUCCEEDED"))] | length' "$work/jobs.json")"
[ "$(jq '.jobs | length' "$work/jobs.json")" -ge "$(count)" ] || [ "$(count)" -gt 50 ] ||
  fail "jobs are missing from the listing"
log "$(count) jobs, $(jq '[.jobs[].builds[].attempts[]? | select(.counts | not)] | length' "$work/jobs.json") attempts handed on without counting"
