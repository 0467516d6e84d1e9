#!/usr/bin/env bash
# ARCHITECTURE.md names every folder with files in it down to the second level, and no other.
set -euo pipefail
# shellcheck source=tests/lint/files.sh
. "$(dirname "$0")/files.sh"

bad=0
folders=$(project_files '*' | awk -F/ 'NF > 1 { print $1 "/" } NF > 2 { print $1 "/" $2 "/" }' |
  grep -v '^\.' | sort -u)
while IFS= read -r folder; do
  if ! grep -qF -- "\`$folder\`" ARCHITECTURE.md; then
    echo "ARCHITECTURE.md does not name \`$folder\`"
    bad=1
  fi
done <<<"$folders"

while IFS= read -r path; do
  if [ ! -e "$path" ]; then
    echo "ARCHITECTURE.md names \`$path\`, which does not exist"
    bad=1
  fi
done < <(grep -oE '`[a-z_]+/[a-zA-Z0-9_./-]*`' ARCHITECTURE.md | tr -d '`' | sort -u)
exit $bad
