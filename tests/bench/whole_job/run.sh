#!/usr/bin/env bash
# What the farm costs: a job for the slowest platform alone, against buildah with the same platform; and
# a job for two platforms, against a script that runs the same two buildah builds in parallel, pushes
# and makes the list. All on this machine, in turns, cold build caches and warm base images; medians.
# Prints a table on stderr and JSON on stdout. Needs what the end-to-end tests need (root, buildah,
# qemu, docker-registry).
#
#   tests/bench/whole_job/run.sh [ROUNDS [LOOPS]]    default 5 rounds; LOOPS is the work in each RUN
#
# MANYARCH_BIN is the folder with the programs.
. "$(dirname "$0")/../../e2e/farm.sh"

rounds=${1:-5}
loops=${2:-60000}
begin
# `begin` and the rest talk on stdout, which is for the JSON here.
exec 3>&1 1>&2
start_farm
base_image
mkdir -p "$work/context" "$work/bare"
cat >"$work/context/Containerfile" <<'END'
ARG BASE
FROM ${BASE}
ARG LOOPS
ARG ROUND
RUN i=0; while [ $i -lt $LOOPS ]; do i=$((i + 1)); done; echo "round $ROUND: $i" >/counted
RUN head -c 4194304 /dev/urandom >/data
END

isolation=(--isolation=chroot)
command -v runc >/dev/null && isolation=(--isolation=oci --runtime=runc)
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf
printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$registry" >"$work/registries.conf"

args() {  # ROUND: build arguments, and no cache from round to round
  printf -- '--build-arg=%s\n' "BASE=$base" "LOOPS=$loops" "ROUND=$1"
}

bare() {  # ARCH ROUND: as a worker does it, with a store of its own for each platform
  local store=("--root=$work/bare/$1/root" "--runroot=$work/bare/$1/runroot" --cgroup-manager=cgroupfs)
  local flags
  mapfile -t flags < <(args "$2")
  buildah "${store[@]}" build "--platform=linux/$1" --format=docker --layers --force-rm "${isolation[@]}" \
    --network=host --pull=true --no-cache "${flags[@]}" --iidfile "$work/bare/$1.iid" "$work/context" &&
    buildah "${store[@]}" push --format=v2s2 "$(cat "$work/bare/$1.iid")" "docker://$registry/bench/bare:$1"
}

script() {  # ROUND
  bare amd64 "$1" &
  bare arm64 "$1" && wait $! &&
    buildah --root="$work/bare/list/root" --runroot="$work/bare/list/runroot" manifest create --tls-verify=false --all \
      "list-$1" "docker://$registry/bench/bare:amd64" "docker://$registry/bench/bare:arm64" &&
    buildah --root="$work/bare/list/root" --runroot="$work/bare/list/runroot" manifest push --tls-verify=false --all \
      --format=v2s2 "list-$1" "docker://$registry/bench/bare:list"
}

farm() {  # PLATFORMS ROUND
  local flags
  mapfile -t flags < <(args "$2")
  "$manyarch" build -q -t "$registry/bench/farm:list" --platform "$1" --no-cache "${flags[@]}" "$work/context"
}

timed() {  # WHAT ROUND COMMAND...: appends milliseconds to the list of WHAT
  local what=$1 round=$2 begin end
  shift 2
  begin=$(date +%s%N)
  "$@" >"$work/$what.log" 2>&1 || fail "$what failed: $(tail -n 5 "$work/$what.log")"
  end=$(date +%s%N)
  [ "$round" = warm ] || echo $(((end - begin) / 1000000)) >>"$work/$what.ms"
  log "$what, round $round: $(((end - begin) / 1000000)) ms"
}

for round in warm $(seq "$rounds"); do
  timed alone-amd64 "$round" bare amd64 "a$round"
  timed alone-arm64 "$round" bare arm64 "b$round"
  timed script "$round" script "c$round"
  timed farm-alone "$round" farm linux/arm64 "d$round"
  timed farm "$round" farm linux/amd64,linux/arm64 "e$round"
done

median() { sort -n "$work/$1.ms" | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
amd64=$(median alone-amd64) arm64=$(median alone-arm64) alone=$(median farm-alone) script=$(median script) farm=$(median farm)
awk -v a="$amd64" -v b="$arm64" -v o="$alone" -v s="$script" -v f="$farm" 'BEGIN {
  printf "%-44s %9.0f ms\n", "buildah build + push, linux/amd64", a
  printf "%-44s %9.0f ms\n", "buildah build + push, linux/arm64", b
  printf "%-44s %9.0f ms   (%+.0f ms; allowed %+.0f ms)\n", "manyarch build, linux/arm64", o, o - b, 0.05 * b + 150
  printf "%-44s %9.0f ms   (%+.0f ms on linux/arm64 alone)\n", "a script: both in parallel, and a list", s, s - b
  printf "%-44s %9.0f ms   (%+.0f ms on linux/arm64 alone; %.3f of the script)\n", "manyarch build, both platforms", f, f - b, f / s
}'
jq -n --argjson amd64 "$amd64" --argjson arm64 "$arm64" --argjson alone "$alone" --argjson script "$script" \
  --argjson farm "$farm" --argjson rounds "$rounds" \
  '{rounds: $rounds, bare_ms: {amd64: $amd64, arm64: $arm64}, farm_arm64_ms: $alone, over_bare_ms: ($alone - $arm64),
    allowed_ms: (0.05 * $arm64 + 150), script_ms: $script, farm_ms: $farm, ratio_to_script: ($farm / $script)}' >&3
