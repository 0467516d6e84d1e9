#!/usr/bin/env bash
# A registry that asks for a password: right ones work and are not left lying about, wrong ones and
# none are refused at submission, with the registry's own words.
. "$(dirname "$0")/farm.sh"
begin
htpasswd -Bbn farm "secret-$unique" >"$work/htpasswd" 2>/dev/null
start_registry "$work/htpasswd"
authfile() { printf '{"auths": {"%s": {"auth": "%s"}}}\n' "$registry" "$(printf '%s' "$1" | base64 -w0)"; }
mkdir "$work/context"
printf 'FROM scratch\nCOPY Containerfile /\n' >"$work/context/Containerfile"
job_args=(-t "$registry/demo/app:1.0" --platform linux/amd64 "$work/context")

for wrong in "farm:wrong" ""; do
  if [ -n "$wrong" ]; then
    authfile "$wrong" >"$work/auth.json"
    start_controller --registry-authfile "$work/auth.json"
  else
    start_controller
  fi
  if [ -z "${pids[one]:-}" ]; then start_worker one; fi
  wait_for 60 "the worker to join" worker_is_connected one
  run "$manyarch" build "${job_args[@]}"
  expect_code 4
  expect_err "$registry" '401|UNAUTHORIZED|authentication required'
  expect_equal "jobs" 0 "$(job_count)"
  if [ -n "$wrong" ]; then
    stop controller
  else
    expect_err "with --authfile"
  fi
done

log "a job may come with its own; the controller still has none"
own=job:own-$unique
htpasswd -Bb "$work/htpasswd" job "own-$unique" 2>/dev/null
authfile "$own" >"$work/own.json"
run "$manyarch" build "${job_args[@]}" --authfile "$work/own.json"
expect_code 0
skopeo inspect --raw --tls-verify=false --creds "$own" "docker://$registry/demo/app:1.0" |
  jq -e '.manifests | length == 1' >/dev/null || fail "the list is not there"
expect_equal "sealed values left" 0 "$(sqlite3 "$work/controller/farm.db" 'SELECT count(*) FROM secrets')"
last=$("$manyarch" jobs --format json | jq -r '.jobs[0].id')
run "$manyarch" retry "$last"
expect_code 4
expect_err "with --authfile"
run "$manyarch" retry "$last" --authfile "$work/own.json"
expect_code 0
stop controller

authfile "farm:secret-$unique" >"$work/auth.json"
start_controller --registry-authfile "$work/auth.json"
wait_for 60 "the worker to be back" worker_is_connected one
run "$manyarch" build "${job_args[@]}"
expect_code 0
skopeo inspect --raw --tls-verify=false --creds "farm:secret-$unique" "docker://$registry/demo/app:1.0" |
  jq -e '.manifests | length == 1' >/dev/null || fail "the list is not there"

log "the password is in no log, no argument and no file of the farm"
stop one
secret=$(printf '%s' "farm:secret-$unique" | base64 -w0)
found=$(grep -rlF -e "secret-$unique" -e "$secret" -e "$own" -e "own-$unique" \
  -e "$(printf '%s' "$own" | base64 -w0)" "$work" --exclude={auth,own}.json --exclude-dir=registry || true)
expect_equal "files with the password" "" "$found"
