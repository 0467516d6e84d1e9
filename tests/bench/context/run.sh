#!/usr/bin/env bash
# What submitting a context costs: first, again, and after one small edit, for a tree of 256 MiB and
# for one of 20,000 files, beside `tar | zstd` of the same tree and a bare gRPC stream of it. Walking and
# hashing, asking for what is missing, sending and submitting (which asks the registry) apart. A table,
# and JSON in FILE.
#
#   tests/bench/context/run.sh [FILE]      MANYARCH_BIN: the folder with the programs (build/bench/bin)
set -euo pipefail
export MANYARCH_BIN=${MANYARCH_BIN:-$(realpath "$(dirname "$0")/../../..")/build/bench/bin}
json=$(realpath -m "${1:-/dev/null}")
# shellcheck source=tests/e2e/farm.sh
. "$(dirname "$0")/../../e2e/farm.sh"
begin
start_registry
start_controller
export XDG_CACHE_HOME=$work/client-cache

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
rows=()
row() {  # TREE WHAT MS BYTES [HASH ASK SEND SUBMIT]
  rows+=("$(jq -nc --arg tree "$1" --arg what "$2" --argjson ms "$3" --argjson bytes "$4" \
    --argjson parts "[${5:-null},${6:-null},${7:-null},${8:-null}]" \
    '{tree: $tree, what: $what, ms: $ms, sent_bytes: $bytes, hash_ms: $parts[0], ask_ms: $parts[1],
      send_ms: $parts[2], submit_ms: $parts[3]}')")
  printf '%-6s %-28s %7d %8s %7s %8s %8s %12d\n' "$1" "$2" "$3" "${5:--}" "${6:--}" "${7:--}" "${8:--}" "$4"
}
submit_tree() {  # TREE WHAT
  local start end hash ask bytes send submit
  start=$(milliseconds)
  "$manyarch" build --verbose --detach --progress plain -t "$registry/bench/$1:1" \
    --platform linux/amd64 "$work/$1" >"$work/out" 2>"$work/err"
  end=$(milliseconds)
  hash=$(sed -nE 's/.*walking and hashing took ([0-9.]+) ms.*/\1/p' "$work/err")
  read -r ask bytes send <<<"$(sed -nE 's/.*asking took ([0-9.]+) ms, sending ([0-9]+) bytes ([0-9.]+) ms.*/\1 \2 \3/p' "$work/err")"
  submit=$(sed -nE 's/.*submitting took ([0-9.]+) ms.*/\1/p' "$work/err")
  row "$1" "$2" $((end - start)) "$bytes" "$hash" "$ask" "$send" "$submit"
}
# The cache does not trust files that have just been written.
settle() { sleep 2.2; }
other_ways() {  # TREE
  local start end bytes
  start=$(milliseconds)
  bytes=$(tar -C "$work/$1" -c . | zstd -q -1 | wc -c)
  end=$(milliseconds)
  row "$1" "tar | zstd -1" $((end - start)) "$bytes"
  # What sending costs at the least: the same bytes over one stream, to a server that drops them.
  row "$1" "bare gRPC stream of the tar" "$(tar -C "$work/$1" -c . | "$bin/bench_bare_upload")" \
    "$(tar -C "$work/$1" -c . | wc -c)"
}

[ -x "$bin/bench_bare_upload" ] || fail "$bin/bench_bare_upload is missing: build the preset bench"
echo "on $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
mkdir "$work/large" "$work/many"
printf 'FROM scratch\nCOPY . /\n' | tee "$work/large/Containerfile" >"$work/many/Containerfile"
# Half of it compresses, as trees do.
for i in 1 2 3 4; do
  { head -c 33554432 /dev/urandom; head -c 25165824 /dev/urandom | od -An -tx1 -w64 | head -c 33554432 || true; } >"$work/large/file$i"
done
for d in $(seq 200); do
  mkdir "$work/many/d$d"
  for f in $(seq 100); do printf 'file %d of %d: %d\n' "$f" "$d" "$RANDOM$RANDOM" >"$work/many/d$d/f$f"; done
done
settle
printf '%-6s %-28s %7s %8s %7s %8s %8s %12s\n' tree what ms hash ask send submit bytes
for tree in large many; do
  other_ways "$tree"
  submit_tree "$tree" "first"
  submit_tree "$tree" "again, nothing changed"
  submit_tree "$tree" "again, nothing changed"
  rm -rf "$XDG_CACHE_HOME"
  submit_tree "$tree" "again, all files read"
done
printf 'an edit' | dd of="$work/large/file2" bs=1 seek=20000000 conv=notrunc status=none
echo "an edit" >>"$work/many/d7/f7"
for tree in large many; do submit_tree "$tree" "one small edit"; done
printf '%s\n' "${rows[@]}" | jq -s . >"$json"
