#!/usr/bin/env bash
# Lets this machine run programs of other architectures through qemu: mounts binfmt_misc where that
# is missing and enables the interpreters. Safe to repeat. Needs root, or sudo.
#
#   deploy/local/binfmt.sh [ARCH...]     names as qemu has them; aarch64 where none are given
set -euo pipefail

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

fs=/proc/sys/fs/binfmt_misc
if [ ! -e $fs/register ]; then
  if ! as_root mount -t binfmt_misc none $fs; then
    echo "binfmt.sh: cannot mount binfmt_misc on $fs. In a container, run this on the host, or give" \
      "the container CAP_SYS_ADMIN; builds for this machine's own architecture work without it." >&2
    exit 1
  fi
fi

native=$(uname -m)
for arch in "${@:-aarch64}"; do
  [ "$arch" = "$native" ] && arch=x86_64  # On an arm64 machine it is amd64 that is foreign.
  [ "$arch" = "$native" ] && continue
  entry=$fs/qemu-$arch
  if ! grep -qsx enabled "$entry"; then
    if [ ! -e "/usr/share/binfmts/qemu-$arch" ]; then
      echo "binfmt.sh: qemu has no interpreter '$arch' here; is qemu-user-static installed?" \
        "Known: $(find /usr/share/binfmts -name 'qemu-*' -printf '%f ' 2>/dev/null | sed 's/qemu-//g')" >&2
      exit 1
    fi
    as_root update-binfmts --import "qemu-$arch"
    grep -qsx enabled "$entry" || as_root update-binfmts --enable "qemu-$arch"
  fi
  # Without F the kernel looks for the interpreter inside the build's own root, where it is not.
  if ! grep -qs '^flags: .*F' "$entry"; then
    echo "binfmt.sh: qemu-$arch is registered without the F flag, so it cannot work inside builds." \
      "Another package has registered it; remove that ('update-binfmts --display qemu-$arch')" \
      "or install qemu-user-static and binfmt-support." >&2
    exit 1
  fi
done
