#!/usr/bin/env bash
# A file of more than 400 lines wants to be two. Exceptions stand in long_files.txt with a reason.
set -euo pipefail
list=$(realpath "$(dirname "$0")")/long_files.txt
# shellcheck source=tests/lint/files.sh
. "$(dirname "$0")/files.sh"

bad=0
while IFS= read -r file; do
  lines=$(wc -l <"$file")
  if [ "$lines" -gt 400 ] && ! grep -qE "^$file: ." "$list"; then
    echo "$file: $lines lines; divide it by what its parts are about, or give a reason in tests/lint/long_files.txt"
    bad=1
  fi
done < <(project_files '*.cc' '*.h' '*.sh' '*.proto')

while IFS=: read -r file _; do
  case $file in '#'* | '') continue ;; esac
  if [ ! -e "$file" ] || [ "$(wc -l <"$file")" -le 400 ]; then
    echo "tests/lint/long_files.txt: $file needs no exception any more"
    bad=1
  fi
done <"$list"
exit $bad
