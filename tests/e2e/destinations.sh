#!/usr/bin/env bash
# One job, two repositories and two registries; OCI; tags that must not move; what is refused before
# anything is built. Looked at with skopeo.
. "$(dirname "$0")/farm.sh"
begin
start_registry
first=$registry
second=127.0.0.1:$(free_port)
cat >"$work/second.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/second}}
http: {addr: "$second"}
END
start second docker-registry serve "$work/second.yml"
wait_for 10 "the second registry" curl -s -o "$work/ping" "http://$second/v2/"
start_controller --plain-http "$second"
start_worker one --slots 2
wait_for 60 "the worker to join" worker_is_connected one

mkdir -p "$work/tree"
printf 'FROM scratch\nARG TARGETARCH\nCOPY file /file\nLABEL arch=$TARGETARCH\n' >"$work/tree/Containerfile"
echo "one" >"$work/tree/file"
build() { run "$manyarch" build --platform linux/amd64,linux/arm64 "$@" "$work/tree"; }
digest_of() { echo "sha256:$(manifest "$1" | sha256sum | cut -d' ' -f1)"; }

log "two tags in two repositories of one registry, and one on another registry"
build -t "$first/team/app:1.0" -t "$first/mirror/app:latest" -t "$second/far/app:1.0"
expect_code 0
expect_true_list "$first/team/app:1.0" linux/amd64 linux/arm64
expect_true_list "$first/mirror/app:latest" linux/amd64 linux/arm64
expect_true_list "$second/far/app:1.0" linux/amd64 linux/arm64
digest=$(digest_of "$first/team/app:1.0")
expect_equal "the list in the second repository" "$digest" "$(digest_of "$first/mirror/app:latest")"
expect_equal "the list in the second registry" "$digest" "$(digest_of "$second/far/app:1.0")"
for tag in "$first/team/app:1.0" "$first/mirror/app:latest" "$second/far/app:1.0"; do
  for arch in amd64 arm64; do
    expect_equal "digest behind $tag-$arch" \
      "$(jq -r --arg a "$arch" '.manifests[] | select(.platform.architecture == $a) | .digest' "$work/list.json")" \
      "$(digest_of "$tag-$arch")"
  done
done
skopeo copy -q --src-tls-verify=false --override-arch arm64 "docker://$second/far/app:1.0" "dir:$work/copy"
expect_equal "tags that were written" 3 "$("$manyarch" show --format json "$(newest_job)" | jq '[.tags[] | select(.written)] | length')"

log "OCI"
build -t "$first/team/oci:1.0" --format oci
expect_code 0
manifest "$first/team/oci:1.0" >"$work/index.json"
expect_equal "media type of the index" application/vnd.oci.image.index.v1+json "$(jq -r .mediaType "$work/index.json")"
expect_equal "media types in the index" application/vnd.oci.image.manifest.v1+json \
  "$(jq -r '.manifests[].mediaType' "$work/index.json" | sort -u)"
skopeo inspect --tls-verify=false --override-arch arm64 "docker://$first/team/oci:1.0" | jq -e '.Labels.arch == "arm64"' >/dev/null ||
  fail "skopeo does not find the arm64 image of the index"

log "a tag that must not move: free, then taken"
echo "two" >"$work/tree/file"
build -t "$first/team/fixed:1.0" --immutable
expect_code 0
fixed=$(digest_of "$first/team/fixed:1.0")
jobs=$(job_count)
echo "three" >"$work/tree/file"
build -t "$first/team/other:1.0" -t "$first/team/fixed:1.0" --immutable
expect_code 3
expect_err "team/fixed:1.0 exists and points to $fixed"
expect_equal "jobs after the refusal" "$jobs" "$(job_count)"
expect_equal "the tag that must not move" "$fixed" "$(digest_of "$first/team/fixed:1.0")"

log "a registry that is not there is found out before anything is built"
build -t "$first/team/app:2.0" -t "127.0.0.1:1/no/app:2.0"
expect_code 3
expect_err "127.0.0.1:1.*Connection refused"
expect_equal "jobs after the refusal" "$jobs" "$(job_count)"
no_tag "$first/team/app:2.0" || fail "a tag was written although another registry is not there"
