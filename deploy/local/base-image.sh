#!/usr/bin/env bash
# Makes the small base image of the examples from Debian packages and pushes it, as a manifest list
# of its own, to a registry. It has a shell (busybox), a C compiler (tcc) and the C library's headers.
#
#   deploy/local/base-image.sh REGISTRY           e.g. 127.0.0.1:5000
#
# The image is made once and kept in ~/.cache/manyarch/base (or $XDG_CACHE_HOME); it is pushed only
# where the registry does not have it. Packages come from the Debian mirror that apt uses here.
# Needs root (mmdebstrap and buildah), and binfmt.sh to have run.
#
#   MANYARCH_BASE_PLATFORMS   comma list, default linux/amd64,linux/arm64
#   MANYARCH_BASE_TAG         default bookworm, the Debian release that is used
set -euo pipefail

if [ $# != 1 ] || [[ $1 = -* ]]; then
  sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
registry=$1
suite=bookworm
platforms=${MANYARCH_BASE_PLATFORMS:-linux/amd64,linux/arm64}
image=$registry/manyarch/base:${MANYARCH_BASE_TAG:-$suite}
packages=tcc,libc6-dev,base-files,busybox-static
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/manyarch/base
key=$(cat "$0" - <<<"$platforms" | sha256sum | cut -c1-16)
layout=$cache/$suite-$key

tls=(--tls-verify=true)
case $registry in
  127.*:* | localhost:* | \[::1\]:*) tls=(--tls-verify=false) ;;
esac

# One "deb URI SUITE main" line for each place where apt here gets this Debian release from.
mirrors() {
  # shellcheck disable=SC2016  # These are for apt to expand.
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN) $(CREATED_BY)' 2>/dev/null |
    awk -v suite="$suite" '$3 == "main" && $4 == "Debian" && $5 == "Packages" &&
      ($2 == suite || $2 == suite "-updates" || $2 == suite "-security") {
        print "deb " $1 " " $2 " main" }' | sort -u
}

debian_arch() {
  case $1 in
    linux/amd64) echo amd64 ;;
    linux/arm64) echo arm64 ;;
    linux/386) echo i386 ;;
    linux/arm/v7) echo armhf ;;
    linux/arm/v6 | linux/arm/v5) echo armel ;;
    *)
      echo "base-image.sh: Debian's tcc does not exist for '$1'; use linux/amd64, linux/arm64," \
        "linux/386, linux/arm/v7 or linux/arm/v5" >&2
      return 1
      ;;
  esac
}

# Unpacks the packages without configuring them: nothing foreign has to run but busybox, once.
make_root() {  # ARCH TAR
  local sources
  sources=$(mirrors)
  if ! grep -q " $suite main" <<<"$sources"; then
    sources="deb http://deb.debian.org/debian $suite main"
  fi
  # The hook is a script for sh; $1 is the new root.
  # shellcheck disable=SC2016  # And these for the hook.
  local hook='set -e
    chroot "$1" /bin/busybox --install -s /bin
    echo "root:x:0:0:root:/root:/bin/sh" >"$1/etc/passwd"
    echo "root:x:0:" >"$1/etc/group"
    cd "$1"
    rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/lintian usr/lib/*/gconv \
      usr/lib/*/krb5 usr/lib/*/libcrypto.so* usr/lib/*/libssl.so* usr/lib/*/lib*krb5*.so* \
      var/lib/apt var/lib/dpkg var/cache/apt
    find usr/lib -maxdepth 2 -name "lib*.a" ! -name libc_nonshared.a -delete'
  SOURCE_DATE_EPOCH=0 mmdebstrap --quiet --variant=extract --architectures="$1" \
    --include="$packages" --skip=output/dev --extract-hook="$hook" "$suite" "$2" "$sources"
}

make_layout() {
  local work platform arch container
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/work.XXXXXX")
  # shellcheck disable=SC2064  # The path as it is now.
  trap "rm -rf '$work'" EXIT
  local store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
  buildah "${store[@]}" manifest create base >/dev/null
  IFS=, read -ra list <<<"$platforms"
  for platform in "${list[@]}"; do
    arch=$(debian_arch "$platform")
    make_root "$arch" "$work/$arch.tar"
    container=$(buildah "${store[@]}" from scratch)
    buildah "${store[@]}" add -q "$container" "$work/$arch.tar" / >/dev/null
    IFS=/ read -r os cpu variant <<<"$platform"
    buildah "${store[@]}" config --os "$os" --arch "$cpu" ${variant:+--variant "$variant"} \
      --cmd /bin/sh "$container"
    buildah "${store[@]}" commit -q --format docker --timestamp 0 --rm "$container" "base-$arch" >/dev/null
    buildah "${store[@]}" manifest add --os "$os" --arch "$cpu" ${variant:+--variant "$variant"} \
      base "base-$arch" >/dev/null
  done
  buildah "${store[@]}" manifest push -q --all --format v2s2 base "dir:$work/plain" >/dev/null
  # Compressed here and not while pushing, so that every registry gets the very same digests.
  skopeo copy -q --all --dest-compress "dir:$work/plain" "dir:$work/layout"
  buildah "${store[@]}" rmi -a -f >/dev/null 2>&1 || true
  # Another run may have been quicker; its result is as good.
  mv -T "$work/layout" "$layout" 2>/dev/null || [ -e "$layout/manifest.json" ]
}

if [ ! -e "$layout/manifest.json" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "base-image.sh: making the image needs root; run it with sudo" >&2
    exit 1
  fi
  (make_layout)
fi

there=$(skopeo inspect --raw "${tls[@]}" "docker://$image" 2>/dev/null | sha256sum || true)
here=$(sha256sum <"$layout/manifest.json")
if [ "$there" != "$here" ]; then
  skopeo copy -q --all --preserve-digests "${tls[@]/--/--dest-}" "dir:$layout" "docker://$image"
fi
echo "$image"
