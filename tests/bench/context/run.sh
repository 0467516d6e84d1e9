#!/usr/bin/env bash
# What submitting a context costs: first, again, and after one small edit, for a tree of 256 MiB and
# for one of 20,000 files, beside `tar | zstd` of the same tree. A table, and JSON in FILE.
#
#   tests/bench/context/run.sh [FILE]      MANYARCH_BIN: the folder with the programs (build/release/bin)
set -euo pipefail
export MANYARCH_BIN=${MANYARCH_BIN:-$(realpath "$(dirname "$0")/../../..")/build/release/bin}
json=$(realpath -m "${1:-/dev/null}")
# shellcheck source=tests/e2e/farm.sh
. "$(dirname "$0")/../../e2e/farm.sh"
begin
start_registry
start_controller
export XDG_CACHE_HOME=$work/client-cache

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
rows=()
row() {  # TREE WHAT MS BYTES
  rows+=("$(jq -nc --arg tree "$1" --arg what "$2" --argjson ms "$3" --argjson bytes "$4" \
    '{tree: $tree, what: $what, ms: $ms, sent_bytes: $bytes}')")
  printf '%-14s %-28s %8d ms %12d bytes\n' "$1" "$2" "$3" "$4"
}
submit_tree() {  # TREE WHAT
  local start end sent
  start=$(milliseconds)
  "$manyarch" build --detach --progress plain -t "$registry/bench/$1:1" --platform linux/amd64 \
    "$work/$1" >"$work/out" 2>"$work/err"
  end=$(milliseconds)
  # "sent 12 KiB": the client's own count of what it put on the wire.
  sent=$(sed -nE 's/.*sent ([0-9]+) (B|KiB|MiB).*/\1 \2/p' "$work/err" |
    awk '{ m["B"] = 1; m["KiB"] = 1024; m["MiB"] = 1048576; print $1 * m[$2] }')
  row "$1" "$2" $((end - start)) "$sent"
}
# The cache does not trust files that have just been written.
settle() { sleep 2.2; }
other_ways() {  # TREE
  local start end bytes
  start=$(milliseconds)
  bytes=$(tar -C "$work/$1" -c . | zstd -q -1 | wc -c)
  end=$(milliseconds)
  row "$1" "tar | zstd -1" $((end - start)) "$bytes"
}

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
