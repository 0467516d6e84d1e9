#!/usr/bin/env bash
# Installs the Debian packages that manyarch needs; does nothing, quickly, when they are all there.
#
#   deploy/local/packages.sh [build] [run] [test]      all three without arguments
#
#   build   compiling from source          run   a farm on this machine
#   test    tests/run.sh: lint, end-to-end tests
#
# Needs root, or sudo. Made for Debian 12; Debian 13 has the same names.
set -euo pipefail

build=(build-essential lld cmake ninja-build ccache pkg-config git ca-certificates
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev libabsl-dev libspdlog-dev
  libgtest-dev libgmock-dev libbenchmark-dev libsqlitecpp-dev libsqlite3-dev libcurl4-openssl-dev
  nlohmann-json3-dev libcli11-dev libzstd-dev libarchive-dev libssl-dev libjemalloc-dev)
run=(buildah runc skopeo qemu-user-static binfmt-support docker-registry mmdebstrap
  debian-archive-keyring ca-certificates uidmap mount util-linux procps iproute2 curl jq)
tests=(libcpp-httplib-dev clang-format clang-tidy shellcheck apache2-utils man-db zsh fish yq)

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "packages.sh: installing packages needs root; run it as root or install sudo" >&2
    return 1
  fi
}

wanted=()
for group in "${@:-build run test}"; do
  for one in $group; do
    case "$one" in
      build) wanted+=("${build[@]}") ;;
      run) wanted+=("${run[@]}") ;;
      test) wanted+=("${tests[@]}") ;;
      *)
        echo "packages.sh: unknown group '$one'; use build, run or test" >&2
        exit 2
        ;;
    esac
  done
done

missing=()
installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${binary:Package}\n' 2>/dev/null |
  sed -n 's/^ii *\([^: ]*\).*/\1/p')
for package in "${wanted[@]}"; do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
  exit 0
fi

echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Debian's docker-registry starts a service on port 5000 as soon as it is installed. A farm starts a
# registry of its own, so a service that this script brings in is kept from starting; one that was
# there before is left as it is.
unit=/etc/systemd/system/docker-registry.service
masked=
if printf '%s\n' "${missing[@]}" | grep -qx docker-registry &&
  [ ! -e "$unit" ] && [ ! -L "$unit" ]; then
  as_root mkdir -p "${unit%/*}"
  as_root ln -s /dev/null "$unit"
  masked=yes
  trap 'as_root rm -f "$unit"' EXIT
fi

install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}"
}
as_root apt-get update -qq
install

if [ -n "$masked" ]; then
  as_root rm -f "$unit"
  trap - EXIT
  as_root rm -f "${unit%/*}/multi-user.target.wants/docker-registry.service"
  if [ -d /run/systemd/system ]; then as_root systemctl daemon-reload; fi
  echo "docker-registry is installed but not started as a service;" \
    "'systemctl enable --now docker-registry' would do that."
fi
