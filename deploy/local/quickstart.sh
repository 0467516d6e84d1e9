#!/usr/bin/env bash
# From a fresh Debian 12 to a farm on this machine that builds for amd64 and arm64: installs packages,
# enables qemu, compiles manyarch, starts a farm and builds examples/hello with it.
#
#   deploy/local/quickstart.sh             safe to run again: it does what is not done yet, and
#                                          restarts the farm only when the programs have changed
#   deploy/local/quickstart.sh --stop      stops the farm; its jobs and images are kept
#   deploy/local/quickstart.sh --status    says whether a farm runs
#
# Run as root, or as a user who may use sudo.
#
#   MANYARCH_PORT            the controller's port on loopback, default 7460
#   MANYARCH_REGISTRY_PORT   the registry's, default 5000
#   MANYARCH_LOCAL_STATE     the farm's directory, default /var/lib/manyarch/dev
set -euo pipefail
cd "$(dirname "$0")/../.."

port=${MANYARCH_PORT:-7460}
registry_port=${MANYARCH_REGISTRY_PORT:-5000}
state=${MANYARCH_LOCAL_STATE:-/var/lib/manyarch/dev}
controller=127.0.0.1:$port
registry=127.0.0.1:$registry_port
bin=$PWD/build/release/bin
image=$registry/demo/hello:1.0
log=$(mktemp "${TMPDIR:-/tmp}/manyarch-quickstart.XXXXXX")
trap 'rm -f "$log"' EXIT

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "This needs root: run it as root, or install sudo." >&2
    exit 1
  fi
}

say() { printf '%s\n' "$*"; }
give_up() {
  say "$*" >&2
  exit 1
}

# One line for a step: what it is, then how it went and how long it took. Its output is shown only
# when it fails.
step() {  # WHAT COMMAND...
  local what=$1 from=$SECONDS
  shift
  printf '%-31s' "$what"
  local code=0
  # In a subshell of its own: in a condition, `set -e` would not hold within the command.
  set +e
  (set -e; "$@") >"$log" 2>&1
  code=$?
  set -e
  if [ $code = 0 ]; then
    local result
    result=$(tail -n1 "$log" | sed -n "s/^# //p")
    printf "%s (%d s)\n" "${result:-ready}" $((SECONDS - from))
  else
    printf 'failed\n\n'
    tail -n 40 "$log" >&2
    give_up "
$what failed. The lines above say why; what is done so far stays, so just run this again."
  fi
}

# --- The farm ---------------------------------------------------------------------------------------

farm_pid() {
  local pid
  pid=$(as_root cat "$state/farm.pid" 2>/dev/null) || return 1
  # A pid may have been given to somebody else since.
  as_root readlink "/proc/$pid/exe" 2>/dev/null | grep -q '/manyarch\( (deleted)\)\?$' || return 1
  echo "$pid"
}

stop_farm() {
  local pid
  pid=$(farm_pid) || return 0
  as_root kill -TERM "$pid"
  for _ in $(seq 600); do
    [ -e "/proc/$pid" ] || return 0
    sleep 0.1
  done
  give_up "The farm (pid $pid) has not stopped for a minute; $state/farm.log may say why."
}

# Whether the running programs are the ones that were just built.
farm_is_current() {
  local pid
  pid=$(farm_pid) || return 1
  [ "$(as_root readlink "/proc/$pid/exe")" = "$bin/manyarch" ] &&
    as_root test "$state/farm.pid" -nt "$bin/manyarch" &&
    as_root test "$state/farm.pid" -nt "$bin/manyarch-controller" &&
    as_root test "$state/farm.pid" -nt "$bin/manyarch-worker"
}

farm_is_ready() {
  MANYARCH_CONTROLLER=$controller "$bin/manyarch" workers --format json 2>/dev/null |
    grep -q WORKER_STATE_CONNECTED && curl -fs -o /dev/null "http://$registry/v2/"
}

