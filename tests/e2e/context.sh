#!/usr/bin/env bash
# The tree that a build sees is the tree that was given: modes, links, empty folders, big files, odd
# names; without what the ignore file names. An unchanged tree is not sent again.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image

context=$work/context
mkdir -p "$context/folder/empty" "$context/ignored" "$context/keep"
head -c 5000000 /dev/urandom >"$context/big"
: >"$context/nothing"
echo "with a blank" >"$context/a name"
echo program >"$context/run.sh"
chmod 755 "$context/run.sh"
chmod 640 "$context/big"
ln -s ../big "$context/folder/link"
ln -s /etc/nowhere "$context/dangling"
echo no >"$context/ignored/file"
echo no >"$context/keep/file.tmp"
echo yes >"$context/keep/file.txt"
printf 'ignored\n**/*.tmp\n' >"$context/.containerignore"
cat >"$context/Containerfile" <<'END'
ARG BASE
FROM ${BASE}
ARG GREETING=none
COPY . /context/
RUN cd /context && echo "sum=$(sha256sum <big | cut -d' ' -f1)" && echo "modes=$(stat -c %a run.sh big | xargs)"
RUN cd /context && echo "link=$(readlink folder/link) dangling=$(readlink dangling)" \
    && echo "blank=$(cat 'a name')" && echo "nothing=$(stat -c %s nothing)" && echo "empty=$(ls folder/empty | wc -l)"
RUN cd /context && echo "keep=$(ls keep | xargs)" && ! test -e ignored && echo "greeting=$GREETING"
END
run "$manyarch" build -t "$registry/demo/context:1.0" --platform linux/amd64 --build-arg "BASE=$base" \
  --build-arg "GREETING=good day" --label from=e2e "$context"
expect_code 0
job=$(newest_job)
run "$manyarch" logs "$job"
for line in "sum=$(sha256sum <"$context/big" | cut -d' ' -f1)" "modes=755 640" \
  "link=../big dangling=/etc/nowhere" "blank=with a blank" "nothing=0" "empty=0" "keep=file.txt" "greeting=good day"; do
  grep -qF -- "$line" "$out" || { show_output; fail "the build did not see: $line"; }
done
expect_equal "label" e2e "$(skopeo inspect --config --tls-verify=false "docker://$registry/demo/context:1.0" | jq -r .config.Labels.from)"
