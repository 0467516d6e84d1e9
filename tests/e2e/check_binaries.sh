#!/usr/bin/env bash
# A base image pinned to another architecture, which buildah labels as the one that was asked for:
# a warning by default, a failure that names the file with strict, nothing with off.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image

mkdir "$work/context"
cat >"$work/context/Containerfile" <<END
FROM --platform=linux/arm64 $base
COPY Containerfile /etc/
END
args=(--platform linux/amd64,linux/arm64 --progress plain "$work/context")

run "$manyarch" build -t "$registry/demo/app:strict" --check-binaries strict "${args[@]}"
expect_code 1
expect_err 'linux/amd64: .*/bin/busybox is a program for arm64.* in an image for linux/amd64'
no_tag "$registry/demo/app:strict" || fail "a wrong image was published"
expect_equal "staged images" "" \
  "$(curl -s "http://$registry/v2/demo/app/tags/list" | jq -r '.tags[]?' | grep amd64 || true)"

run "$manyarch" build -t "$registry/demo/app:warn" "${args[@]}"
expect_code 0
expect_err 'linux/amd64.*warning: .*/bin/busybox is a program for arm64'
job=$(newest_job)
expect_equal "builds with warnings" 1 "$(job_json | jq '[.builds[] | select(.warnings | length > 0)] | length')"
expect_equal "warned build" linux/amd64 \
  "$(job_json | jq -r '.builds[] | select(.warnings | length > 0) | .platform | .os + "/" + .arch')"

run "$manyarch" build -t "$registry/demo/app:off" --check-binaries off "${args[@]}"
expect_code 0
if grep -q warning "$err"; then show_output; fail "a warning where nobody was to look"; fi
