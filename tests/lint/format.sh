#!/usr/bin/env bash
# Checks that every C++ file is formatted as .clang-format says. To repair: clang-format -i FILE.
set -euo pipefail
# shellcheck source=tests/lint/files.sh
. "$(dirname "$0")/files.sh"

# Other versions lay some lines out differently, and everybody must agree on one.
version=$(clang-format --version | grep -oE 'version [0-9]+' | cut -d' ' -f2)
if [ "$version" != 14 ]; then
  echo "SKIPPED: the tree is formatted with clang-format 14 (Debian 12's); here is $version"
  exit 77
fi
# One process for all of them; of its findings only the files are told.
found=$(project_files '*.cc' '*.h' | xargs -r clang-format --dry-run 2>&1 |
  sed -n 's/^\([^ :]*\):[0-9]*:[0-9]*: warning: code should be clang-formatted.*/\1/p' | sort -u)
if [ -n "$found" ]; then
  echo "not formatted as .clang-format says:" $found
  echo "to repair: clang-format -i FILE"
  exit 1
fi
