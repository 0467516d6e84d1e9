#!/usr/bin/env bash
# Secrets and ssh keys reach the steps that ask for them, on both platforms, and are found nowhere
# else: not on disks, in logs, arguments or environments, not while the build runs and not after.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image
value=hunter2-$unique
mkdir -p "$work/context" "$work/mine"
printf '%s' "$value" >"$work/mine/token"
echo no-secret >"$work/mine/other"
ssh-keygen -q -t ed25519 -N '' -C "" -f "$work/mine/key"
key_line=$(sed -n 3p "$work/mine/key")
cat >"$work/context/Containerfile" <<END
FROM $base
ARG TARGETARCH
RUN --mount=type=secret,id=token --mount=type=secret,id=other \\
  echo "\$TARGETARCH: \$(sha256sum </run/secrets/token | cut -c1-64) \$(cat /run/secrets/other)"
RUN --mount=type=ssh,id=git test -S "\$SSH_AUTH_SOCK"
RUN --mount=type=secret,id=token echo "waiting on \$TARGETARCH"; /bin/sleep $unique || true
END
# The registry's, the client's own and what the tests hold do not count.
search=("$work/controller" "$work/one" "$work"/*.log)
files_with() { grep -rlF -- "$1" "${search[@]}" 2>/dev/null || true; }
# Of processes: arguments and environments of everything that belongs to the farm.
processes_with() {
  local p
  for p in /proc/[0-9]*; do
    [ "${p#/proc/}" = "$$" ] && continue
    if { tr '\0' '\n' <"$p/cmdline"; tr '\0' '\n' <"$p/environ"; } 2>/dev/null | grep -qF -- "$1"; then
      tr '\0' ' ' <"$p/cmdline" | cut -c1-200
    fi
  done
}
expect_nowhere() {  # WHEN
  local what
  for what in "$value" "$key_line"; do
    expect_equal "files with a secret $1" "" "$(files_with "$what" | grep -v '/overlay-containers/' || true)"
    expect_equal "processes with a secret $1" "" "$(processes_with "$what")"
  done
}

log "a secret that is not there, or not allowed, is refused before anything is sent"
run "$manyarch" build -t "$registry/demo/app:1" --secret id=token "$work/context"
expect_code 2
expect_err 'reading token: No such file'
run "$manyarch" build -t "$registry/demo/app:1" --ssh default "$work/context"
expect_code 2
expect_err 'agent of this machine'
expect_equal "jobs" 0 "$(job_count)"

export OTHER="seen-by-steps"
submit -t "$registry/demo/app:1" --platform linux/amd64,linux/arm64 --secret "id=token,src=$work/mine/token" \
  --secret id=other,env=OTHER --ssh "git=$work/mine/key" "$work/context"
unset OTHER
wait_for 120 "both builds to be in their last step" sleeping 2
log "while it runs"
[ -s "$work/controller/secrets.key" ] || fail "there is no key"
expect_equal "mode of the key" 600 "$(stat -c %a "$work/controller/secrets.key")"
# In memory, for their owner alone; the grep above is for disks.
find "$work"/one/attempts/*/work/secrets -type f -printf '%m %s\n' >"$work/secret-files"
expect_equal "secret files of two attempts" 6 "$(wc -l <"$work/secret-files")"
expect_equal "modes of secret files" 600 "$(cut -d' ' -f1 "$work/secret-files" | sort -u)"
expect_equal "mounted for secrets" 2 "$(findmnt -rno TARGET,FSTYPE | grep -cE "^$work/one/attempts/.*/secrets tmpfs$")"
search=("$work/controller" "$work"/*.log)
expect_nowhere "in the controller while it runs"

log "the controller is killed and started again: it still has them"
kill_hard controller
start_controller
release
wait_for 120 "the job to end" job_is succeeded
search=("$work/controller" "$work/one" "$work"/*.log)
expect_nowhere "after the job"
sqlite3 "$work/controller/farm.db" 'SELECT count(*) FROM secrets' >"$work/rows" 2>/dev/null || echo 0 >"$work/rows"
expect_equal "sealed secrets left" 0 "$(cat "$work/rows")"
run "$manyarch" logs "$job"
for arch in amd64 arm64; do
  grep -qF "$arch: $(printf '%s' "$value" | sha256sum | cut -d' ' -f1) seen-by-steps" "$out" ||
    { show_output; fail "the step on $arch did not have its secrets"; }
done

log "a worker that is killed leaves none behind its next start"
submit -t "$registry/demo/app:2" --platform linux/amd64 --no-cache --secret "id=token,src=$work/mine/token" \
  --secret "id=other,src=$work/mine/other" --ssh "git=$work/mine/key" "$work/context"
wait_for 60 "the build to be in its last step" sleeping 1
kill_hard one
start_worker one --slots 2
wait_for 60 "the build to run again" sleeping 1
expect_equal "mounted for secrets" 1 "$(findmnt -rno TARGET,FSTYPE | grep -cE "^$work/one/attempts/.*/secrets tmpfs$")"
run "$manyarch" cancel "$job"
expect_code 0
wait_for 60 "the attempt to be gone" no_builds
wait_for 60 "its files to be gone" no_mounts "$work/one/attempts"
wait_quietly 20 test -z "$(files_with "$value")" || true
expect_nowhere "after a kill and a cancel"
expect_equal "links to temporary files" "" "$(find /run -maxdepth 1 -name 'manyarch-*' -lname "$work/*")"

log "without the key that they were sealed with, the job fails and says so"
stop one
submit -t "$registry/demo/app:3" --platform linux/amd64 --secret "id=token,src=$work/mine/token" \
  --secret "id=other,src=$work/mine/other" --ssh "git=$work/mine/key" "$work/context"
kill_hard controller
rm "$work/controller/secrets.key"
start_controller
start_worker one
wait_for 60 "the job to fail" job_is failed
expect_equal "why" true "$(job_value '.failure.message | test("cannot be opened with .*/secrets.key.* put the right key file back")')"
