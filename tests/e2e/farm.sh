# Sourced by the end-to-end tests: a farm of real programs on ports and in a directory of its own,
# the asserts, and the cleaning up. Every test sources this first and calls `begin`.
#
# MANYARCH_BIN is the folder with the programs; ctest sets it.
set -euo pipefail

root=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
bin=${MANYARCH_BIN:-$root/build/dev/bin}
manyarch=$bin/manyarch

declare -A pids=()  # Name of a program that this test runs -> its pid.
controller_address=
registry=

log() { printf '%s  %s\n' "$(date +%T)" "$*"; }

fail() {
  printf 'FAILED: %s\n' "$*"
  exit 1
}

# --- The frame of a test ----------------------------------------------------------------------------

begin() {
  local program
  for program in manyarch manyarch-controller manyarch-worker; do
    [ -x "$bin/$program" ] || fail "$bin/$program is missing; build it first"
  done
  [ "$(id -u)" = 0 ] || fail "the end-to-end tests need root, for buildah and for namespaces"
  work=$(mktemp -d "${TMPDIR:-/tmp}/manyarch-e2e.XXXXXX")
  # In memory where that is possible: removing thousands of files of image stores from a disk that
  # discards takes longer than the test.
  mount -t tmpfs -o size=8g,mode=755 manyarch-e2e "$work" 2>/dev/null || true
  trap 'finish $?' EXIT
  trap 'exit 130' INT TERM
  # A number that no other process has in its arguments: how builds of this test are recognised.
  unique=$((RANDOM * 32768 + RANDOM)).$$
  export XDG_CONFIG_HOME=$work/config
  unset REGISTRY_AUTH_FILE DOCKER_CONFIG MANYARCH_CONFIG MANYARCH_TOKEN_FILE
}

finish() {
  local code=$1 name file
  set +e
  trap - EXIT
  if [ "$code" != 0 ]; then
    for file in "$work"/*.log; do
      [ -s "$file" ] && { echo "--- $(basename "$file")"; tail -n 60 "$file" | cut -c1-300; }
    done
  fi
  for name in "${!pids[@]}"; do stop "$name"; done
  pkill -KILL -f "sleep $unique" 2>/dev/null
  if ! wait_quietly 10 no_traces; then
    [ "$code" = 0 ] && code=1
    echo "FAILED: the farm left these behind:"
    traces
    findmnt -rno TARGET | grep -F "$work/" | sort -r | xargs -r -n1 umount -l
  fi
  umount "$work" 2>/dev/null
  rm -rf "$work"
  [ "$code" = 0 ] && echo "passed"
  exit "$code"
}

# Processes, and mounts, that belong to this test's directory.
traces() {
  pgrep -af -- "$work" | grep -v "^$$ "
  findmnt -rno TARGET | grep -F -- "$work/"
  return 0
}
no_traces() { [ -z "$(traces)" ]; }

wait_quietly() {  # SECONDS COMMAND...
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}

wait_for() {  # SECONDS WHAT COMMAND...
  local seconds=$1 what=$2
  shift 2
  wait_quietly "$seconds" "$@" || fail "waited $seconds s in vain for $what"
}

# --- Programs ---------------------------------------------------------------------------------------

start() {  # NAME COMMAND...: in the background, output to NAME.log
  local name=$1
  shift
  "$@" >>"$work/$name.log" 2>&1 </dev/null &
  pids[$name]=$!
}

stop() {  # NAME: as an administrator would, by SIGTERM
  local pid=${pids[$1]:-}
  [ -n "$pid" ] || return 0
  unset "pids[$1]"
  kill -TERM "$pid" 2>/dev/null || true
  if ! wait_quietly 30 gone "$pid"; then
    echo "FAILED: $1 (pid $pid) did not stop within 30 s of SIGTERM"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    return 1
  fi
  wait "$pid" 2>/dev/null || true
}

kill_hard() {  # NAME: as a crash would
  local pid=${pids[$1]}
  unset "pids[$1]"
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
}

gone() {
  local state
  state=$(ps -o stat= -p "$1") || return 0
  [[ $state = Z* ]]
}

free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)); do
    ss -Hltn "sport = :$port" | grep -q . || { echo "$port"; return; }
  done
}

registry_flags=()  # How the controller is told about the registry.

start_registry() {  # [HTPASSWD_FILE [TLS]]: TLS is the inside of docker-registry's tls settings
  local tls=
  registry=127.0.0.1:$(free_port)
  if [ $# -ge 2 ]; then tls=", tls: {$2}"; fi
  cat >"$work/registry.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "$registry"$tls}
END
  if [ $# -ge 1 ]; then
    echo "auth: {htpasswd: {realm: test, path: $1}}" >>"$work/registry.yml"
  fi
  start registry docker-registry serve "$work/registry.yml"
  # It answers http where it speaks TLS, too: that it wants TLS.
  wait_for 10 "the registry" curl -s -o "$work/ping" "http://$registry/v2/"
  registry_flags=(--plain-http "$registry")
}

start_controller() {  # FLAGS...; again after a crash: same port, same state
  local listen=${controller_address:-127.0.0.1:0}
  rm -f "$work/controller.port"
  start controller "$bin/manyarch-controller" --listen "$listen" --state-dir "$work/controller" \
    --port-file "$work/controller.port" "${registry_flags[@]}" "$@"
  wait_for 20 "the controller to listen" test -s "$work/controller.port"
  controller_address=127.0.0.1:$(cat "$work/controller.port")
  export MANYARCH_CONTROLLER=$controller_address
}

start_worker() {  # NAME FLAGS...
  local name=$1
  shift
  start "$name" "$bin/manyarch-worker" --controller "$controller_address" \
    --state-dir "$work/$name" --name "$name" "$@"
}

# A registry, a controller and one worker that can build two platforms at a time.
start_farm() {
  start_registry
  start_controller
  start_worker one --slots 2
  wait_for 60 "the worker to join" worker_is_connected one
}

base_image() {
  base=$registry/manyarch/base:bookworm
  "$root/deploy/local/base-image.sh" "$registry" >/dev/null
}

# --- Doing and asserting ----------------------------------------------------------------------------

# Runs a command to its end; leaves $rc, and its output in files $out and $err.
run() {
  out=$work/out err=$work/err rc=0
  log "\$ ${*/#"$bin"\//}"
  timeout 300 "$@" >"$out" 2>"$err" </dev/null || rc=$?
}

