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
bad=0
while IFS= read -r file; do
  if ! clang-format "$file" | cmp -s - "$file"; then
    echo "$file is not formatted as .clang-format says; run: clang-format -i $file"
    bad=1
  fi
done < <(project_files '*.cc' '*.h')
exit $bad