port_is_free() {
  local owner
  owner=$(as_root ss -Hltnp "sport = :$1" | grep -o 'users:.*' || true)
  [ -z "$(as_root ss -Hltn "sport = :$1")" ] || {
    say "Port $1 is taken${owner:+ by $owner}. Stop that, or choose another port: $2=PORT $0"
    return 1
  }
}

start_farm() {
  if farm_is_current && farm_is_ready; then
    say "# already running"
    return
  fi
  stop_farm
  port_is_free "$port" MANYARCH_PORT
  # A registry that is there already is used; anything else in its place is in the way.
  curl -fs -o /dev/null "http://$registry/v2/" || port_is_free "$registry_port" MANYARCH_REGISTRY_PORT
  as_root mkdir -p "$state"
  # setsid: the farm outlives this terminal, and Ctrl-C here is not meant for it.
  as_root setsid --fork bash -c 'echo $$ >"$1/farm.pid"; log=$1/farm.log; shift
    exec "$@" >>"$log" 2>&1 </dev/null' - "$state" \
    "$bin/manyarch" dev --state-dir "$state" --port "$port" --registry-port "$registry_port"
  for _ in $(seq 600); do
    if farm_is_ready; then
      say "# listening on $controller, registry on $registry"
      return
    fi
    sleep 0.1
    farm_pid >/dev/null || break
  done
  as_root tail -n 20 "$state/farm.log"
  say "The farm did not come up; its log is $state/farm.log"
  return 1
}

case ${1:-} in
  '') ;;
  --stop)
    if farm_pid >/dev/null; then
      stop_farm
      say "The farm is stopped. Its jobs and images are in $state; $0 starts it again."
    else
      say "No farm is running here."
    fi
    exit
    ;;
  --status)
    if pid=$(farm_pid); then
      say "The farm runs (pid $pid): controller $controller, registry $registry, log $state/farm.log"
    else
      say "No farm is running here."
    fi
    exit
    ;;
  *)
    sed -n '2,15s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

# --- The way from here to there ---------------------------------------------------------------------

compile() {
  local launcher=()
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  fi
  cmake --preset release "${launcher[@]}"
  cmake --build build/release --target manyarch manyarch-controller manyarch-worker
  say "# programs are in build/release/bin"
}

base_image() {
  as_root env XDG_CACHE_HOME="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}" deploy/local/base-image.sh "$registry"
  say "# $registry/manyarch/base:bookworm"
}

if ! grep -qsE '^ID(_LIKE)?=.*debian' /etc/os-release || ! command -v apt-get >/dev/null; then
  give_up "This is made for Debian 12. Elsewhere, install what deploy/local/packages.sh lists and follow README.md."
fi

say "manyarch on this machine: a first run takes some minutes, later ones seconds."
step "Packages" deploy/local/packages.sh build run
step "qemu for other architectures" deploy/local/binfmt.sh aarch64
step "Compiling manyarch" compile
step "Starting a farm" start_farm
step "Base image of the example" base_image

say "
Building examples/hello for linux/amd64 and linux/arm64:
"
export MANYARCH_CONTROLLER=$controller
"$bin/manyarch" build -t "$image" --platform linux/amd64,linux/arm64 \
  --build-arg "BASE=$registry/manyarch/base:bookworm" examples/hello

say "
What is in the registry now under $image:
"
skopeo inspect --raw --tls-verify=false "docker://$image" | jq .

relative=build/release/bin/manyarch
environment=
[ "$port" = 7460 ] || environment="MANYARCH_CONTROLLER=$controller "
base=
[ "$registry_port" = 5000 ] || base=" --build-arg BASE=$registry/manyarch/base:bookworm"
say "
The farm goes on running. What to try next:

  Who builds here, and what they can; what was built:
    $environment$relative workers
    $environment$relative jobs
  A change of your own: edit examples/hello/hello.c, then
    $environment$relative build -t $registry/demo/hello:1.1 --platform linux/amd64,linux/arm64$base examples/hello
  The end (jobs and images are kept for the next start):
    deploy/local/quickstart.sh --stop

Two machines instead of emulation: README.md."
