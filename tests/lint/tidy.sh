#!/usr/bin/env bash
# Runs clang-tidy over the C++ files that differ from a commit, or over all of them. It needs minutes,
# so it is not among the tests.
#
#   tests/lint/tidy.sh [--all | COMMIT]      COMMIT: main by default; HEAD: what is not committed
set -euo pipefail
. "$(dirname "$0")/files.sh" ""

cmake --preset tidy >/dev/null
# Generated headers must be there before anything that includes them can be read.
if [ -d build/tidy/proto ] || ninja -C build/tidy -t targets all | grep -q '\.pb\.h:'; then
  ninja -C build/tidy -t targets all | sed -n 's/^\(.*\.pb\.h\):.*/\1/p' | sort -u |
    xargs -r ninja -C build/tidy >/dev/null
fi

if [ "${1:-}" = --all ]; then
  files=$(project_files '*.cc')
else
  files=$(git diff --name-only --diff-filter=d "${1:-main}" -- '*.cc')
fi
if [ -z "$files" ]; then
  echo "nothing to check"
  exit 0
fi
xargs -P "$(nproc)" -n 4 clang-tidy -p build/tidy --quiet --warnings-as-errors='*' <<<"$files"
