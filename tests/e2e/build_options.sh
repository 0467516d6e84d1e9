#!/usr/bin/env bash
# Every option reaches buildah, or is refused by whoever cannot honour it.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image
context=$work/context
mkdir "$context"
cat >"$context/Containerfile" <<END
FROM $base
ARG USED
ARG TARGETARCH
RUN echo "\$TARGETARCH used=\$USED hosts=\$(grep -c 10.11.12.13 /etc/hosts)"
RUN echo one >/one
RUN echo two >/two
END
layers() { manifest "$1" | jq '.layers | length'; }
child() {  # REPOSITORY:TAG ARCH
  manifest "$1" | jq -r --arg a "$2" '.manifests[] | select(.platform.architecture == $a) | .digest'
}
isolation=$(worker one | jq -r .description.isolation)

log "squash, timestamp, hosts, arguments"
run "$manyarch" build -t "$registry/demo/app:1" --platform linux/amd64,linux/arm64 --squash --timestamp 1000000000 \
  --add-host db.example:10.11.12.13 --build-arg USED=yes --build-arg FORGOTTEN=x --label l=v "$context"
expect_code 0
expect_err 'linux/amd64.*warning: the Containerfile has no ARG for FORGOTTEN' 'linux/arm64.*warning: .*FORGOTTEN'
run "$manyarch" logs "$(newest_job)"
for arch in amd64 arm64; do
  grep -qF "$arch used=yes hosts=1" "$out" || { show_output; fail "the step on $arch saw other options"; }
  image=$registry/demo/app@$(child "$registry/demo/app:1" $arch)
  expect_equal "layers for $arch" $(($(layers "$registry/manyarch/base@$(child "$base" $arch)") + 1)) "$(layers "$image")"
  config=$(skopeo inspect --config --tls-verify=false "docker://$image")
  expect_equal "time of $arch" 2001-09-09T01:46:40Z "$(jq -r .created <<<"$config")"
  expect_equal "label of $arch" v "$(jq -r .config.Labels.l <<<"$config")"
done

log "layers go to a repository for each platform, and are found there"
# Without ARG: buildah 1.28 does not find what follows one.
printf 'FROM %s\nRUN echo one >/one\nENV A=b\nRUN echo two >/two\n' "$base" >"$context/layered"
cached=(-t "$registry/demo/app:2" --platform linux/amd64,linux/arm64 -f "$context/layered")
run "$manyarch" build "${cached[@]}" --cache-to "$registry/demo/cache" "$context"
expect_code 0
for arch in amd64 arm64; do
  curl -s "http://$registry/v2/demo/cache-$arch/tags/list" | jq -e '.tags | length > 1' >/dev/null ||
    fail "no layers of $arch in their repository"
done
stop one
rm -rf "$work/one/slots"
start_worker one --slots 2
wait_for 60 "the worker to join" worker_is_connected one
run "$manyarch" build "${cached[@]}" --cache-from "type=registry,ref=$registry/demo/cache" "$context"
expect_code 0
run "$manyarch" logs "$(newest_job)"
[ "$(grep -c 'Cache pulled from remote' "$out")" -ge 4 ] || { show_output; fail "the cached layers were not used"; }

log "a build that takes too long"
cat >"$work/slow" <<END
FROM $base
RUN /bin/sleep $unique
END
cp "$work/slow" "$context/slow"
run "$manyarch" build -t "$registry/demo/app:3" --platform linux/amd64 --timeout 3s -f "$context/slow" "$context"
expect_code 124
expect_err 'building was stopped after 3s'

log "limits and networks"
cat >"$context/limits" <<END
FROM $base
RUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; \\
  cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; \\
  echo "interfaces=\$(grep -c : /proc/net/dev)"
END
cat >"$context/greedy" <<END
FROM $base
RUN dd if=/dev/zero of=/dev/null bs=300M count=1
END
limits=(-t "$registry/demo/app:4" --platform linux/amd64 --memory 64m)
run "$manyarch" build "${limits[@]}" --cpus 0.5 --network none -f "$context/limits" "$context"
if [[ $isolation = oci* ]]; then
  expect_code 0
  run "$manyarch" logs "$(newest_job)"
  for line in 67108864 '50000( 100000)?' 'interfaces=1'; do
    grep -qxE "(.*: )?$line" "$out" || { show_output; fail "the step did not see $line"; }
  done
  run "$manyarch" build "${limits[@]}" -f "$context/greedy" "$context"
  expect_code 1
  expect_err 'took more than --memory allows'
else
  expect_code 1
fi

log "where there are no limits, a job that asks for them fails at once"
stop one
start_worker two --isolation chroot
wait_for 60 "the worker to join" worker_is_connected two
run "$manyarch" build "${limits[@]}" "$context"
expect_code 1
expect_err 'isolation chroot, which has no --memory'
expect_equal "attempts" 1 "$(job=$(newest_job) attempts | wc -l)"
