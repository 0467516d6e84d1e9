#!/usr/bin/env bash
# The main job: one tree, two architectures, one tag; looked at with skopeo, and run.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image

repository=$registry/demo/hello
run "$manyarch" build -t "$repository:1.0" --platform linux/amd64,linux/arm64 \
  --build-arg "BASE=$base" "$root/examples/hello"
expect_code 0
expect_true_list "$repository:1.0" linux/amd64 linux/arm64
digest=sha256:$(manifest "$repository:1.0" | sha256sum | cut -d' ' -f1)
grep -qF "$digest" "$out" || { show_output; fail "stdout does not name the list's digest $digest"; }

log "per-architecture tags point to the list's own children"
for arch in amd64 arm64; do
  expect_equal "digest behind 1.0-$arch" \
    "$(jq -r --arg a "$arch" '.manifests[] | select(.platform.architecture == $a) | .digest' "$work/list.json")" \
    "sha256:$(manifest "$repository:1.0-$arch" | sha256sum | cut -d' ' -f1)"
done

log "the programs in the images run, and are what the list says"
expected_amd64="Hello from manyarch: compiled for x86_64, running on x86_64."
expected_arm64="Hello from manyarch: compiled for aarch64, running on aarch64."
for arch in amd64 arm64; do
  child=$(jq -r --arg a "$arch" '.manifests[] | select(.platform.architecture == $a) | .digest' "$work/list.json")
  unpack_image "$repository" "$child" "$work/$arch"
  expected=expected_$arch
  expect_equal "what the $arch program says" "${!expected}" "$(chroot "$work/$arch" /hello)"
done
[[ $(od -An -tx1 -j18 -N2 "$work/arm64/hello") = " b7 00" ]] || fail "the arm64 program is no arm64 ELF file"

log "afterwards it can be looked up"
job=$(newest_job)
expect_equal "state" succeeded "$(job_state)"
expect_equal "workers of the attempts" "one one" "$(attempts | jq -r '.worker' | xargs)"
run "$manyarch" show "$job"
expect_code 0
grep -q "linux/arm64" "$out" || { show_output; fail "show does not name linux/arm64"; }
run "$manyarch" logs "$job"
expect_code 0
grep -qF "$expected_arm64" "$out" || { show_output; fail "the log lacks the arm64 program's own output"; }
grep -qF "$expected_amd64" "$out" || { show_output; fail "the log lacks the amd64 program's own output"; }

log "the same again, to a second tag: the workers have it all in their caches"
run "$manyarch" build -q -t "$repository:1.1" --platforms linux/amd64 --platform linux/arm64 \
  --build-arg "BASE=$base" "$root/examples/hello"
expect_code 0
expect_true_list "$repository:1.1" linux/amd64 linux/arm64
