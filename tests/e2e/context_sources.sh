#!/usr/bin/env bash
# Contexts from everywhere that buildx takes them from: an archive or a Containerfile on standard
# input, a git commit, a Containerfile outside, named contexts; and odd files, byte for byte.
. "$(dirname "$0")/farm.sh"
begin
start_farm
base_image

build() {  # NAME BUILD_ARGS...; standard input goes to it
  local name=$1
  shift
  log "\$ manyarch build $*"
  rc=0
  timeout 300 "$manyarch" build --progress plain -t "$registry/demo/$name:1" --platform linux/amd64 \
    --build-arg "BASE=$base" "$@" >"$work/out" 2>"$work/err" || rc=$?
  out=$work/out err=$work/err
}
saw() {  # TEXT...: in the build's output
  local text
  for text; do
    grep -qF -- "$text" "$err" || { show_output; fail "the build did not see: $text"; }
  done
}

odd=$work/odd
mkdir -p "$odd/empty" "$odd/closed/inner"
printf 'newline' >"$odd/new"$'\n'line
printf 'bytes' >"$odd/"$'\xff\xfe'
printf 'star' >"$odd/-rf *"
head -c 3000000 /dev/urandom >"$odd/big"
printf 'mode' >"$odd/mode"
chmod 751 "$odd/mode"
chmod 1777 "$odd/empty"
printf 'inner' >"$odd/closed/inner/file"
chmod 700 "$odd/closed"
ln -s "../a b" "$odd/closed/link"
ln -s /etc/shadow "$odd/absolute"
# What a tree is: every path with type, mode and target, and every file's content.
tree_of() {  # DIR
  (cd "$1" && {
    find . -mindepth 1 \( -type l -printf '%P l %l\0' -o -printf '%P %y %m\0' \) | LC_ALL=C sort -z
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z
  }) | tr '\0\n' '\n?'
}
expect_same_tree() {  # NAME OF THE IMAGE: its /context is the odd tree
  local digest
  digest=$(manifest "$registry/demo/$1:1" | jq -r '.manifests[0].digest')
  rm -rf "$work/unpacked" "$work/unpacked.image"
  unpack_image "$registry/demo/$1" "$digest" "$work/unpacked"
  tree_of "$work/unpacked/context" >"$work/arrived"
  diff -a "$work/sent" "$work/arrived" || fail "the tree in the image $1 is not the one sent"
}
tree_of "$odd" >"$work/sent"
cat >"$work/Outside" <<'END'
ARG BASE
FROM ${BASE}
COPY . /context/
END

log "a Containerfile outside of the context; odd files arrive as they are"
build outside -f "$work/Outside" "$odd"
expect_code 0
expect_same_tree outside

log "the same as an archive, with the Containerfile in it"
cp "$work/Outside" "$odd/Containerfile"
echo Containerfile >"$odd/.dockerignore"
echo .dockerignore >>"$odd/.dockerignore"
for how in --no-auto-compress --gzip --zstd --xz; do
  tar -C "$odd" "$how" -cf "$work/context.tar" .
  build archive --no-cache - <"$work/context.tar"
  expect_code 0
  expect_same_tree archive
done

log "a Containerfile on standard input: alone, and with a context"
rm "$odd/Containerfile" "$odd/.dockerignore"
build alone - <<'END'
ARG BASE
FROM ${BASE}
RUN echo "alone=yes"
END
expect_code 0
saw "alone=yes"
build input -f - "$odd" <"$work/Outside"
expect_code 0
expect_same_tree input

log "a git commit; the tag moves afterwards, the job does not"
repo=$work/repo
git init -q -b main "$repo"
mkdir "$repo/app"
printf 'ARG BASE\nFROM ${BASE}\nCOPY . /app\nRUN echo "version=$(cat /app/version) git=$(ls -a /app | grep -c ^.git$)"\n' >"$repo/app/Containerfile"
commit() {
  echo "$1" >"$repo/app/version"
  git -C "$repo" add -A
  git -C "$repo" -c user.name=t -c user.email=t@example.com commit -q -m "$1"
}
commit one
git -C "$repo" tag v1
commit two
build git "file://$repo#v1:app"
expect_code 0
saw "version=one git=0"
build git "file://$repo#main:app"
expect_code 0
saw "version=two"
build git "file://$repo#nothing:app"
expect_code 2
saw "has no branch or tag 'nothing'"

log "named contexts: a directory with rules of its own, a git commit, an image in another's place"
mkdir "$work/lib"
echo code >"$work/lib/code"
echo junk >"$work/lib/junk"
echo junk >"$work/lib/.dockerignore"
mkdir "$work/named"
cat >"$work/named/Containerfile" <<'END'
FROM example.invalid/replaced:1
COPY --from=lib . /from-lib/
COPY --from=history app/version /version
RUN echo "lib=$(ls /from-lib | xargs) version=$(cat /version)"
END
build named --build-context "lib=$work/lib" --build-context "history=file://$repo#v1" \
  --build-context "example.invalid/replaced:1=docker-image://$base" "$work/named"
expect_code 0
saw "lib=code version=one"

log "an upload over connections that are reset every 5 MB goes on with what is missing"
mkdir "$work/cut"
cp "$work/Outside" "$work/cut/Containerfile"
for i in 1 2 3 4 5; do head -c 4000000 /dev/urandom >"$work/cut/$i"; done
start proxy "$bin/chopping-proxy" "$work/proxy.port" "$controller_address" 5000000
wait_for 10 "the proxy" test -s "$work/proxy.port"
MANYARCH_CONTROLLER=127.0.0.1:$(cat "$work/proxy.port") build cut --detach "$work/cut"
expect_code 0
[ "$(grep -c reset "$work/proxy.log")" -ge 3 ] || fail "the proxy has hardly cut anything"
job=$(tail -n1 "$out")
wait_for 60 "the job to succeed" job_is succeeded

log "hostile archives are refused before anything is sent"
mkdir "$work/evil"
echo x >"$work/evil/x"
tar -C "$work/evil" -cf "$work/evil.tar" --transform 's,x,../x,' -P x
build evil - <"$work/evil.tar"
expect_code 2
saw "'../x' has '..' in it"
