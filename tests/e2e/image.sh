#!/usr/bin/env bash
# Lists assembled by hand, with no controller: of two images that buildah pushed, looked at with
# skopeo, and pulled by buildah.
. "$(dirname "$0")/farm.sh"
begin
start_registry
export MANYARCH_CONTROLLER=127.0.0.1:1  # Whoever asks a controller fails.
app=$registry/demo/app
store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)

mkdir "$work/context"
printf 'FROM scratch\nARG TARGETARCH\nARG N=1\nLABEL n=$N arch=$TARGETARCH\nCOPY Containerfile /\n' \
  >"$work/context/Containerfile"
push() {  # TAG ARCH [FORMAT [N]]
  buildah "${store[@]}" build -q --isolation chroot --platform "linux/$2" --format docker \
    --build-arg "N=${4:-1}" -t "localhost/$1" "$work/context" >/dev/null
  buildah "${store[@]}" push -q --tls-verify=false --format "${3:-v2s2}" "localhost/$1" "docker://$app:$1"
}
push 1-amd64 amd64
push 1-arm64 arm64
push 1-oci s390x oci

log "a dry run prints the bytes whose digest is published later, and writes nothing"
run "$manyarch" image create -t "$app:1" --dry-run "$app:1-arm64" "$app:1-amd64"
expect_code 0
planned=sha256:$(sha256sum <"$out" | cut -d' ' -f1)
no_tag "$app:1" || fail "the dry run wrote the tag"
run "$manyarch" image create -t "$app:1" "$app:1-arm64" "$app:1-amd64"
expect_code 0
expect_equal "stdout" "$app:1@$planned" "$(cat "$out")"
expect_equal "digest behind the tag" "$planned" "sha256:$(manifest "$app:1" | sha256sum | cut -d' ' -f1)"
expect_true_list "$app:1" linux/amd64 linux/arm64
run "$manyarch" image inspect --raw "$app:1"
expect_equal "digest of the raw bytes" "$planned" "sha256:$(sha256sum <"$out" | cut -d' ' -f1)"

log "buildah and skopeo choose the right image from it"
for arch in amd64 arm64; do
  buildah "${store[@]}" pull -q --tls-verify=false --arch "$arch" "docker://$app:1" >"$work/id"
  expect_equal "label of what buildah pulled" "$arch" \
    "$(buildah "${store[@]}" inspect --type image "$(cat "$work/id")" | jq -r .OCIv1.config.Labels.arch)"
  expect_equal "what skopeo sees" "$arch" \
    "$(skopeo --override-arch "$arch" inspect --tls-verify=false "docker://$app:1" | jq -r .Architecture)"
done

log "an OCI image is rewritten for the list, a list is taken apart"
run "$manyarch" image create -t "$app:all" "$app:1" "$app:1-oci"
expect_code 0
expect_err "is written anew as application/vnd.docker.distribution.manifest.v2"
expect_true_list "$app:all" linux/amd64 linux/arm64 linux/s390x
run "$manyarch" image create --format oci -t "$app:oci" "$app:all"
expect_code 0
expect_equal "media type" application/vnd.oci.image.index.v1+json "$(manifest "$app:oci" | jq -r .mediaType)"
skopeo copy -q --all --src-tls-verify=false "docker://$app:oci" "oci:$work/layout" || fail "skopeo does not take it"

log "append, and replace"
push 2-arm64 arm64 v2s2 2
run "$manyarch" image append "$app:1" "$app:1-oci"
expect_code 0
expect_true_list "$app:1" linux/amd64 linux/arm64 linux/s390x
before=$(manifest "$app:1")
run "$manyarch" image append "$app:1" "$app:2-arm64"
expect_code 2
expect_err "has an image for linux/arm64 already" "--replace"
expect_equal "the list" "$before" "$(manifest "$app:1")"
run "$manyarch" image append --replace "$app:1" "$app:2-arm64"
expect_code 0
expect_true_list "$app:1" linux/amd64 linux/arm64 linux/s390x
expect_equal "label of the new image" 2 \
  "$(skopeo --override-arch arm64 inspect --config --tls-verify=false "docker://$app:1" | jq -r .config.Labels.n)"

log "from another repository"
run "$manyarch" image create -t "$registry/elsewhere/app:1" "$app:1"
expect_code 0
expect_true_list "$registry/elsewhere/app:1" linux/amd64 linux/arm64 linux/s390x

log "the doctor, with a farm and without"
run "$manyarch" doctor "$app:1"
expect_code 3
unset MANYARCH_CONTROLLER
start_controller
start_worker one
wait_for 60 "the worker to join" worker_is_connected one
run "$manyarch" doctor "$app:1"
expect_code 0
grep -qE "^ok +client +$app:1 +push" "$out" || { show_output; fail "the doctor did not try to push"; }
grep -qE "^ok +controller +one +worker" "$out" || { show_output; fail "the doctor does not see the worker"; }