show_output() {
  echo "--- stdout"; tail -n 60 "$out"
  echo "--- stderr"; tail -n 60 "$err"
}

expect_code() {
  [ "$rc" = "$1" ] || { show_output; fail "exit code $rc where $1 was expected"; }
}

expect_err() {  # EXTENDED_REGEX...: each is found in stderr
  local pattern
  for pattern; do
    grep -qE -- "$pattern" "$err" || { show_output; fail "stderr has nothing like: $pattern"; }
  done
}

expect_equal() {  # WHAT EXPECTED ACTUAL
  [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# A context whose RUN prints "waiting on ARCH" and stays there until `release`.
waiting_context() {  # DIR [EXTRA_RUN]
  mkdir -p "$1"
  cat >"$1/Containerfile" <<END
ARG BASE
FROM \${BASE}
ARG TARGETARCH
RUN echo "waiting on \$TARGETARCH"; /bin/sleep $unique || true; echo "went on, on \$TARGETARCH"
${2:-}
END
}

sleepers() { pgrep -fc "sleep $unique\$" || true; }
sleeping() { [ "$(sleepers)" = "$1" ]; }
release() { pkill -TERM -f "sleep $unique\$"; }

submit() {  # BUILD_ARGS...: submits without waiting; sets $job
  run "$manyarch" build --detach "$@"
  expect_code 0
  job=$(tail -n1 "$out")
  [[ $job =~ ^j[0-9a-z]+$ ]] || { show_output; fail "'$job' is not a job id"; }
}

# The job as JSON, and one value of it.
job_json() { "$manyarch" show --format json "${1:-$job}"; }
job_value() { job_json "$job" | jq -r "$1"; }  # JQ_FILTER

manifest() { skopeo inspect --raw --tls-verify=false "docker://$1"; }
no_tag() { ! skopeo inspect --raw --tls-verify=false "docker://$1" >/dev/null 2>&1; }

# REFERENCE PLATFORM...: a v2s2 list of just these, whose images are what the list says.
expect_true_list() {
  local reference=$1 repository=${1%:*} platform digest child config
  shift
  manifest "$reference" >"$work/list.json" || fail "$reference is not in the registry"
  expect_equal "media type of $reference" \
    application/vnd.docker.distribution.manifest.list.v2+json "$(jq -r .mediaType "$work/list.json")"
  expect_equal "platforms of $reference" "$(printf '%s\n' "$@")" \
    "$(jq -r '.manifests[].platform | .os + "/" + .architecture' "$work/list.json")"
  for platform; do
    digest=$(jq -r --arg p "$platform" '.manifests[] | select(.platform |
      .os + "/" + .architecture == $p) | .digest' "$work/list.json")
    manifest "$repository@$digest" >"$work/child.json"
    expect_equal "digest of the $platform image" "$digest" "sha256:$(sha256sum <"$work/child.json" | cut -d' ' -f1)"
    expect_equal "size of the $platform image" "$(stat -c %s "$work/child.json")" \
      "$(jq -r --arg d "$digest" '.manifests[] | select(.digest == $d) | .size' "$work/list.json")"
    expect_equal "media type of the $platform image" \
      application/vnd.docker.distribution.manifest.v2+json "$(jq -r .mediaType "$work/child.json")"
    config=$(skopeo inspect --config --tls-verify=false "docker://$repository@$digest")
    expect_equal "architecture in the $platform image" "$platform" \
      "$(jq -r '.os + "/" + .architecture' <<<"$config")"
  done
}

# REPOSITORY DIGEST DIR: unpacks an image's layers.
unpack_image() {
  local layer
  skopeo copy -q --src-tls-verify=false "docker://$1@$2" "dir:$3.image"
  mkdir -p "$3"
  for layer in $(jq -r '.layers[].digest' "$3.image/manifest.json"); do
    tar -C "$3" -xzf "$3.image/${layer#sha256:}"
  done
}

# --- What the farm says of itself -------------------------------------------------------------------

# The newest job's id.
newest_job() { "$manyarch" jobs --format json | jq -r ".jobs[0].id"; }
job_count() { "$manyarch" jobs --format json | jq ".jobs | length"; }

# "JOB_STATE_FAILED" and "failed" alike as "failed".
normal() { tr '[:upper:]' '[:lower:]' | sed -E 's/^[a-z_]*_(state|class)_//'; }
job_state() { job_value .state | normal; }
job_is() { [ "$(job_state)" = "$1" ]; }

# One build of $job, by its platform; and all attempts of $job, one JSON object each.
build() {
  job_json | jq --arg p "$1" '.builds[] | select(.platform | .os + "/" + .arch == $p)'
}
attempts() {
  job_json | jq -c '.builds[] | (.platform | .os + "/" + .arch) as $platform | .attempts[]? |
    {platform: $platform, worker: .worker_name, number, id, state, counts}'
}
runs_on() { attempts | jq -e --arg w "$1" 'select(.worker == $w)' >/dev/null && sleeping 1; }
has_reason() { [ -n "$(job_json | jq -r '.builds[].waiting_reason // empty')" ]; }

workers() { "$manyarch" workers --format json | jq -c '.workers[]'; }
worker_count() { [ "$(workers | wc -l)" = "$1" ]; }
worker() { workers | jq --arg n "$1" 'select(.description.name == $n)'; }
worker_is_connected() { [ "$(worker "$1" | jq -r .state | normal)" = connected ]; }
worker_is_draining() { [[ $(worker "$1" | jq -r .admission) = *[Dd][Rr][Aa][Ii][Nn][Ii][Nn][Gg] ]]; }

no_builds() { ! pgrep -f "buildah .*$work" >/dev/null; }
no_mounts() { ! findmnt -rno TARGET | grep -qF -- "$1/"; }

# What a program writes only to rename or remove it, and credentials of attempts.
temporary_files() {  # STATE_DIR...
  find "$@" -regextype posix-extended -path '*/slots/*' -prune -o \( -path '*/incoming/*' \
    -o -path '*/cache/new/*' -o -name 'auth*.json' -o -regex '.*/(worker-id|[^/]+\.(pb|json|conf))\.[A-Za-z0-9]{6}' \) -print
}
