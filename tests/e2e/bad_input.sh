#!/usr/bin/env bash
# What is wrong is said, with what to do, before anything reaches a worker.
. "$(dirname "$0")/farm.sh"
begin
start_farm

mkdir "$work/good" "$work/empty" "$work/unreadable"
printf 'FROM scratch\nCOPY Containerfile /\n' | tee "$work/good/Containerfile" >"$work/unreadable/Containerfile"
mkdir "$work/unreadable/private"
mkfifo "$work/unreadable/private/pipe"
app=$registry/demo/app:1.0
amd64=(--platform linux/amd64)

refuse() {  # CODE REGEX... -- COMMAND...
  local code=$1 patterns=()
  shift
  while [ "$1" != -- ]; do patterns+=("$1"); shift; done
  shift
  run "$@"
  expect_code "$code"
  [ -s "$out" ] && { show_output; fail "an error must not print to stdout"; }
  expect_err "${patterns[@]}"
  sed "s/^/          /" "$err"
}

log "usage"
refuse 2 'nonsense' -- "$manyarch" build -t "$app" "${amd64[@]}" --nonsense "$work/good"
refuse 2 'bild' -- "$manyarch" bild
refuse 2 '.' -- "$manyarch" build -t "$app" "${amd64[@]}"
refuse 2 '(-t|--tag)' -- "$manyarch" build "${amd64[@]}" "$work/good"
refuse 2 'provenance' -- "$manyarch" build -t "$app" "${amd64[@]}" --provenance=true "$work/good"
refuse 2 'format' -- "$manyarch" jobs --format xml

log "references: what is wrong, and where"
refuse 2 'Demo|upper' -- "$manyarch" build -t "$registry/Demo/app:1.0" "${amd64[@]}" "$work/good"
refuse 2 'tag' -- "$manyarch" build -t "$registry/demo/app:not a tag" "${amd64[@]}" "$work/good"
refuse 2 'digest' -- "$manyarch" build "${amd64[@]}" "$work/good" \
  -t "$registry/demo/app@sha256:0000000000000000000000000000000000000000000000000000000000000000"
refuse 2 '.' -- "$manyarch" build -t "" "${amd64[@]}" "$work/good"

log "platforms: with the nearest known one"
refuse 2 'linux/amd46' 'linux/amd64' -- "$manyarch" build -t "$app" --platform linux/amd46 "$work/good"
refuse 2 'linux/arm46' 'linux/arm64' -- "$manyarch" build -t "$app" --platform linux/arm46 "$work/good"
refuse 2 'twice|duplicate|more than once' -- \
  "$manyarch" build -t "$app" --platform linux/amd64,linux/x86_64 "$work/good"

log "the context"
refuse 2 'Containerfile' "$work/empty" -- "$manyarch" build -t "$app" "${amd64[@]}" "$work/empty"
mkdir "$work/says_nothing" "$work/leads_out"
echo '# FROM scratch' >"$work/says_nothing/Containerfile"
refuse 2 'is empty' "$work/says_nothing/Containerfile" -- \
  "$manyarch" build -t "$app" "${amd64[@]}" "$work/says_nothing"
cp "$work/good/Containerfile" "$work/leads_out/"
for name in .containerignore .dockerignore; do
  ln -s /etc/passwd "$work/leads_out/$name"
  refuse 2 "$work/leads_out/$name" 'out of the context' -- \
    "$manyarch" build -t "$app" "${amd64[@]}" "$work/leads_out"
  rm "$work/leads_out/$name"
done
refuse 2 'Otherfile' -- "$manyarch" build -t "$app" "${amd64[@]}" -f Otherfile "$work/good"
refuse 2 "$work/nowhere" -- "$manyarch" build -t "$app" "${amd64[@]}" "$work/nowhere"
refuse 2 'private/pipe' -- "$manyarch" build -t "$app" "${amd64[@]}" "$work/unreadable"
rm "$work/unreadable/private/pipe"
# Root can read every file, so this one is somebody else's.
cp "$manyarch" "$work/manyarch"
echo secret >"$work/unreadable/private/key"
chmod 600 "$work/unreadable/private/key"
chmod a+rx "$work" "$work/manyarch" "$work/unreadable" "$work/unreadable/private"
refuse 2 'private/key' '[Pp]ermission denied' -- runuser -u nobody -- env HOME="$work/nobody" \
  MANYARCH_CONTROLLER="$controller_address" "$work/manyarch" build -t "$app" "${amd64[@]}" "$work/unreadable"

log "what cannot be reached"
nowhere=127.0.0.1:$(free_port)
refuse 3 "$nowhere" 'controller' -- env MANYARCH_CONTROLLER="$nowhere" \
  "$manyarch" build -t "$app" "${amd64[@]}" "$work/good"
refuse 3 "$nowhere" -- env MANYARCH_CONTROLLER="$nowhere" "$manyarch" workers
refuse 2 '.' -- env MANYARCH_CONTROLLER="not:a:port" "$manyarch" workers
refuse 3 "$nowhere" -- "$manyarch" build -t "$nowhere/demo/app:1.0" "${amd64[@]}" "$work/good"

log "what is not there"
refuse 2 'jnosuchjob00' -- "$manyarch" show jnosuchjob00
refuse 2 'jnosuchjob00' -- "$manyarch" logs jnosuchjob00

log "none of it became a job, let alone reached a worker"
expect_equal "jobs" 0 "$(job_count)"
[ -z "$(find "$work/one" -name Containerfile)" ] || fail "a context reached the worker"

log "and the farm is unharmed"
run "$manyarch" build -t "$app" "${amd64[@]}" "$work/good"
expect_code 0
