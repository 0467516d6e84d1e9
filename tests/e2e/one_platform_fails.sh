#!/usr/bin/env bash
# A Containerfile that fails on arm64 only: the job fails with the step's own output, the amd64 image
# is kept, and no list is pushed and no tag moved.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image

mkdir "$work/context"
cat >"$work/context/Containerfile" <<'END'
ARG BASE
FROM ${BASE}
ARG TARGETARCH
RUN echo "fine so far on $TARGETARCH"
RUN if [ "$TARGETARCH" = arm64 ]; then echo "the arm64 part is broken"; exit 7; fi
END
repository=$registry/demo/app
log "the tag 1.0 exists and must stay as it is; 2.0 does not and must not appear"
skopeo copy -q --all --src-tls-verify=false --dest-tls-verify=false "docker://$base" "docker://$repository:1.0"
before=$(manifest "$repository:1.0" | sha256sum)

run "$manyarch" build -t "$repository:1.0" -t "$repository:2.0" --platform linux/amd64,linux/arm64 \
  --build-arg "BASE=$base" "$work/context"
expect_code 1
expect_err 'the arm64 part is broken' 'linux/arm64' 'exit (code|status) 7|exited with 7'

job=$(newest_job)
expect_equal "state of the job" failed "$(job_state)"
expect_equal "attempts on arm64: a user's error is not retried" 1 \
  "$(attempts | jq -r 'select(.platform == "linux/arm64") | .number' | wc -l)"
expect_equal "class of the failure" user "$(build linux/arm64 | jq -r '.failure.class' | normal)"
digest=$(build linux/amd64 | jq -r .image.digest)
expect_equal "digest of the amd64 image, still in the registry" "$digest" \
  "sha256:$(manifest "$repository@$digest" | sha256sum | cut -d' ' -f1)"
expect_equal "tag 1.0" "$before" "$(manifest "$repository:1.0" | sha256sum)"
no_tag "$repository:2.0" || fail "tag 2.0 was written"
lists=$(grep -rl 'manifest.list' "$work/registry/docker/registry/v2/blobs" | wc -l)
expect_equal "manifest lists in the registry (the base's own)" 1 "$lists"
no_tag "$repository:1.0-arm64" || fail "a tag for arm64 was written"
