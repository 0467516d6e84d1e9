#!/usr/bin/env bash
# tests/e2e/failpoints.txt, which the test of them goes by, lists the failpoints of the sources.
set -euo pipefail
# shellcheck source=tests/lint/files.sh
. "$(dirname "$0")/files.sh"
diff -u --label tests/e2e/failpoints.txt --label sources \
  <(awk '!/^#/ { print $2 }' tests/e2e/failpoints.txt | sort) \
  <(project_files 'controller/*.cc' 'worker/*.cc' 'registry/*.cc' |
    xargs grep -ohE 'MANYARCH_FAILPOINT\("[^"]+"\)' | cut -d'"' -f2 | sort -u)
